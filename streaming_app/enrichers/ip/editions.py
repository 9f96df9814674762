"""MaxMind's own editions, by the readers and models of its library, and what of a model goes into which column.

Source: MaxMind's documentation of GeoIP2 and GeoLite2 databases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from geoip2 import records
from geoip2.database import Reader
from geoip2.errors import AddressNotFoundError
from geoip2.models import ASN, ISP, City, Country
from geoip2.records import PlaceRecord, Traits

from streaming_app.enrichers.ip.layouts import COORDINATES, reader_of

_REMEMBERED = 4_096
"""Values of a column."""
Locales = tuple[str, ...]
"""Languages of names, the first that a name is in counting."""
Model = Any
"""One of geoip2's models."""
ColumnReaders = dict[str, Callable[[Model, Locales], Any]]
"""Column to how its value is read from a model."""


class EditionType(NamedTuple):
    """Editions that are alike: the reader's method for them, and what the model that it gives has."""

    look_up: Callable[[Reader, str], Model]
    values: ColumnReaders


def edition_type_of(database_type: str) -> EditionType | None:
    """The kind of an edition of MaxMind's; None for databases of others, and for editions that locate nothing.

    >>> edition_type_of("GeoIP2-City-Europe").look_up is Reader.city
    True
    >>> edition_type_of("DBIP-City"), edition_type_of("GeoIP2-Domain")
    (None, None)
    """
    maker, *words = database_type.split("-")
    if maker not in ("GeoIP2", "GeoLite2"):
        return None
    return next((kind for word, kind in _KINDS.items() if word in words), None)


class Edition:
    """An open edition: :meth:`read` gives the values of some columns for an address."""

    def __init__(self, path: Path, kind: EditionType, columns: Iterable[str], locales: Locales) -> None:
        self._reader, self._locales = Reader(path, locales), locales
        self._look_up = partial(kind.look_up, self._reader)
        self._columns = [(each, kind.values[each], _remembering(each)) for each in columns if each in kind.values]

    def read(self, address: str) -> dict[str, Any]:
        """Values by column, without nulls; {} for an address that the edition does not have.

        Raises:
            Exception: the record is damaged, or not of MaxMind's layout.
        """
        try:
            model = self._look_up(address)
        except AddressNotFoundError:
            return {}
        found: dict[str, Any] = {}
        for column, value_in, read in self._columns:
            value = value_in(model, self._locales)
            if value is not None and (value := read(value)) is not None:
                found[column] = value
        return found

    def close(self) -> None:
        self._reader.close()


def _remembering(column: str) -> Callable[[Any], Any]:
    """How a column's value is made; names come again and again, other than coordinates."""
    read = reader_of(column)
    return read if column in COORDINATES else lru_cache(_REMEMBERED, typed=True)(read)


def _country(model: Country) -> records.Country:
    """An address that is in no country (of a satellite's network, say) has one of registration."""
    country = model.country
    return country if country.iso_code or country.names else model.registered_country


def _name(place: PlaceRecord, locales: Locales) -> str | None:
    """Like the record's own property, for half of the time."""
    names = place.names
    for each in locales:
        if each in names:
            return names[each]
    return None


def _region(model: City, locales: Locales) -> str | None:
    """The largest part of the country."""
    return _name(model.subdivisions[0], locales) if model.subdivisions else None


def _organization(network: Traits | ISP | ASN) -> str | None:
    names = ("autonomous_system_organization", "organization", "isp")
    return next((name for each in names if (name := getattr(network, each, None))), None)


_COUNTRY: ColumnReaders = {
    "geo_continent": lambda model, locales: _name(model.continent, locales),
    "geo_country": lambda model, locales: _name(_country(model), locales),
    "geo_country_code": lambda model, _: _country(model).iso_code,
    "geo_asn": lambda model, _: model.traits.autonomous_system_number,
    "geo_organization": lambda model, _: _organization(model.traits),
}
_CITY: ColumnReaders = _COUNTRY | {
    "geo_region": _region,
    "geo_metro": lambda model, _: model.location.metro_code,
    "geo_city": lambda model, locales: _name(model.city, locales),
    "geo_latitude": lambda model, _: model.location.latitude,
    "geo_longitude": lambda model, _: model.location.longitude,
}
_NETWORK: ColumnReaders = {
    "geo_asn": lambda model, _: model.autonomous_system_number,
    "geo_organization": lambda model, _: _organization(model),
}
_KINDS = {
    "City": EditionType(Reader.city, _CITY),
    "Country": EditionType(Reader.country, _COUNTRY),
    "Enterprise": EditionType(Reader.enterprise, _CITY),
    "ASN": EditionType(Reader.asn, _NETWORK),
    "ISP": EditionType(Reader.isp, _NETWORK),
}
"""A word in the type of an edition (GeoLite2-City, GeoIP2-City-Europe, GeoIP2-Precision-Enterprise) to its kind."""
