"""Every transformer and enricher against cases of our own: what each client sends, and every row that it becomes.

The files in tests/data/conformance were written by hand from the documented mapping; see :mod:`.own_cases` for their form.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streaming_app.model.tables import TABLES

from . import own_cases
from .compare import same_value
from .own_cases import DERIVED, INGESTED, Row


@pytest.mark.parametrize("name", own_cases.names())
def test_case(name: str, tmp_path: Path) -> None:
    case = own_cases.load(name)
    lake = own_cases.run(case, tmp_path)
    told = [*INGESTED, *(table for table in DERIVED if table in case.rows)]
    found = [line for table in told for line in _compared(table, case.expected(table), own_cases.stored(lake, table))]
    assert not found, "\n".join(found)


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
