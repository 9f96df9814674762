"""Comparing a row of ours with a recorded one: value by value, after the format notes of the fixtures' README."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePath
from typing import Any

from .deviations import DEVIATIONS, EXTRA_PROCESS_INFO, REFERENCE_ONLY
from .fixture_files import Row

_MASKS = frozenset({"_CREATED_TIME_", "_PROCESS_TIME_", "_TEST_INPUT_FILE_NAME_"})
_JSON_TEXT = frozenset(
    {
        "custom_parameters_json_str",
        "user_properties_json_str",
        "process_info",
        "device_ua",
        "page_view_page_url_query_parameters",
        "traffic_source_clid",
        "first_traffic_clid",
        "session_clid",
    }
)
_PARSER_NAMES = {"custom_parameters": "custom_parameters_json_str", "user_properties": "user_properties_json_str"}
"""The parser's output (format J) shows these maps in their json_str meaning."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def expected_row(recorded: Row, table: str) -> Row:
    """A recorded row as ours would show it: columns only the reference has left out, JSON parsed, ``process_info`` flat."""
    from_parser = "custom_parameters_json_str" not in recorded and "user_properties_json_str" not in recorded
    row = {_PARSER_NAMES.get(name, name) if from_parser else name: value for name, value in recorded.items()}
    return _flat({name: value for name, value in row.items() if (table, name) not in REFERENCE_ONLY})


def actual_row(ours: Row) -> Row:
    """A row of ours in the same shape."""
    return _flat(ours)


def differences(fixture: str, table: str, expected: Row, ours: Row) -> list[str]:
    """What differs although neither the format nor :mod:`deviations` allows it, one line a column."""
    found = []
    for column in expected:
        wanted = wanted_value(fixture, column, expected[column])
        if column not in ours:
            found.append(f"{fixture}: {column} is missing, wanted {wanted!r}")
        elif not _same(_like(ours[column], wanted), wanted):
            found.append(f"{fixture}: {column} is {ours[column]!r}, wanted {wanted!r}")
    extra = {name for name in ours if name.startswith("process_info.")} - expected.keys()
    if unknown := {name.removeprefix("process_info.") for name in extra} - EXTRA_PROCESS_INFO[table]:
        found.append(f"{fixture}: process_info has keys that are not expected: {sorted(unknown)}")
    return found


def wanted_value(fixture: str, column: str, recorded: Any) -> Any:
    """The recorded value, or the one we want instead."""
    return DEVIATIONS.get((fixture, column), (recorded, ""))[0]


def same_value(ours: Any, recorded: Any) -> bool:
    """Whether a value of ours shows what was recorded."""
    return _same(_like(ours, recorded), recorded)


def _flat(row: Row) -> Row:
    flat: Row = {}
    for name, value in row.items():
        parsed = _parsed(value) if name in _JSON_TEXT else value
        if name == "process_info":
            flat |= {f"process_info.{key}": part for key, part in (parsed or {}).items()}
        else:
            flat[name] = None if name in _JSON_TEXT and parsed == {} else parsed  # format J shows an empty map as {}
    return flat


def _parsed(value: Any) -> Any:
    """JSON text as what it says; other text as it is (a literal ``NULL`` in one of the inputs)."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _like(ours: Any, recorded: Any) -> Any:
    """Our value in the notation of the recorded one."""
    if isinstance(recorded, str) and recorded in _MASKS:
        return None if ours is None else recorded  # its value is not compared, but there must be one
    if isinstance(ours, datetime):
        in_ms = (ours - _EPOCH) // timedelta(milliseconds=1)
        return in_ms if isinstance(recorded, int) else ours.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(ours, date):
        if isinstance(recorded, int):  # format J shows a day by a moment in it
            return recorded if ours == (_EPOCH + timedelta(milliseconds=recorded)).date() else ours
        return ours.isoformat()
    if isinstance(ours, str) and isinstance(recorded, str) and recorded.endswith(".json"):
        # The parser was given a base name; files from its folder got a prefix when they were recorded.
        return PurePath(ours).name.removeprefix("parser_")
    return ours


def _same(ours: Any, recorded: Any) -> bool:
    """Equality of JSON values: 42 and 42.0 are the same number, but true is not 1."""
    if isinstance(ours, dict) and isinstance(recorded, dict):
        return ours.keys() == recorded.keys() and all(_same(ours[key], recorded[key]) for key in recorded)
    if isinstance(ours, list) and isinstance(recorded, list):
        return len(ours) == len(recorded) and all(map(_same, ours, recorded))
    return bool(isinstance(ours, bool) == isinstance(recorded, bool) and ours == recorded)
