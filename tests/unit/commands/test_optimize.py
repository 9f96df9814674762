"""Compaction: fewer files, the same rows, and nothing of the tables' contract lost."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from streaming_app.backlog.derive_log import derive_is_behind
from streaming_app.cli import _exit_code
from streaming_app.commands import optimize
from streaming_app.lake import buckets, compaction
from streaming_app.lake.buckets import Bucket
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.compaction import MIN_FILES_SAVED, plan_compactions
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import ROW_GROUP_ROWS, PartitionWriter
from streaming_app.model.tables import EVENT, QUARANTINE, RUN_METRICS, TABLES, USER, Table
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.files import Storage
from streaming_app.storage.uris import absolute
from submitter.ratio import compression_ratio
from tests.support.lake import LocalPipeline
from tests.support.raw import NOW, event, line, write
from tests.support.upkeep import HOURS, ODD, QUIET, busy_lake, contents, copied, files_of

# sizes of a partition's files in the order of the log: files that are merged, and how many fewer there are; None: not due
PLANS: dict[tuple[int, ...], tuple[int, int] | None] = {
    (): None,
    (10,): None,
    (10,) * MIN_FILES_SAVED: None,
    (10,) * (MIN_FILES_SAVED + 1): (5, 4),
    (10,) * 25: (25, 22),
    (200, *(10,) * 5, 200): (5, 4),
    (100, *(20,) * 5): (5, 4),
    (10, 200) * 20: (20, 18),
    (90, 20) * 20: (20, 16),
    (90, 80) * 20: None,  # no two fit into one
    (60,) * 20: None,
    (50,) * 8: (8, 4),
    (50, 51) * 8: (8, 4),
    (50, 50, 10, 90, 20, 30, 40, 100): (6, 4),
}


@pytest.mark.parametrize("sizes", PLANS, ids=str)
def test_what_is_due(sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "TARGET_BYTES", 100)
    found = [(each.files, each.saved) for each in plan_compactions(EVENT, _files(sizes))]
    assert found == ([PLANS[sizes]] if PLANS[sizes] else [])


def _files(sizes: tuple[int, ...]) -> list[DataFile]:
    return [DataFile(str(size), dict.fromkeys(EVENT.partition_by, "1"), size) for size in sizes]


BUCKETS: dict[tuple[str, ...], list[tuple[Bucket, int]]] = {
    # names of a partition's files of 10 bytes each, where a bucket may have 40: the buckets that are merged, and of how many files
    ("b001-000-a",): [],
    tuple(f"b001-000-{n}" for n in "abcd"): [],
    tuple(f"b008-00{n}-a" for n in range(4)): [],
    ("b001-000-a", "b001-000-b", "b001-000-c", "b001-000-d"): [],
    tuple(f"b008-00{n}-{k}" for n in range(4) for k in "ab"): [(Bucket(2, 0), 4), (Bucket(2, 1), 4)],
    ("unnamed", *(f"b008-00{n}-{k}" for n in range(4) for k in "ab")): [(Bucket(4, n), 2) for n in range(4)],
    tuple(f"b004-00{n}-{k}" for n in range(4) for k in "ab"): [(Bucket(2, 0), 4), (Bucket(2, 1), 4)],
}


@pytest.mark.parametrize("names", BUCKETS, ids=str)
def test_files_are_merged_within_buckets(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "BUCKET_BYTES", 40)
    files = [DataFile(f"app_id=a/{name}.parquet", {"app_id": "a"}, 10) for name in names]
    found = [(group.bucket, len(group.files)) for each in plan_compactions(USER, files) for group in each.groups]
    assert sorted(found) == BUCKETS[names]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    return busy_lake(tmp_path_factory.mktemp("before"))


@pytest.fixture(scope="module")
def after(before: LocalPipeline, tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    pipeline = copied(before, tmp_path_factory.mktemp("after"))
    optimize.run(pipeline.config, TABLES.values(), QUIET)
    return pipeline


def test_rows_are_the_same_in_fewer_files(before: LocalPipeline, after: LocalPipeline) -> None:
    assert contents(after) == contents(before)
    many, few = files_of(before), files_of(after)
    for name in ("quarantine", "run_metrics"):
        assert (many[name], few[name]) == (HOURS, 1)
    for name in ("event", "item", "change", "user", "session"):
        partitions = len({tuple(file.partition.values()) for file in live_files(after.lake.open(TABLES[name]))})
        assert many[name] > few[name] >= partitions
    assert {file.partition["app_id"] for file in live_files(after.lake.open(EVENT))} == {"shop", ODD}


def test_optimize_is_idempotent(after: LocalPipeline) -> None:
    assert optimize.plan(after.lake, TABLES.values()) == []


@pytest.mark.parametrize("name", [name for name in TABLES if name != "operation"])
def test_the_contract_holds(name: str, before: LocalPipeline, after: LocalPipeline) -> None:
    table, opened = TABLES[name], after.lake.open(TABLES[name])
    protocol = opened.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert (protocol.reader_features, protocol.writer_features) == (None, None)
    for file in live_files(opened):
        assert set(file.min_values) | set(file.max_values) <= set(table.stats_columns)
        parquet = pq.ParquetFile(Path(opened.table_uri.removeprefix("file://"), file.path))
        assert parquet.schema_arrow.remove_metadata() == table.file_schema
        assert parquet.metadata.num_rows == file.rows
    assert _extremes(before, table) == _extremes(after, table)
    assert sum(file.rows for file in live_files(opened)) == len(contents(after)[name])


def _extremes(pipeline: LocalPipeline, table: Table) -> dict[str, Any]:
    """Smallest and largest value of each column that has statistics, as the log tells them."""
    files = live_files(pipeline.lake.open(table))
    known = {name: [file for file in files if file.min_values.get(name) is not None] for name in table.stats_columns}
    return {
        name: (min(file.min_values[name] for file in some), max(file.max_values[name] for file in some))
        for name, some in known.items()
        if some
    }


def test_parquet_is_as_our_writer_makes_it(tmp_path: Path) -> None:
    """Row groups of the same size, the same compression, statistics and dictionaries."""
    pipeline = LocalPipeline(tmp_path)
    times = pa.array([NOW * 1_000] * 30_000, pa.timestamp("us", tz="UTC"))
    day = {"app_id": "shop", "event_date": date(2026, 5, 28), "year": 2026, "month": 5, "day": 28}
    for number in range(6):
        ids = pa.array([f"{number}-{row}-{random.random()}" for row in range(len(times))])
        known = {"event_timestamp": times, "event_id": ids, "event_name": pa.repeat("x", len(times))} | {
            name: pa.repeat(pa.scalar(value, EVENT.schema.field(name).type), len(times)) for name, value in day.items()
        }
        columns = [known.get(field.name, pa.nulls(len(times), field.type)) for field in EVENT.schema]
        writer = PartitionWriter(EVENT, pipeline.lake.uri(EVENT), pipeline.lake.storage, "x")
        writer.add(pa.table(columns, schema=EVENT.schema))
        commit(pipeline.lake, EVENT, TableChange(writer.close(), [], []), TransactionId(f"x-{number}", 0))
    ours = _chunks(pipeline)
    optimize.run(pipeline.config, [EVENT], QUIET)
    theirs = _chunks(pipeline)
    assert theirs == ours
    [file] = live_files(pipeline.lake.open(EVENT))
    groups = pq.read_metadata(tmp_path / "lake/event" / file.path)
    assert Counter(groups.row_group(n).num_rows for n in range(groups.num_row_groups)) == {
        ROW_GROUP_ROWS: 2,
        180_000 - 2 * ROW_GROUP_ROWS: 1,
    }


def _chunks(pipeline: LocalPipeline) -> dict[str, tuple[Any, ...]]:
    """Of each column in the first row group of a file: type, compression, whether it has statistics and a dictionary."""
    file = live_files(pipeline.lake.open(EVENT))[0]
    metadata = pq.read_metadata(pipeline.folder / "lake/event" / file.path)
    columns = [metadata.row_group(0).column(number) for number in range(metadata.num_columns)]
    types = [str(metadata.schema.column(number).logical_type) for number in range(metadata.num_columns)]
    return {
        each.path_in_schema: (kind, each.physical_type, each.compression, each.is_stats_set, "RLE_DICTIONARY" in each.encodings)
        for each, kind in zip(columns, types, strict=True)
    }


def test_compaction_commits_change_no_data(before: LocalPipeline, after: LocalPipeline) -> None:
    """The commits of a compaction change no data: derive has nothing to do, and the submitter's ratio stays."""
    objects = AnyObjects()
    assert not derive_is_behind(after.config, objects)
    log = after.folder / "lake/event/_delta_log"
    news = [
        json.loads(row)
        for version in range(HOURS + 1, after.lake.open(EVENT).version() + 1)
        for row in (log / f"{version:020}.json").open()
    ]
    changes = [action[kind]["dataChange"] for action in news for kind in ("add", "remove") if kind in action]
    assert changes
    assert not any(changes)
    ratios = [compression_ratio(objects, absolute(pipeline.lake.uri(RUN_METRICS))) for pipeline in (before, after)]
    assert ratios[0] == ratios[1] != 10


