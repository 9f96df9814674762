"""An event is in ``event`` once, and which of its copies stays does not depend on how the input was cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.backlog.stale_users import stale_users
from streaming_app.errors import BalanceError
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit import commit as commit_module
from streaming_app.ingest.file_processor import FileProcessor
from streaming_app.lake.query import query
from streaming_app.model.run_metrics import BatchMetrics
from tests.support.examples import costly
from tests.support.lake import LocalPipeline, balance
from tests.support.raw import NOW, event, line, write
from tests.support.requests import requests, splits
from tests.support.sources import APPS

WRONG_CLOCK = NOW + 40 * 24 * 3_600_000


def copies_of_one() -> list[bytes]:
    """Three sendings of one event whose times differ by the second, as clock correction makes them."""
    sent = event("e", timestamp=WRONG_CLOCK - 5_000, items=[{"id": "sku"}])
    other = event("other", unique_id="u-2", timestamp=WRONG_CLOCK - 4_000)
    times = [(NOW, "r-1"), (NOW + 1_000, "r-2"), (NOW - 1_000, "r-3")]
    return [line(sent, other, rid=rid, ingest_time=at, client_timestamp=WRONG_CLOCK) for at, rid in times]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)], ids=str)
@pytest.mark.parametrize("how", ["one file", "files", "tasks", "batches"])
def test_the_same_copy_stays(how: str, order: tuple[int, ...], tmp_path: Path) -> None:
    lines = [copies_of_one()[number] for number in order]
    pipeline = LocalPipeline(tmp_path)
    raw = tmp_path / "raw"
    if how == "one file":
        metrics = [pipeline.ingest(write(raw, "a.gz", *lines))]
    else:
        paths = [write(raw, f"{number}.gz", each) for number, each in enumerate(lines)]
        metrics = (
            [pipeline.ingest(path) for path in paths]
            if how == "batches"
            else [pipeline.ingest(*paths, tasks=3 if how == "tasks" else 1)]
        )
    [first, second] = pipeline.rows("event", "event_id")
    assert (first["event_id"], second["event_id"]) == ("e", "other")
    assert first["ingest_time_msec"] == NOW - 1_000
    assert first["event_time_msec"] == NOW - 6_000
    [item] = pipeline.rows("item")
    assert item["event_timestamp"] == first["event_timestamp"]
    assert [balance(each)[0] for each in metrics] == [balance(each)[1] for each in metrics]
    assert sum(each["written"] for each in metrics) == 2
    assert sum(each["duplicate"] for each in metrics) == 4


def test_twins_in_one_request(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    twins = [event("e", event_type="late"), event("e", timestamp=NOW - 9_000, event_type="early"), event("e", event_type="x")]
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", line(*twins)))
    assert [row["event_name"] for row in pipeline.rows("event")] == ["early"]
    assert metrics["duplicate"] == 2


def test_copies_on_both_sides_of_midnight(tmp_path: Path) -> None:
    midnight = 1_779_926_400_000
    pipeline = LocalPipeline(tmp_path)
    for number, shift in enumerate((400, -600)):
        wrong = WRONG_CLOCK + midnight - NOW
        sent = line(event("e", timestamp=wrong), rid=f"r-{number}", ingest_time=midnight + shift, client_timestamp=wrong)
        pipeline.ingest(write(tmp_path / "raw", f"{number}.gz", sent))
    [row] = pipeline.rows("event")
    assert (row["day"], row["event_time_msec"]) == (27, midnight - 600)


def test_the_same_id_in_two_apps_is_two_events(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, "  blog: {transformer: clickstream_sdk}\n")
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("e"), event("e", app_id="blog"))))
    assert len(pipeline.rows("event")) == 1  # one request names an id twice
    pipeline.ingest(write(tmp_path / "raw", "b.gz", line(event("e", app_id="blog"), rid="r-2")))
    assert [row["app_id"] for row in pipeline.rows("event")] == ["blog", "shop"]


def test_a_replaced_copy_makes_its_user_stale(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    first, _, earlier = copies_of_one()
    pipeline.ingest(write(tmp_path / "raw", "a.gz", first))
    assert stale_users(pipeline.config, pipeline.lake.storage) == (set(), [])
    pipeline.ingest(write(tmp_path / "raw", "b.gz", earlier))
    users, notes = stale_users(pipeline.config, pipeline.lake.storage)
    assert users == {("shop", "u-1"), ("shop", "u-2")}
    assert len(notes) == 1


@pytest.mark.parametrize("after", ["quarantine", "item", "run_metrics", "event"])
def test_a_batch_that_broke_off_is_finished_by_its_rerun(after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("a"))))
    path = write(tmp_path / "raw", "b.gz", b"broken", line(event("a"), event("b", items=[{"id": "i"}])))
    real = commit_module.commit

    def breaks(table: Any, contract: Any, *rest: Any) -> bool:
        done = real(table, contract, *rest)
        if contract.name == after:
            raise OSError("broke off here")
        return done

    with monkeypatch.context() as patch:
        patch.setattr(commit_module, "commit", breaks)
        with pytest.raises(OSError, match="broke off"):
            pipeline.ingest(path)
    pipeline.ingest_again(path)
    counts = {name: len(pipeline.rows(name)) for name in ("event", "item", "quarantine", "run_metrics")}
    assert counts == {"event": 2, "item": 1, "quarantine": 1, "run_metrics": 2}
    [metrics] = pipeline.rows("run_metrics", where="batch_id = 1")
    assert balance(metrics) == (3, 3)


def test_wrong_counts_commit_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = LocalPipeline(tmp_path)
    real = commit_module.measure_batch

    def one_too_many(*arguments: Any) -> BatchMetrics:
        metrics = real(*arguments)
        return msgspec.structs.replace(metrics, received=metrics.received + 1)

    monkeypatch.setattr(commit_module, "measure_batch", one_too_many)
    with pytest.raises(BalanceError, match="received 2 elements, but 1"):
        pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("a"))))
    assert [len(pipeline.rows(name)) for name in ("event", "item", "quarantine", "run_metrics")] == [0, 0, 0, 0]


@costly(8)
@given(data=st.data())
def test_any_split_gives_the_same_events_items_and_changes(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With all three sources mixed."""
    lines = data.draw(requests(mixed=True))
    runs = data.draw(splits(lines))
    whole, parts = (LocalPipeline(tmp_path_factory.mktemp(name), APPS) for name in ("whole", "parts"))
    whole.ingest(write(whole.folder / "raw", "all.gz", *lines))
    for number, files in enumerate(runs):
        paths = [write(parts.folder / "raw", f"{number}-{at}.gz", *each) for at, each in enumerate(files)]
        received, accounted_for = balance(parts.ingest(*paths, tasks=2))
        assert received == accounted_for
    for table in ("event", "item", "change"):
        assert json.dumps(whole.rows(table), default=str) == json.dumps(parts.rows(table), default=str)


def test_copies_that_meet_in_a_task_are_written_once(tmp_path: Path) -> None:
    """The copy that stays is met first, though files and lines are in another order: a loser that is written costs a rewrite."""
    pipeline = LocalPipeline(tmp_path)
    sent = [event(f"e-{number}") for number in range(20)]
    requests = [[line(each, rid=f"{copy}-{number:02}") for number, each in enumerate(sent)] for copy in "cab"]
    paths = [write(tmp_path / "raw", f"{name}.gz", *reversed(lines)) for name, lines in zip("xyz", requests, strict=True)]
    batch = Batch(pipeline.config, pipeline.lake.storage, "s", 0, "job", 0, "all")
    report = FileProcessor(batch, "task").run(map(str, paths))
    assert sum(file.rows for file in report.of("event")) == report.counts.received - report.counts.duplicate == len(sent)
    pipeline.ingest(*paths)
    kept = query(pipeline.lake, "SELECT DISTINCT process_info ->> 'rid' AS rid FROM event")["rid"].to_pylist()
    assert {rid[0] for rid in kept} == {"a"}
