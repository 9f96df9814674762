"""Tables that an older version wrote are migrated by the next run; those of a newer one are refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from streaming_app.cli import _exit_code
from streaming_app.commands import fill as filling
from streaming_app.commands import optimize
from streaming_app.commands.check.check_context import TableProblem
from streaming_app.commands.check.check_tables import check_tables
from streaming_app.commands.operation import operation
from streaming_app.commands.replay import QuarantineFilter
from streaming_app.commands.replay.replay import replay_into
from streaming_app.derive.changes import upsert_items
from streaming_app.derive.rebuild import rebuild_users
from streaming_app.errors import SinkError
from streaming_app.lake import fill
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.layout import LAYOUT_VERSION, properties_of
from streaming_app.lake.query import query
from streaming_app.metrics.progress import LogProgress
from streaming_app.model.lineage import LINEAGE
from streaming_app.model.tables import EVENT, TABLES
from streaming_app.storage.files import Storage
from tests.support.killed import life_of, other_process_is_dead
from tests.support.lake import ALL_TABLES, LocalPipeline
from tests.support.old_layout import LAYOUTS, as_layout, as_older
from tests.support.raw import NOW, event, line, write
from tests.support.upkeep import QUIET, busy_lake, contents, copied, derived, of_hour

ADDED = {
    1: {
        "quarantine": {"resolved_time", "resolved_by", "elements"},
        "run_metrics": {"commit_cpu_seconds", "latency_p50_seconds", "latency_p95_seconds", "latency_max_seconds", "late"}
        | {"files_by_table"},
    },
    2: {
        **{name: set(LINEAGE) for name in ("event", "item", "change")},
        **{name: {"ingest_date"} for name in ("quarantine", "run_metrics")},
    },
}
"""Columns that came after these layouts, and are null until a file is rewritten."""
WRONG_CLOCK = NOW + 40 * 86_400_000


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    """A lake with rows in all of its tables."""
    pipeline = busy_lake(tmp_path_factory.mktemp("today"), 3)
    upsert_items(pipeline.lake, {"sensors": pa.array([f"u-{number}" for number in range(3)])}, NOW, TransactionId("items", 0))
    sent = line(event("moved", timestamp=WRONG_CLOCK), rid="r-9", client_timestamp=WRONG_CLOCK)
    pipeline.ingest(write(pipeline.folder / "raw", "moved.gz", sent, line(event("strange", app_id="blog"))))
    with operation(pipeline.config, "vacuum", {}):
        pass
    derived(pipeline)
    return pipeline


@pytest.fixture(scope="module", params=LAYOUTS)
def version(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture(scope="module")
def made(today: LocalPipeline, version: int, tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    """The same lake in an older layout."""
    pipeline = copied(today, tmp_path_factory.mktemp("old"))
    as_older(pipeline.folder / "lake", version)
    return pipeline


@pytest.fixture
def old(made: LocalPipeline, tmp_path: Path) -> LocalPipeline:
    """The same for one test; ``Lake`` would bring it up to date."""
    with patch("streaming_app.lake.lake.Lake.create_all"):
        return copied(made, tmp_path)


def is_up_to_date(pipeline: LocalPipeline) -> bool:
    for table in TABLES.values():
        if not DeltaTable.is_deltatable(pipeline.lake.uri(table)):
            return False
        found = DeltaTable(pipeline.lake.uri(table))
        names = [field.name for field in found.schema().fields]
        wanted = properties_of(table).items()
        if set(names) != set(table.schema.names) or not wanted <= found.metadata().configuration.items():
            return False
    return True


def test_fixture_has_the_old_layout(old: LocalPipeline, version: int) -> None:
    for name, described in LAYOUTS[version].items():
        table = DeltaTable(f"{old.config.sink.uri}/{name}")
        assert [field.name for field in table.schema().fields] == list(described["columns"])
        assert table.metadata().configuration == described["properties"]
        assert table.metadata().partition_columns == described["partition_by"]
        assert sum(pq.read_metadata(path).num_rows for path in table.file_uris()) > 0
    assert DeltaTable.is_deltatable(f"{old.config.sink.uri}/operation") == (version > 1)


def test_old_layout_is_readable_without_migration(old: LocalPipeline, capsys: pytest.CaptureFixture[str]) -> None:
    before = digests(old.folder)
    config = config_file(old)
    for command in (
        ["sql", "SELECT count(*) AS n FROM event"],
        ["sql", "SELECT reason, resolved_time FROM quarantine WHERE resolved_by IS NULL"],
        ["sql", "SELECT event_date, source_file FROM event WHERE event_date >= DATE '2026-05-28'"],
        ["sql", "SELECT * FROM operation"],
        *(["inspect", name] for name in ALL_TABLES),
        ["report", "--out", str(old.folder / "report.html")],
    ):
        assert _exit_code([*command, "--config", config], debug=False) == 0, capsys.readouterr().err
    assert digests(old.folder) == before


def test_migration_keeps_all_rows(old: LocalPipeline, today: LocalPipeline, version: int) -> None:
    assert not is_up_to_date(old)
    old.lake.create_all()
    assert is_up_to_date(old)
    assert in_any_order(old) == contents_in(version, today)
    versions = {name: old.lake.open(table).version() for name, table in TABLES.items()}
    old.lake.create_all()
    assert {name: old.lake.open(table).version() for name, table in TABLES.items()} == versions


def contents_in(version: int, today: LocalPipeline) -> dict[str, list[dict[str, Any]]]:
    """Today's rows, without what older files do not say."""
    found = contents(today)
    for layout in range(version, LAYOUT_VERSION):
        for name, columns in ADDED[layout].items():
            found[name] = [row | dict.fromkeys(columns) for row in found[name]]
    return _sorted(found)


