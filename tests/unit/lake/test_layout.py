"""Tables that an older version wrote are migrated by the next run; those of a newer one are refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from streaming_app.cli import _exit_code
from streaming_app.commands.operation import operation
from streaming_app.commands.replay import QuarantineFilter
from streaming_app.commands.replay.replay import replay_into
from streaming_app.derive.changes import upsert_items
from streaming_app.derive.rebuild import rebuild_users
from streaming_app.errors import SinkError
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.lake import Lake
from streaming_app.lake.layout import LAYOUT_VERSION, properties_of
from streaming_app.lake.query import query
from streaming_app.metrics.progress import LogProgress
from streaming_app.model.tables import TABLES
from streaming_app.storage.files import Storage
from tests.support.killed import life_of
from tests.support.lake import ALL_TABLES, LocalPipeline
from tests.support.old_layout import LAYOUT_1, as_layout, as_layout_1
from tests.support.raw import NOW, event, line, write
from tests.support.upkeep import busy_lake, contents, copied, derived

ADDED = {
    "quarantine": {"resolved_time", "resolved_by"},
    "run_metrics": {"commit_cpu_seconds", "latency_p50_seconds", "latency_p95_seconds", "latency_max_seconds", "late"}
    | {"files_by_table"},
}
"""Columns of layout 2."""
WRONG_CLOCK = NOW + 40 * 86_400_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    """A lake of layout 1 with rows in all of its tables."""
    pipeline = busy_lake(tmp_path_factory.mktemp("old"), 3)
    upsert_items(pipeline.lake, {"sensors": pa.array([f"u-{number}" for number in range(3)])}, NOW, TransactionId("items", 0))
    sent = line(event("moved", timestamp=WRONG_CLOCK), rid="r-9", client_timestamp=WRONG_CLOCK)
    pipeline.ingest(write(pipeline.folder / "raw", "moved.gz", sent, line(event("strange", app_id="blog"))))
    derived(pipeline)
    as_layout_1(pipeline.folder / "lake")
    return pipeline


@pytest.fixture
def old(made: LocalPipeline, tmp_path: Path) -> LocalPipeline:
    """The same lake for one test; ``Lake`` would bring it up to date."""
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


def test_fixture_has_the_old_layout(old: LocalPipeline) -> None:
    for name, described in LAYOUT_1.items():
        table = DeltaTable(f"{old.config.sink.uri}/{name}")
        assert [field.name for field in table.schema().fields] == list(described["columns"])
        assert table.metadata().configuration == described["properties"]
        assert table.metadata().partition_columns == described["partition_by"]
        assert sum(pq.read_metadata(path).num_rows for path in table.file_uris()) > 0
    assert not DeltaTable.is_deltatable(f"{old.config.sink.uri}/operation")


def test_old_layout_is_readable_without_migration(old: LocalPipeline, capsys: pytest.CaptureFixture[str]) -> None:
    before = digests(old.folder)
    config = config_file(old)
    for command in (
        ["sql", "SELECT count(*) AS n FROM event"],
        ["sql", "SELECT reason, resolved_time FROM quarantine WHERE resolved_by IS NULL"],
        ["sql", "SELECT * FROM operation"],
        *(["inspect", name] for name in ALL_TABLES),
        ["report", "--out", str(old.folder / "report.html")],
    ):
        assert _exit_code([*command, "--config", config], debug=False) == 0, capsys.readouterr().err
    assert digests(old.folder) == before


def test_migration_keeps_all_rows(old: LocalPipeline) -> None:
    before = contents(old)
    assert not is_up_to_date(old)
    old.lake.create_all()
    assert is_up_to_date(old)
    assert contents(old) == before
    for name, columns in ADDED.items():
        rows = old.query(f"SELECT {', '.join(sorted(columns))} FROM {name}").to_pylist()
        assert rows
        assert {value for row in rows for value in row.values()} == {None}
    versions = {name: old.lake.open(table).version() for name, table in TABLES.items()}
    old.lake.create_all()
    assert {name: old.lake.open(table).version() for name, table in TABLES.items()} == versions


STEPS = 11
"""Columns are added to two tables, properties set of eight, and one table is made."""


def test_migration_can_be_interrupted_after_each_step(made: LocalPipeline, tmp_path: Path) -> None:
    before = None
    for steps in range(STEPS):
        with patch("streaming_app.lake.lake.Lake.create_all"):
            pipeline = copied(made, tmp_path / str(steps))
        before = before or contents(pipeline)
        with life_of(steps) as life:
            pipeline.lake.create_all()
        assert life.is_over
        assert not is_up_to_date(pipeline)
        pipeline.lake.create_all()
        assert is_up_to_date(pipeline)
        assert contents(pipeline) == before


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
