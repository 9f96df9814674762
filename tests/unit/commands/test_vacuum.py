"""What vacuum takes away, and what it never does."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streaming_app.cli import _exit_code
from streaming_app.commands import optimize, vacuum
from streaming_app.commands.operation import operation
from streaming_app.commands.vacuum import RETENTION_HOURS
from streaming_app.environment import lock_lake
from streaming_app.lake import id_index
from streaming_app.lake.lake import live_files
from streaming_app.lake.maintenance import LOG_RETENTION_DAYS, StoredFile, find_expired_log
from streaming_app.model.tables import EVENT, OPERATION, TABLES
from tests.support.lake import LocalPipeline
from tests.support.raw import NOW, event, line, write
from tests.support.upkeep import HOURS, QUIET, busy_lake, contents, copied, derived

DAY = 86_400


def aged(path: Path, days: float) -> Path:
    """A file as if it had been written some days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


@pytest.fixture(scope="module")
def compacted(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    """A lake whose live files are all old, and whose replaced ones were replaced a moment ago."""
    pipeline = busy_lake(tmp_path_factory.mktemp("compacted"))
    optimize.run(pipeline.config, TABLES.values(), QUIET)
    for path in (pipeline.folder / "lake").rglob("*.parquet"):
        if "_delta_log" not in path.parts:
            aged(path, 400)
    derived(pipeline)
    return pipeline


@pytest.fixture
def pipeline(compacted: LocalPipeline, tmp_path: Path) -> LocalPipeline:
    copy = copied(compacted, tmp_path)  # copies keep the files' times
    derived(copy)
    return copy


def data_files(pipeline: LocalPipeline, table: str = "*") -> set[Path]:
    return {path for path in (pipeline.folder / "lake").glob(f"{table}/**/*.parquet") if "_delta_log" not in path.parts}


def test_orphans_go_when_they_are_old(pipeline: LocalPipeline) -> None:
    """Replaced files stay for the retention, however old they are themselves; a young orphan may be a reader's luck."""
    kept, rows = data_files(pipeline), contents(pipeline)
    places = [pipeline.folder / "lake" / place for place in ("event", "event/app_id=shop/year=2026", "quarantine")]
    old = {aged(place / "part-old.zstd.parquet", 7.1) for place in places}
    young = {aged(place / "part-young.zstd.parquet", 6.9) for place in places}
    others = {aged(pipeline.folder / "lake" / name, 900) for name in ("_lease.lock", "event/_other/x", "mine/a.parquet")}
    result = vacuum.run(pipeline.config, RETENTION_HOURS, QUIET)
    assert (result["files"], result["log_entries"]) == (len(old), 0)
    audit = {path for path in data_files(pipeline, "operation") if path not in kept}
    assert data_files(pipeline) - audit == kept | young | {path for path in others if path.suffix == ".parquet"}
    assert all(path.exists() for path in others)
    assert contents(pipeline) == rows
    assert vacuum.plan(pipeline.config, pipeline.lake, RETENTION_HOURS) == []


def test_replaced_files_go_when_nothing_needs_them(pipeline: LocalPipeline) -> None:
    live = {
        pipeline.folder / "lake" / name / file.path
        for name, table in TABLES.items()
        for file in live_files(pipeline.lake.open(table))
    }
    rows, gone = contents(pipeline), data_files(pipeline) - live
    size = sum(path.stat().st_size for path in gone)
    result = vacuum.run(pipeline.config, 0, QUIET)
    assert (result["files"], result["bytes"]) == (len(gone), size)
    assert data_files(pipeline) - set((pipeline.folder / "lake/operation").glob("*")) == live - set(
        (pipeline.folder / "lake/operation").glob("*")
    )
    assert contents(pipeline) == rows
    assert vacuum.plan(pipeline.config, pipeline.lake, 0) == []
    protocol = pipeline.lake.open(EVENT).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_index_files_go_with_their_data_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_index, "MIN_ROWS", 1)
    pipeline, folder = LocalPipeline(tmp_path), tmp_path / "lake/event"
    for rid, time_ms in (("r-2", NOW - 1_000), ("r-1", NOW - 5_000)):  # the second duplicate replaces the first
        sent = (
            line(event("e"), event("f"), rid=rid, ingest_time=time_ms)
            if rid == "r-2"
            else line(event("e"), rid=rid, ingest_time=time_ms)
        )
        pipeline.ingest(write(tmp_path / "raw", f"{rid}.gz", sent))
    derived(pipeline)
    live = {file.path for file in live_files(pipeline.lake.open(EVENT))}
    replaced = {str(path.relative_to(folder)) for path in data_files(pipeline, "event")} - live
    assert index_files(folder) == live | replaced
    aged(folder / "_ids/x.ids.1.tmp", 400)
    # Delta's own vacuum, of both kinds, leaves them alone.
    for full in (False, True):
        pipeline.lake.open(EVENT).vacuum(0, dry_run=False, enforce_retention_duration=False, full=full)
    assert index_files(folder) == live | replaced
    before = sum(path.stat().st_size for path in (folder / "_ids").rglob("*.*"))
    result = vacuum.run(pipeline.config, 0, QUIET)
    assert index_files(folder) == live
    assert [path.name for path in (folder / "_ids").rglob("*.tmp")] == []
    assert result["bytes"] >= before - sum(path.stat().st_size for path in (folder / "_ids").rglob("*.*")) > 0
    assert vacuum.plan(pipeline.config, pipeline.lake, 0) == []


