"""A run that ends in the middle of a trial leaves behind which files were tried; one that ends otherwise leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming_app.errors import StorageError
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.isolate import GIVEN_UP
from streaming_app.ingest.trials import Trials
from streaming_app.spark.tasks import SizedFile
from streaming_app.storage.files import Storage
from tests.support.lake import config_for

FILES = [SizedFile(f"/raw/{name}", 1) for name in "abc"]


def batch_of(folder: Path, number: int = 7, *, is_retry: bool = True) -> Batch:
    return Batch(config_for(folder), Storage(), "stream", number, "job", 0, "2026-05", is_retry)


def end_a_run(batch: Batch, files: list[SizedFile]) -> None:
    """The process ends while it tries some files: nothing is called any more."""
    trials = Trials(batch)
    trials.suspects(FILES)
    trials.begin(files)


def suspects(batch: Batch) -> tuple[list[str], int, list[str]] | None:
    found = Trials(batch).suspects(FILES)
    return found and ([file.uri for file in found.files], found.times, [file.uri for file in found.given_up])


def test_the_trial_in_which_a_run_ended_is_known_to_the_next_one(tmp_path: Path) -> None:
    assert suspects(batch_of(tmp_path)) is None
    end_a_run(batch_of(tmp_path), FILES)
    assert suspects(batch_of(tmp_path)) == (["/raw/a", "/raw/b", "/raw/c"], 1, [])
    assert suspects(batch_of(tmp_path, 8)) is None
    assert suspects(batch_of(tmp_path, is_retry=False)) is None


def test_a_file_that_ends_runs_alone_is_given_up_and_stays_so(tmp_path: Path) -> None:
    for times in range(1, GIVEN_UP + 1):
        end_a_run(batch_of(tmp_path), FILES[:1])
        assert suspects(batch_of(tmp_path)) == (["/raw/a"], times, [])
    end_a_run(batch_of(tmp_path), FILES[1:])
    assert suspects(batch_of(tmp_path)) == (["/raw/b", "/raw/c"], 1, ["/raw/a"])


def end_by(error: Exception | None, batch: Batch) -> None:
    with Trials(batch) as trials:
        trials.suspects(FILES)
        trials.begin(FILES[:1])
        if error:
            raise error


def test_a_trial_that_has_ended_is_forgotten(tmp_path: Path) -> None:
    end_by(None, batch_of(tmp_path))
    assert suspects(batch_of(tmp_path)) is None
    with pytest.raises(StorageError):
        end_by(StorageError("SlowDown"), batch_of(tmp_path))
    assert suspects(batch_of(tmp_path)) is None


def test_an_unknown_error_leaves_the_trial(tmp_path: Path) -> None:
    """As where the cluster has ended the application: each call of Spark fails from then on."""
    with pytest.raises(RuntimeError, match="the application was ended"):
        end_by(RuntimeError("the application was ended"), batch_of(tmp_path))
    assert suspects(batch_of(tmp_path)) == (["/raw/a"], 1, [])