def in_any_order(pipeline: LocalPipeline) -> dict[str, list[dict[str, Any]]]:
    return _sorted(contents(pipeline))


def _sorted(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(rows, key=str) for name, rows in found.items()}


STEPS = {1: 16, 2: 16}
"""Columns are added to five tables, two tables are written again, properties are set of eight or nine, and one table is made."""


def test_migration_can_be_interrupted_after_each_step(
    made: LocalPipeline, today: LocalPipeline, version: int, tmp_path: Path
) -> None:
    wanted = contents_in(version, today)
    for steps in range(STEPS[version]):
        with patch("streaming_app.lake.lake.Lake.create_all"):
            pipeline = copied(made, tmp_path / str(steps))
        with life_of(steps) as life:
            pipeline.lake.create_all()
        assert life.is_over
        assert not is_up_to_date(pipeline)
        pipeline.lake.create_all()
        assert is_up_to_date(pipeline)
        assert in_any_order(pipeline) == wanted


FILLED = {"event", "item", "change", "quarantine", "run_metrics"}


def test_optimize_fills_what_older_files_lack(old: LocalPipeline, today: LocalPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards the rows are those that today's code writes; in a commit that says so, killed at any of them."""
    monkeypatch.setattr(fill, "PART_BYTES", 1)
    old.lake.create_all()
    assert {each.table for each in filling.plan(old.lake, TABLES.values())} == FILLED
    assert {each.table for each in notes(old, "older_files")} == FILLED
    for steps in range(100):
        with life_of(steps) as life, other_process_is_dead():
            optimize.run(old.config, TABLES.values(), LogProgress())
        if not life.is_over:
            break
    assert steps > len(FILLED)
    assert filling.plan(old.lake, TABLES.values()) == []
    assert notes(old, "older_files") == []
    found = in_any_order(old)
    for name in FILLED - {"event", "item", "change"}:
        unknown = {column for layout in range(1, 2) for column in ADDED[layout].get(name, ())}
        assert [without(row, unknown) for row in found[name]] == [without(row, unknown) for row in _sorted(contents(today))[name]]
    for name in ("event", "item", "change"):
        assert found[name] == _sorted(contents(today))[name]
        for file in live_files(old.lake.open(TABLES[name])):
            assert file.min_values["event_date"] == file.max_values["event_date"] == file.day


def test_another_program_may_merge_files_of_both_layouts(old: LocalPipeline) -> None:
    """Rows that have the new columns and rows that do not are in one file then, which duplicates are found in and removed from."""
    old.lake.create_all()
    old.ingest(write(old.folder / "raw", "new.gz", line(event("n-1", items=[{"id": "i"}]), rid="r-n"), *of_hour(7)))
    wanted = {name: old.rows(name) for name in ("event", "item", "change")}
    for name in wanted:
        DeltaTable(old.lake.uri(TABLES[name])).optimize.compact()
    mixed = [file for file in live_files(old.lake.open(EVENT)) if 0 < unknown_sources(old, file) < file.rows]
    assert mixed
    assert {each.table for each in filling.plan(old.lake, TABLES.values())} == FILLED
    assert {name: old.rows(name) for name in wanted} == wanted
    again = old.ingest(*sorted((old.folder / "raw").glob("*.gz")))
    assert (again["written"], again["quarantined"]) == (0, 0)
    better = line(event("n-1", timestamp=NOW - 2_000, items=[{"id": "j"}, {"id": "k"}]), rid="r-o")
    assert old.ingest(write(old.folder / "raw", "better.gz", better))["duplicate"] == 1
    assert not {file.path for file in mixed} <= {file.path for file in live_files(old.lake.open(EVENT))}
    [row] = old.rows("event", where="event_id = 'n-1'")
    assert (row["request_id"], row["event_time_msec"]) == ("r-o", NOW - 2_000)
    assert [row["item_id"] for row in old.rows("item", "item_index", "event_id = 'n-1'")] == ["j", "k"]
    optimize.run(old.config, TABLES.values(), LogProgress())
    assert filling.plan(old.lake, TABLES.values()) == []
    assert old.query("SELECT count(*) AS n FROM event WHERE source_file IS NULL OR request_id IS NULL").to_pylist() == [{"n": 0}]


def unknown_sources(pipeline: LocalPipeline, file: DataFile) -> int:
    rows = pq.read_table(f"{pipeline.lake.uri(EVENT)}/{file.path}", columns=["source_file"], partitioning=None)
    return int(rows["source_file"].null_count)


def without(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def notes(pipeline: LocalPipeline, check: str) -> list[TableProblem]:
    return [note for checked in check_tables(pipeline.config, 1, QUIET) for note in checked.notes if checked.name == check]


def test_files_of_the_old_layout_are_rewritten(old: LocalPipeline) -> None:
    """By a duplicate that replaces a stored row, by changed rows of users, and by a replay."""
    old.lake.create_all()
    earlier = line(event("moved", timestamp=WRONG_CLOCK), rid="r-8", ingest_time=NOW - 1_000, client_timestamp=WRONG_CLOCK)
    metrics = old.ingest(write(old.folder / "raw", "later.gz", earlier, line(event("0-a", unique_id="u-0")), b"broken 1"))
    assert (metrics["duplicate"], metrics["written"], metrics["quarantined"]) == (2, 0, 1)
    assert [row["ingest_time_msec"] for row in old.rows("event", where="event_id = 'moved'")] == [NOW - 1_000]
    rebuild_users(old.config, old.lake, "later", {("shop", "u-0"), ("shop", "u-1")})
    config = old.config.model_copy(update={"apps": {**old.config.apps, "blog": old.config.apps["shop"]}})
    with operation(config, "replay", {}) as this:
        replay_into(this, QuarantineFilter(), LogProgress())
    assert this.result["resolved"] == this.result["written"] == 1
    assert {row["event_id"] for row in old.rows("event", where="app_id = 'blog'")} == {"strange"}
    resolved = old.query("SELECT resolved_by FROM quarantine WHERE resolved_time IS NOT NULL").to_pylist()
    assert resolved == [{"resolved_by": this.job_id}]


def config_file(pipeline: LocalPipeline) -> str:
    path = pipeline.folder / "pipeline.yaml"
    path.write_text(
        f"project_id: test\nsource: {{uri: {pipeline.folder}/raw}}\nsink: {{uri: {pipeline.folder}/lake}}\n"
        f"apps:\n  shop: {{transformer: clickstream_sdk}}\n{pipeline.extra}"
    )
    return str(path)


def digests(folder: Path) -> dict[str, str]:
    """All files of the tables."""
    files = (path for path in (folder / "lake").rglob("*") if path.is_file() and not path.name.startswith("_lease"))
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}


COMMANDS = [
    ["run"],
    ["sql", "SELECT 1"],
    ["inspect", "event"],
    ["report", "--out", "{}/report.html"],
    ["backfill", "--from", "2026-05-28", "--to", "2026-05-28"],
    ["reprocess", "--from", "2026-05-28", "--to", "2026-05-28"],
    ["replay"],
    ["rebuild"],
    ["erase", "--app", "shop", "--user-pseudo-id", "u-1"],
    ["optimize"],
    ["vacuum"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_newer_table_is_refused_and_left_alone(
    command: list[str], old: LocalPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though the others are old."""
    as_layout(old.folder / "lake", "session", LAYOUT_VERSION + 1)
    before = digests(old.folder)
    arguments = [each.replace("{}", str(old.folder)) for each in command]
    code = _exit_code([*arguments, "--config", config_file(old)], debug=False)
    message = capsys.readouterr().err
    assert code == 4, message
    assert f"lake/session/: has layout {LAYOUT_VERSION + 1}, this version of clickstream-lake knows {LAYOUT_VERSION}" in message
    assert "install the version that wrote it" in message
    assert digests(old.folder) == before


def test_an_empty_directory_is_not_an_old_layout(tmp_path: Path) -> None:
    (tmp_path / "event").mkdir()
    with pytest.raises(SinkError, match="there is no such table yet"):
        query(Lake(str(tmp_path), Storage()), "SELECT 1")
