"""``process`` makes every table of raw requests as the job would, whatever form configuration and requests are given in."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from streaming_app.api import Event, Request
from streaming_app.errors import ConfigError
from streaming_app.model.tables import TABLES
from streaming_app.plugins.load_config import parse_config
from streaming_app.testing import process
from streaming_app.testing.pipeline import TABLE_NAMES
from tests.support.lake import LocalPipeline, without_lineage
from tests.support.raw import event, line, write
from tests.support.sources import APPS

SHORT = "project_id: test\napps:\n  shop: {transformer: clickstream_sdk}\n" + APPS
WHOLE = f"{SHORT}source: {{uri: /elsewhere}}\nsink: {{uri: /nowhere}}\n"
CHANGE = {"type": "profile_set", "distinct_id": "d-1", "properties": {"tier": "gold"}, "time": 1_779_999_990_000, "_track_id": 1}
LINES = [
    line(event("a", items=[{"id": "i"}]), event("a"), event("b", unique_id="u-2"), {"bad": 1}),
    line(event("a"), rid="r-2"),
    line(CHANGE, appId="sensors", rid="r-3", client_timestamp=None),
    b"no JSON",
]


class Mine:
    """A user's own transformer."""

    def __init__(self, *_: Any) -> None:
        """Takes no options."""

    def transform(self, request: Request) -> Iterable[Event]:
        sent = json.loads(request.data or "{}")
        yield Event(app_id="mine", event_id=sent["id"], event_name=sent["name"], event_time_msec=1_779_999_990_000)


def rows_of(name: str, table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.select(without_lineage(name, table.column_names)).to_pylist()
    return sorted(rows, key=str)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What the pipeline makes of the lines in a raw file."""
    pipeline = LocalPipeline(tmp_path_factory.mktemp("lake"), APPS)
    pipeline.ingest(write(pipeline.folder / "raw", "a.gz", *LINES))
    pipeline.derive()
    tables = pipeline.read_tables(("event", "item", "change", "user", "session", "item_attributes"))
    return {name: rows_of(name, table) for name, table in tables.items()}


CONFIGS: dict[str, Callable[[Path], Any]] = {
    "a text without places": lambda _: SHORT,
    "a text with places": lambda _: WHOLE,
    "JSON": lambda _: json.dumps(
        json.loads(parse_config(WHOLE).model_dump_json(exclude={"source", "sink"}, exclude_defaults=True))
    ),
    "JSON behind a comment": lambda folder: f"# mine\n{CONFIGS['JSON'](folder)}",
    "an object": lambda _: parse_config(WHOLE),
    "a path": lambda folder: _written(folder / "c.yaml", WHOLE),
}
RAW: dict[str, Callable[[Path], Any]] = {
    "lines": lambda _: LINES,
    "texts": lambda _: [each.decode() for each in LINES],
    "a file": lambda folder: [_written(folder / "r.ndjson", b"\n".join(LINES))],
    "both": lambda folder: [*LINES[:2], _written(folder / "r.gz", gzip.compress(b"\n".join(LINES[2:])))],
}


def _written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("config", "raw"), [*((name, "lines") for name in CONFIGS), *(("a text without places", name) for name in RAW)]
)
def test_every_form_gives_the_same_tables(
    config: str, raw: str, expected: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    tables = process(CONFIGS[config](tmp_path), RAW[raw](tmp_path), created_ms=1_780_000_100_000)
    assert tuple(tables) == TABLE_NAMES
    assert {name: table.schema.names for name, table in tables.items()} == {name: TABLES[name].schema.names for name in tables}
    assert {name: rows_of(name, tables[name]) for name in expected} == expected
    [metrics] = tables["run_metrics"].to_pylist()
    assert (metrics["received"], metrics["written"], metrics["duplicate"], metrics["quarantined"]) == (7, 3, 2, 2)
    assert sorted(tables["quarantine"]["reason"].to_pylist()) == ["malformed_event", "malformed_line"]


def test_nothing_gives_empty_tables() -> None:
    assert {name: len(table) for name, table in process(SHORT, []).items()} == {**dict.fromkeys(TABLE_NAMES, 0), "run_metrics": 1}


def test_a_plugin_of_your_own() -> None:
    config = f"project_id: test\napps: {{mine: {{transformer: '{__name__}:Mine'}}}}\n"
    request = json.dumps({"appId": "mine", "rid": "r", "ingest_time": 1_780_000_000_000, "data": '{"id": "e", "name": "bought"}'})
    tables = process(config, [request])
    assert tables["event"].select(["app_id", "event_id", "event_name"]).to_pylist() == [
        {"app_id": "mine", "event_id": "e", "event_name": "bought"}
    ]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("project_id: test\n", "apps: is required"),
        ("{project_id: test}", "apps: is required"),
        ("- a\n", "configuration"),
        ("a: [", "configuration"),
    ],
)
def test_a_wrong_configuration(config: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        process(config, [])
