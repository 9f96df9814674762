"""A statement of a user ends: by time, by memory, by the size of its result; and it leaves nothing in the current folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming_app.cli import _exit_code
from streaming_app.errors import QueryError
from streaming_app.lake.duckdb import query as query_arrow
from streaming_app.lake.query import QueryLimits, query, query_session, snapshot
from tests.support.lake import LocalPipeline
from tests.support.raw import event, line, write

ENDLESS = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE hash(a.range + b.range) % 7 = 1"
SORTED = "SELECT max(h) AS h FROM (SELECT h FROM (SELECT hash(range) AS h FROM range(8000000)) ORDER BY h LIMIT 7000000)"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    pipeline = LocalPipeline(tmp_path_factory.mktemp("limits"))
    pipeline.ingest(write(pipeline.folder / "raw", "a.gz", line(event("a"), event("b"))))
    (pipeline.folder / "c.yaml").write_text(
        f"project_id: t\nsource: {{uri: {pipeline.folder}/raw}}\nsink: {{uri: {pipeline.folder}/lake}}\n"
        "apps: {shop: {transformer: clickstream_sdk}}\n"
    )
    return pipeline


BEYOND: dict[str, tuple[str, QueryLimits, str]] = {
    "endless": (ENDLESS, QueryLimits(seconds=0.5), "takes longer than 0 seconds"),
    "endless, with rows": (
        "SELECT * FROM range(100000000) a, range(100000000) b WHERE hash(a.range + b.range) % 99999 = 1",
        QueryLimits(seconds=0.5),
        "takes longer",
    ),
    "memory": (
        "SELECT len(list(range)) FROM range(40000000)",
        QueryLimits(memory_mb=100),
        "needs more memory or disk than 100 MB",
    ),
    "disk": (SORTED.replace("000000", "0000000"), QueryLimits(memory_mb=40), "needs more memory or disk than 40 MB"),
    "rows": ("SELECT * FROM range(1001)", QueryLimits(rows=1_000), "has more rows than 1,000"),
    "very many rows": ("SELECT * FROM range(1000000000000)", QueryLimits(), "has more rows than 100,000"),
    "long values": ("SELECT repeat('x', 100000) FROM range(9000)", QueryLimits(memory_mb=100), "has a larger result than 100 MB"),
}


@pytest.mark.parametrize(("sql", "limits", "says"), BEYOND.values(), ids=BEYOND)
def test_a_statement_that_is_too_much(sql: str, limits: QueryLimits, says: str, pipeline: LocalPipeline) -> None:
    with pytest.raises(QueryError, match=says) as raised:
        query(pipeline.lake, sql, limits)
    assert "allow more by --max-" in raised.value.hint


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM range(1000)", "SELECT event_id FROM event ORDER BY 1", "SELECT * FROM event WHERE false"]
)
def test_limits_change_no_result(sql: str, pipeline: LocalPipeline) -> None:
    assert query(pipeline.lake, sql, QueryLimits(rows=1_000)).equals(query(pipeline.lake, sql))


def test_it_spills_into_a_private_directory_that_goes(
    pipeline: LocalPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with query_session(pipeline.lake, snapshot(pipeline.lake), QueryLimits(memory_mb=60)) as ask:
        [where] = ask("SELECT value FROM duckdb_settings() WHERE name = 'temp_directory'")["value"].to_pylist()
        assert Path(where).stat().st_mode & 0o777 == 0o700
        assert ask(SORTED).num_rows == 1
    assert not Path(where).exists()
    assert list(tmp_path.iterdir()) == []


def test_the_rules_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert query_arrow("SELECT value FROM duckdb_settings() WHERE name = 'temp_directory'")["value"].to_pylist() == [""]


@pytest.mark.parametrize(
    "command",
    [
        ("sql", ENDLESS, "--max-seconds", "0.5"),
        ("sql", "SELECT * FROM range(11)", "--max-rows", "10"),
        ("inspect", "event", "--where", f"event_id = ({ENDLESS})::text", "--max-seconds", "0.5"),
    ],
    ids=lambda command: command[-2],
)
def test_the_commands(command: tuple[str, ...], pipeline: LocalPipeline, capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code([*command, "-c", str(pipeline.folder / "c.yaml")], debug=False) == 2
    assert f"allow more by {command[-2]}" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--max-seconds", "--max-memory-mb", "--max-rows"])
def test_no_limit_is_nothing(option: str, pipeline: LocalPipeline) -> None:
    """For DuckDB, 0 could mean that there is none."""
    assert _exit_code(["sql", "SELECT 1", option, "0", "-c", str(pipeline.folder / "c.yaml")], debug=False) == 2
