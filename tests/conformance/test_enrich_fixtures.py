"""Cases enr-01 and enr-02 of the fixtures' README: what the reference system's user agent enrichment read and wrote."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from streaming_app.enrichers.user_agent import UserAgent
from streaming_app.enrichers.user_agent.options import UserAgentOptions

from .fixture_files import FIXTURES, Row, load_json, load_lines, skip_without_recorded_cases

skip_without_recorded_cases()

_NOT_RECORDED = {"device": {"brand", "model"}}
"""Keys of our ``device_ua`` that the recorded one does not have."""


class _NoFiles:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was called without a list")


def _enriched(name: str, **options: Any) -> list[Row]:
    """The rows of an input, as they are after enrichment where they are not filtered."""
    agents = [row["ua"] for row in load_lines(f"enrich/input/{name}.json")]
    enricher = UserAgent(UserAgentOptions(**options), _NoFiles())
    enricher.open()
    rows: list[Row] = enricher.enrich(
        pa.table({"ua": pa.array(agents, pa.string()), "client_hints": pa.nulls(len(agents))})
    ).to_pylist()
    return [row for row in rows if not row.get("is_filtered")]


def _as_recorded(device_ua: str) -> Row:
    """Our ``device_ua`` with the recorded keys only; the recorded map's values are JSON text, ours are objects."""
    found = json.loads(device_ua)
    for part, keys in _NOT_RECORDED.items():
        assert keys <= found[part].keys()
        found[part] = {key: value for key, value in found[part].items() if key not in keys}
    return found


def test_user_agent_columns() -> None:
    """enr-01: the seven columns of an iPhone's Safari."""
    expected = load_json("enrich/expected/test_enrich_UA_v2.json")
    [row] = _enriched("transformed_data_event_v2")
    recorded_map = {part: text if part == "string" else json.loads(text) for part, text in expected["device_ua"].items()}
    assert _as_recorded(row["device_ua"]) == recorded_map
    assert {name: row[name] for name in expected if name != "device_ua"} == {
        name: expected[name] for name in expected if name != "device_ua"
    }
    assert row["is_bot"] is False


@pytest.mark.parametrize(("option", "rows"), [("drop", 0), ("keep", 6)])
def test_bots(option: str, rows: int) -> None:
    """enr-02: six bots are dropped, or flagged."""
    kept = _enriched("transformed_data_event_bot_v2", bots=option)
    assert len(kept) == rows
    assert all(row["is_bot"] and row["bot_source"] and row["device_ua_device_category"] == "Bot" for row in kept)


def test_nothing_recorded_is_left_out() -> None:
    assert {path.name for path in (FIXTURES / "enrich").glob("*/*.json")} == {
        "test_enrich_UA_v2.json",
        "transformed_data_event_v2.json",
        "transformed_data_event_bot_v2.json",
    }