def test_duplicates_are_found_in_compacted_files(before: LocalPipeline, after: LocalPipeline, tmp_path: Path) -> None:
    """What comes later is a copy, replaces one or is new, as if nothing had been compacted."""
    earlier = line(*(event(f"{n}-a", unique_id=f"u-{n}") for n in range(3)), rid="r-0", ingest_time=NOW - 60_000)
    again = [line(event("0-x", app_id=ODD, unique_id="u-0", attributes={}), appId=ODD, rid="o-9"), earlier, b"broken 1"]
    lakes = [copied(before, tmp_path / "plain"), copied(after, tmp_path / "compacted")]
    for pipeline in lakes:
        pipeline.ingest(write(pipeline.folder / "raw", "00.gz", *again))
        pipeline.ingest(write(pipeline.folder / "raw", "new.gz", line(event("new"), event("always"), rid="r-new")))
    plain, compacted = (pipeline.rows("event") for pipeline in lakes)
    assert compacted == plain
    assert len(plain) == len(before.rows("event")) + 1
    columns = "received, written, duplicate, filtered, quarantined"
    counts = [pipeline.query(f"SELECT {columns} FROM run_metrics ORDER BY ALL").to_pylist() for pipeline in lakes]
    assert counts[0] == counts[1]
    assert lakes[0].rows("item") == lakes[1].rows("item")