def index_files(folder: Path) -> set[str]:
    """The data files that have an index file."""
    found = (id_index.data_path(str(path.relative_to(folder))) for path in (folder / "_ids").rglob("*.ids"))
    return {path for path in found if path is not None}


# names of entries with their age in days: those that go, at version 30
LOGS: dict[str, tuple[dict[str, float], set[str]]] = {
    "no checkpoint": ({"1.json": 50, "2.json": 40}, set()),
    "old before a checkpoint": ({"1.json": 50, "2.json": 40, "2.checkpoint.parquet": 40, "3.json": 1}, {"1.json"}),
    "old, but young ones need them": ({"1.json": 50, "2.json": 40, "3.json": 1, "4.checkpoint.parquet": 1}, set()),
    "old checkpoints": (
        {"2.checkpoint.parquet": 60, "3.json": 50, "4.checkpoint.parquet": 40, "5.json": 35},
        {"2.checkpoint.parquet", "3.json"},
    ),
    "younger than the retention": ({"1.json": 29, "2.json": 29, "2.checkpoint.parquet": 29}, set()),
    "other files": ({"1.json": 50, "2.checkpoint.parquet": 40, "_last_checkpoint": 50, "1.json.tmp": 50}, {"1.json"}),
}


@pytest.mark.parametrize("case", LOGS)
def test_expired_entries_of_the_log(case: str) -> None:
    ages, gone = LOGS[case]
    now = datetime(2026, 5, 28, tzinfo=UTC)
    stored = [StoredFile(f"_delta_log/{_entry(name)}", 1, now - timedelta(days=age)) for name, age in ages.items()]
    assert {file.path for file in find_expired_log(stored, 30, now)} == {f"_delta_log/{_entry(name)}" for name in gone}


def _entry(name: str) -> str:
    return re.sub(r"^\d+", lambda found: found[0].zfill(20), name)


def test_log_entries_are_deleted_as_planned(pipeline: LocalPipeline) -> None:
    log = pipeline.folder / "lake/quarantine/_delta_log"
    opened = pipeline.lake.open(TABLES["quarantine"])
    opened.create_checkpoint()
    rows = contents(pipeline)
    for path in log.glob("0*"):
        aged(path, LOG_RETENTION_DAYS + 1)
    [found] = vacuum.plan(pipeline.config, pipeline.lake, RETENTION_HOURS)
    assert len(found.log) == opened.version() > 0
    assert vacuum.run(pipeline.config, RETENTION_HOURS, QUIET)["log_entries"] == len(found.log)
    assert {path.name[:20] for path in log.glob("0*")} == {f"{opened.version():020}"}
    assert contents(pipeline) == rows


def test_derive_finds_the_log_from_where_it_goes_on(pipeline: LocalPipeline) -> None:
    """A compaction is no news to derive, which may stand before it for months: its next run begins to read there."""
    opened = pipeline.lake.open(EVENT)
    opened.create_checkpoint()
    for path in (pipeline.folder / "lake/event/_delta_log").glob("0*"):
        aged(path, LOG_RETENTION_DAYS + 1)
    assert [each.table.name for each in vacuum.plan(pipeline.config, pipeline.lake, RETENTION_HOURS)] == ["event"]
    offsets = pipeline.folder / "lake/_checkpoints/derive/offsets/0"
    first, second, *places = offsets.read_text().split("\n")
    stands = json.loads(places[0]) | {"reservoirVersion": HOURS + 1}  # it has read the last hour, not the compactions
    offsets.write_text("\n".join([first, second, json.dumps(stands), *places[1:]]))
    assert vacuum.plan(pipeline.config, pipeline.lake, RETENTION_HOURS) == []


