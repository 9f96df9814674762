"""A small geo database for the demo's addresses, in the layout of MaxMind's City databases.

The demo's addresses are reserved for documentation (see :mod:`streaming_app.demo.world`), so the locations are made up: each
range is divided among the same cities. The proxies' addresses have none.
"""

from __future__ import annotations

from ipaddress import ip_network
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from mmdb_writer import MMDBWriter
from netaddr import IPSet

DATABASE_TYPE = "Clickstream-Demo-City"
RANGES = ("192.0.2.0/24", "203.0.113.0/24", "2001:db8::/32")

_CONTINENTS = {
    "AF": ("Africa", "Afrika"),
    "AS": ("Asia", "Asien"),
    "EU": ("Europe", "Europa"),
    "NA": ("North America", "Nordamerika"),
    "OC": ("Oceania", "Ozeanien"),
    "SA": ("South America", "Südamerika"),
}
_COUNTRIES = {
    "AU": ("OC", "Australia", "Australien"),
    "BR": ("SA", "Brazil", "Brasilien"),
    "CN": ("AS", "China", "China"),
    "DE": ("EU", "Germany", "Deutschland"),
    "EG": ("AF", "Egypt", "Ägypten"),
    "FR": ("EU", "France", "Frankreich"),
    "GB": ("EU", "United Kingdom", "Vereinigtes Königreich"),
    "IN": ("AS", "India", "Indien"),
    "JP": ("AS", "Japan", "Japan"),
    "KE": ("AF", "Kenya", "Kenia"),
    "MX": ("NA", "Mexico", "Mexiko"),
    "SG": ("AS", "Singapore", "Singapur"),
    "US": ("NA", "United States", "Vereinigte Staaten"),
}
"""Code to continent and names, English and German."""


class _City(NamedTuple):
    country: str
    region: str | None
    region_german: str | None
    name: str
    german: str
    latitude: float
    longitude: float
    metro_code: int | None = None


_CITIES = (
    _City("US", "Virginia", "Virginia", "Ashburn", "Ashburn", 39.0438, -77.4874, 511),
    _City("GB", "England", "England", "London", "London", 51.5085, -0.1257),
    _City("DE", "Land Berlin", "Berlin", "Berlin", "Berlin", 52.5244, 13.4105),
    _City("JP", "Tokyo", "Präfektur Tokio", "Tokyo", "Tokio", 35.6895, 139.6917),
    _City("CN", "Shanghai", "Shanghai", "Shanghai", "Shanghai", 31.2222, 121.4581),
    _City("BR", "São Paulo", "São Paulo", "São Paulo", "São Paulo", -23.5475, -46.6361),
    _City("AU", "New South Wales", "New South Wales", "Sydney", "Sydney", -33.8678, 151.2073),
    _City("KE", "Nairobi County", "Nairobi", "Nairobi", "Nairobi", -1.2833, 36.8167),
    _City("IN", "Maharashtra", "Maharashtra", "Mumbai", "Mumbai", 19.0728, 72.8826),
    _City("US", "California", "Kalifornien", "San Francisco", "San Francisco", 37.7749, -122.4194, 807),
    _City("FR", "Île-de-France", "Île-de-France", "Paris", "Paris", 48.8534, 2.3488),
    _City("SG", None, None, "Singapore", "Singapur", 1.2897, 103.8501),
    _City("MX", "Mexico City", "Mexiko-Stadt", "Mexico City", "Mexiko-Stadt", 19.4285, -99.1277),
    _City("EG", "Cairo Governorate", "Gouvernement Kairo", "Cairo", "Kairo", 30.0626, 31.2497),
    _City("DE", "Bavaria", "Bayern", "Munich", "München", 48.1374, 11.5755),
    _City("US", "New York", "New York", "New York", "New York", 40.7143, -74.006, 501),
)
_HALVINGS = 4
"""A range is halved so often: into as many networks as there are cities."""


def write_geo_database(path: Path) -> None:
    """Write the database; the same but for the build time in it, each time."""
    writer = MMDBWriter(
        ip_version=6,
        ipv4_compatible=True,
        database_type=DATABASE_TYPE,
        languages=["de", "en"],
        description={"de": "Erfundene Orte der Adressen der Demo", "en": "Made-up places of the demo's addresses"},
    )
    records = [_record(city) for city in _CITIES]
    for each in RANGES:
        for network, record in zip(ip_network(each).subnets(_HALVINGS), cycle(records), strict=False):
            writer.insert_network(IPSet([str(network)]), record)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.to_db_file(str(path))


def _record(city: _City) -> dict[str, Any]:
    continent, *country = _COUNTRIES[city.country]
    location = {"latitude": city.latitude, "longitude": city.longitude}
    record: dict[str, Any] = {
        "city": _names(city.name, city.german),
        "continent": {"code": continent, **_names(*_CONTINENTS[continent])},
        "country": {"iso_code": city.country, **_names(*country)},
        "location": location | ({"metro_code": city.metro_code} if city.metro_code else {}),
    }
    if city.region and city.region_german:
        record["subdivisions"] = [_names(city.region, city.region_german)]
    return record


def _names(english: str, german: str) -> dict[str, Any]:
    return {"names": {"de": german, "en": english}}
