"""The files of a micro-batch are the same from its plan and from its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from streaming_app.spark import table_stream
from streaming_app.spark.streams import MicroBatch
from streaming_app.storage.files import Storage
from tests.spark.job import Job
from tests.support.raw import event, line, write
from tests.support.sources import APPS

pytestmark = pytest.mark.spark


def by_path(files: table_stream.NewFiles) -> dict[str, list[table_stream.TableFile]]:
    return {table: sorted(found, key=lambda file: file.uri) for table, found in files.items()}


def test_plan_and_rows_name_the_same_files(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a first run, and in a second one without new rows of ``change``."""
    found: list[tuple[table_stream.NewFiles, table_stream.NewFiles]] = []

    def both(spark: SparkSession, batch: MicroBatch, storage: Storage) -> table_stream.NewFiles:
        found.append((table_stream.files_from_plan(spark, batch), table_stream.files_from_rows(batch, storage)))
        return found[-1][0]

    monkeypatch.setattr("streaming_app.derive.stream.files_of", both)
    folder = tmp_path / "a b"
    folder.mkdir()
    job = Job(folder, APPS)
    for number in range(2):
        write(folder / "raw", f"{number}.gz", line(event(f"e-{number}"), rid=f"r-{number}"))
        job.run()
    assert len(found) == 2
    for planned, rows in found:
        assert by_path(planned) == by_path(rows)
        assert planned["event"]
        for file in planned["event"]:
            assert Path(file.uri).stat().st_size == file.size
    assert len(job.rows("session")) == 1


@pytest.mark.parametrize("error", [Py4JError("no such method"), AttributeError("None has no streamingQuery"), KeyError("other")])
def test_an_unknown_plan_falls_back_to_rows(
    error: Exception, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are taken from the rows, and the tables are the same."""

    def refuse(*_: Any) -> None:
        raise error

    job = Job(tmp_path)
    write(tmp_path / "raw", "a.gz", line(event("a"), event("b")))
    monkeypatch.setattr(table_stream, "files_from_plan", refuse)
    job.run()
    [session] = job.rows("session")
    assert session["event_count"] == 2
