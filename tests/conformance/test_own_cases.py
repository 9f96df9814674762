"""Every transformer and enricher against cases of our own: what each client sends, and every row that it becomes.

The files in tests/data/conformance were written by hand from the documented mapping; see :mod:`.own_cases` for their form.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streaming_app.demo.geo import write_geo_database
from streaming_app.model.tables import TABLES
from streaming_app.transformers.clickstream_sdk import fields as sdk
from streaming_app.transformers.gtm_server import fields as gtm
from streaming_app.transformers.sensors_data import fields as sensors
from tests.support.lake import LocalPipeline
from tests.support.raw import write

from . import own_cases
from .compare import same_value
from .own_cases import DERIVED, INGESTED, Row

_REPEATED = {"request_id", "source_line"}
"""Compared with ``process_info``."""
NOT_TOLD = {
    "event": {"geo_asn", "geo_organization", *_REPEATED},  # networks are in no database of the demo's
    "item": _REPEATED,
    "change": _REPEATED,
    "user": {"event_properties_json_str"},  # no built-in client tells attributes by events and by changes
    # A replay resolves; a row that stands for many is the 101st that a request was refused for one reason.
    "quarantine": {"resolved_time", "resolved_by", "elements"},
}
"""Columns without a value in any case, by table."""


@pytest.mark.parametrize("name", own_cases.names())
def test_case(name: str, tmp_path: Path) -> None:
    case = own_cases.load(name)
    pipeline = own_cases.run(case, tmp_path)
    told = [*INGESTED, *(table for table in DERIVED if table in case.rows)]
    found = [line for table in told for line in _compared(table, case.expected(table), own_cases.stored(pipeline, table))]
    assert not found, "\n".join(found)


_CONFIG, _ENRICHERS = own_cases.enricher_cases()


@pytest.fixture(scope="module")
def enriched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """The event of each case of the enrichers, by its request: all of them in one pass."""
    folder = tmp_path_factory.mktemp("enriched")
    write_geo_database(folder / "geo.mmdb")
    pipeline = LocalPipeline(folder, own_cases.APPS + _CONFIG.replace("GEO_DATABASE", str(folder / "geo.mmdb")))
    pipeline.ingest(write(folder / "raw", "cases.gz", *(own_cases.enricher_line(*each) for each in enumerate(_ENRICHERS))))
    return {row["process_info"]["rid"]: row for row in own_cases.stored(pipeline, "event")}


@pytest.mark.parametrize(("number", "case"), list(enumerate(_ENRICHERS)), ids=[case["about"] for case in _ENRICHERS])
def test_enrichers(number: int, case: Row, enriched: dict[str, Row]) -> None:
    ours, wanted = own_cases.enriched_columns(enriched[f"r-{number}"]), own_cases.wanted_columns(case)
    if "device_ua" not in wanted and (text := ours.pop("device_ua", None)):
        assert text["string"] == (case.get("sent", {}).get("user_agent") or case["agent"])
    assert not _differences(wanted, ours)


_KEYS = {
    "sdk": [sdk.TOP, sdk.TOP_ALIASES, sdk.ATTRIBUTES, sdk.ATTRIBUTE_FALLBACKS, sdk.DEFERRED],
    "gtm": [gtm.CONSUMED, gtm.KEPT, gtm.ITEM, [gtm.HINTS, gtm.LOCATION, gtm.SYSTEM, gtm.SERVER, gtm.USER_PROPERTIES]],
    "sensors": [sensors.LIB, sensors.PROPERTIES, sensors.KEPT, sensors.CONSUMED],
}


@pytest.mark.parametrize("client", _KEYS)
def test_every_known_key_is_sent_in_some_case(client: str) -> None:
    """A key that a transformer learns to read needs a case."""
    sent = {key for name in own_cases.names() if name.startswith(client) for key in own_cases.load(name).keys_sent()}
    assert [key for keys in _KEYS[client] for key in keys if key not in sent] == []


@pytest.mark.parametrize("table", INGESTED + DERIVED)
def test_every_column_has_a_value_in_some_case(table: str) -> None:
    told = {column for name in own_cases.names() for row in own_cases.load(name).expected(table) for column in row}
    if table == "event":
        told |= {column for case in _ENRICHERS for column in own_cases.wanted_columns(case)}
    columns = own_cases.column_names(table)
    assert columns - told == NOT_TOLD.get(table, set()) | (columns & own_cases.NOT_COMPARED)


def _compared(table: str, wanted: list[Row], ours: list[Row]) -> list[str]:
    """One line for each row and each column that differs."""
    key = TABLES[table].key or ("source_line", "reason", "raw")
    expected, there = _by_key(key, wanted), _by_key(key, ours)
    assert len(expected) == len(wanted), f"{table}: two expected rows have one key"
    found = [f"{table}: no row {each}" for each in expected.keys() - there.keys()]
    found += [f"{table}: unexpected row {row}" for each, row in there.items() if each not in expected]
    found += [f"{table}: {len(ours)} rows have {len(there)} keys"] if len(ours) > len(there) else []
    for each in expected.keys() & there.keys():
        found += [f"{table} {each}: {line}" for line in _differences(expected[each], there[each])]
    return sorted(found)


def _by_key(key: tuple[str, ...], rows: list[Row]) -> dict[str, Row]:
    return {json.dumps([row.get(name) for name in key], ensure_ascii=False): row for row in rows}


def _differences(wanted: Row, ours: Row) -> list[str]:
    found = [f"{name} is missing, wanted {wanted[name]!r}" for name in wanted.keys() - ours.keys()]
    found += [f"{name} is {ours[name]!r}, wanted none" for name in ours.keys() - wanted.keys()]
    both = wanted.keys() & ours.keys()
    return found + [f"{name} is {ours[name]!r}, wanted {wanted[name]!r}" for name in both if not _same(ours[name], wanted[name])]


def _same(ours: Any, wanted: Any) -> bool:
    """Equality; a wanted text that ends in … is a beginning, for a library wrote the rest."""
    if isinstance(wanted, str) and wanted.endswith("…") and isinstance(ours, str):
        return ours.startswith(wanted.removesuffix("…"))
    return same_value(ours, wanted)
