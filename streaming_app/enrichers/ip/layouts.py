"""Paths of the columns' values in database records: one table for all layouts, and the conversion of the values.

Sources: DB-IP's, IPinfo's and ip-location-db's files (flat: a name for each value); MaxMind's documentation (nested), which
databases of others follow, too. MaxMind's own editions are read by its library (:mod:`streaming_app.enrichers.ip.editions`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from streaming_app.model.coerce import as_float, as_int

LAYOUT: dict[str, tuple[str, ...]] = {
    "geo_continent": ("continent.names.{language}", "continent_name", "continent"),
    "geo_country": ("country.names.{language}", "country_name", "country"),
    "geo_country_code": ("country.iso_code", "country_code", "country"),
    "geo_region": ("subdivisions.0.names.{language}", "region_name", "region", "state1", "state", "stateprov", "subdivision"),
    "geo_metro": ("location.metro_code", "metro_code", "metro"),
    "geo_city": ("city.names.{language}", "city_name", "city"),
    "geo_latitude": ("location.latitude", "latitude", "lat"),
    "geo_longitude": ("location.longitude", "longitude", "lng", "lon"),
    "geo_asn": ("autonomous_system_number", "traits.autonomous_system_number", "as_number", "asn"),
    "geo_organization": (
        *("autonomous_system_organization", "traits.autonomous_system_organization", "as_organization", "as_name"),
        *("organization", "traits.organization", "isp", "traits.isp"),
    ),
}
"""Column to the places where its value may be, the first that has one counting. Flat files call both a code and a name
``country``: which it is, its length tells."""

COORDINATES = ("geo_latitude", "geo_longitude")
NETWORK = ("geo_asn", "geo_organization")

_STAND_INS = {"country": "registered_country"}
"""Keys of a record that others stand in for where they are missing: an address that is nowhere has a country of registration."""

_NOTHING = {"", "-"}
"""Texts that mean no value in flat files."""

KeyPath = tuple[str, ...]
FieldPaths = dict[str, tuple[KeyPath, ...]]


def field_paths(columns: Iterable[str], language: str, own: Mapping[str, str]) -> FieldPaths:
    """Where to look for each column's value; ``own`` names the one place of a column in a database of another layout."""
    languages = dict.fromkeys((language, "en"))
    found: FieldPaths = {}
    for column in columns:
        texts = (own[column],) if column in own else LAYOUT[column]
        paths = (text.replace("{language}", each) for text in texts for each in (languages if "{language}" in text else [""]))
        found[column] = tuple(tuple(path.split(".")) for path in paths)
    return found


def read_record(record: Any, field_paths: FieldPaths) -> dict[str, Any]:
    """The values that a database's record has for columns; a value that cannot be read is left out."""
    if not isinstance(record, dict):
        return {}
    for key, stand_in in _STAND_INS.items():
        if key not in record and stand_in in record:
            record = {**record, key: record[stand_in]}
    found = ((column, _first(record, paths, reader_of(column))) for column, paths in field_paths.items())
    return {column: value for column, value in found if value is not None}


def reader_of(column: str) -> Callable[[Any], Any]:
    """The function that converts a database's value to a column's; it returns None if that is impossible."""
    return _READERS.get(column, _text)


def _first(record: dict[str, Any], paths: Iterable[KeyPath], read: Callable[[Any], Any]) -> Any:
    for path in paths:
        if path[0] in record and (value := read(_at(record, path))) is not None:
            return value
    return None


def _at(value: Any, path: KeyPath) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _text(value: Any) -> str | None:
    """Text and whole numbers; equal ones are one object, as caches hold many."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    return None if text in _NOTHING else sys.intern(text)


def _name(value: Any) -> str | None:
    """A name, not the code that some files have under the same key."""
    text = _text(value)
    return text if text and len(text) > 2 else None


def _code(value: Any) -> str | None:
    """An ISO 3166-1 alpha-2 code; cutting a longer code would name another country."""
    text = _text(value)
    return sys.intern(text.upper()) if text and len(text) == 2 and text.isascii() and text.isalpha() else None


def _number(value: Any) -> int | None:
    """An AS number, also as AS64496."""
    return as_int(value.strip().upper().removeprefix("AS") if isinstance(value, str) else value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "geo_continent": _name,
    "geo_country": _name,
    "geo_country_code": _code,
    "geo_latitude": as_float,
    "geo_longitude": as_float,
    "geo_asn": _number,
}
