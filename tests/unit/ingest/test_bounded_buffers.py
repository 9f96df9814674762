"""Buffers are bounded by bytes and files by number, whatever a request holds: the pass in a process with little memory, or with
few file descriptors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.lake import LocalPipeline, balance
from tests.support.raw import NOW, event, line, write

ROOT = Path(__file__).parents[3]
DAY = 86_400_000
MEMORY = 1_500_000_000
"""Bytes of address space that the pass may take beyond what its libraries take."""


def pass_in_a_process(folder: Path, case: str, **limits: int) -> dict[str, Any]:
    """Generate a case's requests and ingest them in a process of its own, with limits set once its libraries are loaded."""
    command = [sys.executable, "-m", "tests.support.bounded", str(folder), case, json.dumps(limits)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3_000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("case", "received", "quarantined"),
    [
        ("alike", 140 * 10_000, 140 * 10_000),
        ("long uri", 12 * 10_000, 12 * 10_000),
        ("long ua", 10_000, 0),
        ("long attributes", 30, 0),
        ("largest payloads", 4, 2),
    ],
)
def test_the_pass_in_little_memory(case: str, received: int, quarantined: int, tmp_path: Path) -> None:
    found = pass_in_a_process(tmp_path, case, memory=MEMORY)
    assert (found["received"], found["quarantined"], found["accounted"]) == (received, quarantined, received)
    assert found["quarantine_rows"] <= 101 * 140


def test_whole_bodies_in_little_memory(tmp_path: Path) -> None:
    """Whatever a body of 1 MB holds at a usual ratio is in the tables."""
    found = pass_in_a_process(tmp_path, "whole bodies", memory=MEMORY)
    assert found["accounted"] == found["received"] == found["written"] > 60_000


@pytest.mark.exhaustive
def test_maximal_requests_in_little_memory(tmp_path: Path) -> None:
    """500 requests of 10,000 rejected elements, and 300 of 10 MB decoded."""
    found = pass_in_a_process(tmp_path, "maximal", memory=MEMORY)
    assert found["accounted"] == found["received"] == 500 * 10_000 + 300


def test_ten_thousand_days_in_a_request_with_256_descriptors(tmp_path: Path) -> None:
    found = pass_in_a_process(tmp_path, "many days", descriptors=256)
    assert found["accounted"] == found["received"] == 10_000 + 400
    assert found["event_files"] <= 400 + 8
    assert found["reasons"] == {"too_late": 9_599, "too_large": 393}  # the 401st day is just fresh enough


def test_of_many_equal_rejections_one_row_counts_the_rest(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    payload = json.dumps([event(f"e{number}", timestamp=1) for number in range(250)])
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", line(payload)))
    assert balance(metrics) == (250, 250)
    assert metrics["quarantined"] == 250
    rows = pipeline.rows("quarantine")
    assert len(rows) == 101
    [shared] = [row for row in rows if row["elements"] is not None]
    assert (shared["elements"], shared["raw"]) == (150, payload)
    again = pipeline.ingest(write(tmp_path / "raw", "a.gz", line(payload)))
    assert (again["duplicate"], again["quarantined"], len(pipeline.rows("quarantine"))) == (250, 0, 101)


def test_long_texts_of_the_envelope_are_cut(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    uri = f"/collect?appId=shop&upload_timestamp={NOW}&x=" + "y" * 50_000
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line("nonsense", uri=uri, ua="u" * 9_000, client_timestamp=None)))
    [row] = pipeline.rows("quarantine")
    envelope = json.loads(row["envelope"])
    assert (len(envelope["uri"]), len(envelope["ua"]), envelope["cut"]) == (2_048, 2_048, True)
    assert envelope["upload_timestamp"] == NOW


def test_a_plugin_that_fails_on_more_elements_than_allowed_is_not_called_for_each(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, "  mine: {transformer: tests.unit.ingest.test_bounded_buffers:Failing}\n")
    payload = f"[{','.join(['1'] * 50_001)}]"
    Failing.calls = 0
    assert balance(pipeline.ingest(write(tmp_path / "raw", "a.gz", line(payload, appId="mine")))) == (1, 1)
    assert (Failing.calls, [row["reason"] for row in pipeline.rows("quarantine")]) == (1, ["too_large"])


class Failing:
    """A transformer that always fails."""

    calls = 0

    def transform(self, _request: object) -> list[object]:
        Failing.calls += 1
        raise KeyError("nothing works")