@pytest.fixture
def clickstream(pipeline: LocalPipeline, capsys: pytest.CaptureFixture[str]) -> Any:
    config = pipeline.folder / "c.json"
    config.write_text(pipeline.config.model_dump_json(exclude_defaults=True))

    def call(*arguments: str) -> tuple[int, str, str]:
        return _exit_code(["vacuum", *arguments, "-c", str(config)], debug=False), *capsys.readouterr()

    return call


def test_the_command(pipeline: LocalPipeline, clickstream: Any) -> None:
    assert clickstream() == (0, "nothing to delete\n", "")
    orphan = aged(pipeline.folder / "lake/item/part-old.zstd.parquet", 8)
    before = sorted(pipeline.folder.rglob("*"))
    plan = {"table": "item", "files": 1, "bytes": 0, "log_entries": 0}
    assert json.loads(clickstream("--dry-run", "--json")[1]) == {"plan": [plan]}
    assert clickstream("--dry-run")[1].startswith("table item, files 1, size 0.0 MB")
    assert sorted(pipeline.folder.rglob("*")) == before
    assert json.loads(clickstream("--json")[1]) == {"files": 1, "bytes": 0, "log_entries": 0}
    assert not orphan.exists()
    assert json.loads(clickstream("--json", "--force", "--retention-hours", "0")[1])["files"] > HOURS
    audit = pipeline.query("SELECT status FROM operation WHERE operation = 'vacuum' ORDER BY created_time").to_pylist()
    assert [row["status"] for row in audit] == ["started", "done"] * 2


def unfinished_batch(pipeline: LocalPipeline) -> None:
    path = pipeline.folder / "lake/_checkpoints/ingest/2026-05/offsets/0"
    path.parent.mkdir(parents=True)
    path.write_text("v1")


def derive_behind(pipeline: LocalPipeline) -> None:
    (pipeline.folder / "lake/_checkpoints/derive/commits/0").unlink()


def killed_erasure(pipeline: LocalPipeline) -> None:
    with operation(pipeline.config, "erase", {"app": "shop"}):
        raise KeyboardInterrupt


# what is wrong: options of the command, exit code, beginning of the error and of the hint
REFUSED: dict[str, tuple[Any, list[str], int, str, str]] = {
    "too short": (None, ["--retention-hours", "167"], 2, "--retention-hours 167: files that a query is reading", "--force, if"),
    "a batch": (unfinished_batch, [], 4, "a run was interrupted and may need", "run the job first: clickstream run; or --force"),
    "derive": (derive_behind, [], 4, "a run was interrupted and may need", "run the job first: clickstream run; or --force"),
    "a command": (killed_erasure, [], 4, 'erase {"app":"shop"}, begun ', "repeat that command first; or --force"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str, pipeline: LocalPipeline, clickstream: Any) -> None:
    damage, options, code, error, hint = REFUSED[case]
    if damage is killed_erasure:
        with pytest.raises(KeyboardInterrupt):
            damage(pipeline)
        _forget_the_end(pipeline)
    elif damage:
        damage(pipeline)
    aged(pipeline.folder / "lake/item/part-old.zstd.parquet", 8)
    before = data_files(pipeline)
    found, output, errors = clickstream(*options)
    first, second = errors.splitlines()
    assert (found, output) == (code, "")
    assert first.startswith(f"error: {error}")
    assert second.startswith(f"hint: {hint}")
    assert data_files(pipeline) == before
    assert clickstream(*options, "--force")[0] == 0


def _forget_the_end(pipeline: LocalPipeline) -> None:
    """Take the row of the end away, as if the process had been killed."""
    opened = pipeline.lake.open(OPERATION)
    opened.delete("status = 'failed'")


def test_one_writer_at_a_time(pipeline: LocalPipeline, clickstream: Any) -> None:
    orphan = aged(pipeline.folder / "lake/item/part-old.zstd.parquet", 8)
    with lock_lake(pipeline.config, "run test"):
        code, _, errors = clickstream()
    assert (code, orphan.exists()) == (8, True)
    assert errors.startswith("error: the tables are in use: run test since ")