def test_files_of_an_older_layout(tmp_path: Path) -> None:
    """Columns that a file does not have are null, in the merged file too."""
    new = ("resolved_time", "resolved_by")
    old = replace(QUARANTINE, columns=tuple(column for column in QUARANTINE.columns if column.name not in new))
    lake = Lake(str(tmp_path / "lake"), Storage())
    DeltaTable.create(lake.uri(old), old.schema)
    for number in range(MIN_FILES_SAVED + 1):
        writer = PartitionWriter(old, lake.uri(old), lake.storage, "old")
        writer.add(pa.Table.from_pylist([{"reason": "malformed_line", "source_line": number}], schema=old.schema))
        commit(lake, old, TableChange(writer.close(), [], []), TransactionId(f"old-{number}", 0))
    pipeline = LocalPipeline(tmp_path)
    optimize.run(pipeline.config, [QUARANTINE], QUIET)
    assert files_of(pipeline)["quarantine"] == 1
    rows = pipeline.query("SELECT source_line, resolved_time, resolved_by FROM quarantine ORDER BY ALL").to_pylist()
    assert [tuple(row.values()) for row in rows] == [(number, None, None) for number in range(MIN_FILES_SAVED + 1)]


@pytest.fixture
def clickstream(before: LocalPipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    pipeline = copied(before, tmp_path)
    config = tmp_path / "c.json"
    config.write_text(pipeline.config.model_dump_json(exclude_defaults=True))

    def call(*arguments: str) -> tuple[int, str]:
        code = _exit_code([*arguments, "-c", str(config)], debug=False)
        return code, capsys.readouterr().out

    call.lake = pipeline
    return call


def test_the_command(clickstream: Any) -> None:
    pipeline = clickstream.lake
    stored = sorted(pipeline.folder.rglob("*"))
    code, plan = clickstream("optimize", "--table", "quarantine", "--table", "run_metrics", "--dry-run", "--json")
    assert (code, [each["table"] for each in json.loads(plan)["plan"]]) == (0, ["quarantine", "run_metrics"])
    assert "run_metrics, files 6, size" in clickstream("optimize", "--dry-run")[1]
    assert sorted(pipeline.folder.rglob("*")) == stored
    code, done = clickstream("optimize", "--table", "quarantine", "--json")
    counts = json.loads(done)
    assert (code, counts["partitions"], counts["files_before"], counts["files_after"]) == (0, 1, HOURS, 1)
    assert counts["bytes_after"] < counts["bytes_before"]
    audit = pipeline.query("SELECT status, arguments, result FROM operation ORDER BY created_time").to_pylist()
    assert [(row["status"], json.loads(row["arguments"])) for row in audit] == [
        ("started", {"tables": ["quarantine"]}),
        ("done", {"tables": ["quarantine"]}),
    ]
    assert json.loads(audit[1]["result"]) == counts
    code, said = clickstream("optimize", "--table", "quarantine")
    assert (code, said) == (0, "no partition has enough small files to be worth it\n")
    assert len(pipeline.rows("operation")) == 2
    assert "partitions" in clickstream("optimize")[1]


def test_what_was_compacted_before_a_failure_stays(before: LocalPipeline, tmp_path: Path) -> None:
    pipeline = copied(before, tmp_path)
    broken = live_files(pipeline.lake.open(RUN_METRICS))[0]
    shutil.move(tmp_path / "lake/run_metrics" / broken.path, tmp_path / "kept")
    with pytest.raises(Exception, match="run_metrics cannot be compacted"):
        optimize.run(pipeline.config, [QUARANTINE, RUN_METRICS], QUIET)
    assert files_of(pipeline)["quarantine"] == 1
    shutil.move(tmp_path / "kept", tmp_path / "lake/run_metrics" / broken.path)
    optimize.run(pipeline.config, [QUARANTINE, RUN_METRICS], QUIET)
    assert files_of(pipeline)["run_metrics"] == 1
    assert contents(pipeline) == contents(before)
    statuses = [row["status"] for row in pipeline.query("SELECT status FROM operation ORDER BY created_time").to_pylist()]
    assert statuses == ["started", "failed", "started", "done"]
