"""Where clients are, by their address: place, and if asked for coordinates and network."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.enrichers.ip.countries import fill_country
from streaming_app.enrichers.ip.databases import Database, open_databases
from streaming_app.enrichers.ip.layouts import COORDINATES, LAYOUT, NETWORK
from streaming_app.enrichers.ip.options import IpOptions
from streaming_app.model.columns import columns_of
from streaming_app.model.event import Event
from streaming_app.plugins.arrow_columns import column, distinct, with_column
from streaming_app.plugins.enricher import EnricherInfo, Files
from streaming_app.privacy.addresses import client_address, is_cdn
from streaming_app.privacy.proxies import networks_read

log = logging.getLogger("clickstream.ip")

LOCATION = ("geo_continent", "geo_sub_continent", "geo_country", "geo_country_code", "geo_region", "geo_metro", "geo_city")
_TYPES = {column.name: column.arrow for column in columns_of(Event)}
_CACHED = 32_768
"""Addresses whose look-up a worker remembers, some 300 bytes each."""
CDN_ADDRESSES = "cdn_addresses"
"""Counter of events whose address is a CDN's: the client's own is not in the header, or further left."""
_OF_NO_USE = "%s (%s) seems to have nothing for %s: name its `fields`, set `network` for AS numbers, or leave it out"


class Ip:
    """The ``ip`` enricher.

    Column by column: what the databases say of the address, else the value that is there already. So where they know a
    country but no city, a city that a client sent stays beside it, of whichever country it is.
    """

    Options = IpOptions

    def __init__(self, options: IpOptions, files: Files) -> None:
        self._options, self._files = options, files
        self.FILLS = LOCATION + (COORDINATES if options.coordinates else ()) + (NETWORK if options.network else ())
        self._databases: list[Database] = []
        self.failed = 0
        self.counts = {CDN_ADDRESSES: 0}
        self.look_up = lru_cache(_CACHED)(self._look_up)
        """The values of :attr:`FILLS` that the databases have for an address in canonical text, and whether it is a CDN's."""

    def open(self) -> None:
        wanted = [name for name in self.FILLS if name in LAYOUT]
        self._databases = open_databases(self._options, wanted, self._files)
        self.look_up.cache_clear()
        if not self._databases:
            log.warning("no database is configured (enrichers: ip: database): geo columns stay empty, or as clients sent them")
        for info in (each.info for each in self._databases if not each.has_wanted):
            log.warning(_OF_NO_USE, info["uri"], info["type"], ", ".join(wanted))

    def info(self) -> EnricherInfo:
        """URI, type and build time (ISO 8601, UTC) of each database; the day of the list of CDNs' networks."""
        databases = [database.info for database in self._databases]
        return {"databases": databases, "cdn_networks": networks_read().isoformat()}

    def enrich(self, events: pa.Table) -> pa.Table:
        headers, which = distinct(column(events, "ip", pa.string()))
        found = [self._look_up_header(header) for header in headers]
        for number, name in enumerate(self.FILLS):
            values = pa.array([each[number] for each in found], _TYPES[name]).take(which)
            events = with_column(events, name, pc.coalesce(values, column(events, name, _TYPES[name])))
        if any(each[-1] for each in found):
            of_cdn = pa.array([each[-1] for each in found]).take(which)
            self.counts[CDN_ADDRESSES] += of_cdn.true_count
        return events

    def _look_up_header(self, header: str | None) -> tuple[Any, ...]:
        address = client_address(header, self._options.trusted_proxies)
        return (*(None,) * len(self.FILLS), False) if address is None else self.look_up(address)

    def _look_up(self, address: str) -> tuple[Any, ...]:
        found: dict[str, Any] = {}
        for database in self._databases:
            found = _merge_locations(found, self._read(database, address))
        found = fill_country(found)
        return (*(found.get(name) for name in self.FILLS), is_cdn(address))

    def _read(self, database: Database, address: str) -> dict[str, Any]:
        if ":" in address and not database.has_v6:
            return {}
        try:
            return database.read(address)
        except Exception:  # a file that is damaged further down: its other addresses are still of use
            self.failed += 1
            return {}


def _merge_locations(found: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    """The first value of each column; a database that has another country adds no place, which would be in both."""
    code = "geo_country_code"
    if found.get(code) and further.get(code) and found[code] != further[code]:
        further = {name: value for name, value in further.items() if name in NETWORK}
    return {**further, **found}
