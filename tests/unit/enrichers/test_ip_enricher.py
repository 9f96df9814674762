"""Places by address: layouts of databases, what they add to events, and what is said where they cannot be used."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from streaming_app.demo.geo import DATABASE_TYPE, write_geo_database
from streaming_app.demo.world import make_world
from streaming_app.enrichers.ip import LOCATION, Ip
from streaming_app.enrichers.ip.editions import Edition
from streaming_app.enrichers.ip.layouts import LAYOUT
from streaming_app.errors import ConfigError
from streaming_app.model.columns import columns_of
from streaming_app.model.event import Event
from streaming_app.plugins.registry import OptionsError, make_enricher
from streaming_app.privacy.addresses import client_address

TYPES = {column.name: column.arrow for column in columns_of(Event)}
ALL = {"coordinates": True, "network": True}


class LocalFiles:
    """Files of this machine."""

    def local_copy(self, uri: str) -> Path:
        if not Path(uri).is_file():
            raise FileNotFoundError(f"{uri}: there is no such file")
        return Path(uri)

    def read_text(self, uri: str) -> str:
        return self.local_copy(uri).read_text()


def database(path: Path, networks: dict[str, Any], ip_version: int = 6, kind: str = "Test") -> str:
    """A database at ``path``; returns its URI."""
    writer = MMDBWriter(ip_version=ip_version, ipv4_compatible=ip_version == 6, database_type=kind)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return str(path)


def opened(**options: Any) -> Ip:
    enricher = Ip(Ip.Options.model_validate(options), LocalFiles())
    enricher.open()
    return enricher


def enriched(enricher: Ip, *headers: str | None, **columns: list[Any]) -> list[dict[str, Any]]:
    """Rows with what was found, without nulls."""
    table = pa.table(
        {"ip": pa.array(headers, pa.string()), **{name: pa.array(each, TYPES[name]) for name, each in columns.items()}}
    )
    made = enricher.enrich(table)
    assert made["ip"].to_pylist() == list(headers)
    assert {name: made.schema.field(name).type for name in enricher.FILLS} == {name: TYPES[name] for name in enricher.FILLS}
    assert enricher.enrich(made).equals(made)  # idempotent
    rows = made.drop_columns(["ip"]).to_pylist()
    return [{name.removeprefix("geo_"): value for name, value in row.items() if value is not None} for row in rows]


def names(english: str, german: str | None = None) -> dict[str, Any]:
    return {"names": {"en": english, **({"de": german} if german else {})}}


ASHBURN = {
    "city": names("Ashburn"),
    "continent": {"code": "NA", **names("North America", "Nordamerika")},
    "country": {"iso_code": "US", **names("United States", "USA")},
    "location": {"latitude": 39.0438, "longitude": -77.4874, "metro_code": 511, "time_zone": "America/New_York"},
    "registered_country": {"iso_code": "GB", **names("United Kingdom")},
    "subdivisions": [{"iso_code": "VA", **names("Virginia")}, {"iso_code": "X", **names("smaller")}],
}
USA = {"continent": "North America", "sub_continent": "Northern America", "country": "United States", "country_code": "US"}
IN_ASHBURN = USA | {"region": "Virginia", "metro": "511", "city": "Ashburn"}
AT_ASHBURN = {"latitude": 39.0438, "longitude": -77.4874}
GERMANY = {"continent": "Europe", "sub_continent": "Western Europe", "country": "Germany", "country_code": "DE"}
ASN = {"autonomous_system_number": 64496, "autonomous_system_organization": "Example AS"}
ISP = {"isp": "An ISP", "organization": "An organisation"}
IN_AS = {"asn": 64496, "organization": "Example AS"}
DBIP = {
    "city": "Munich",
    "country_code": "de",
    "latitude": "48.1374",
    "longitude": "11.5755",
    "postcode": "80331",
    "state1": "Bavaria",
    "state2": "Upper Bavaria",
    "timezone": "Europe/Berlin",
}
AT_MUNICH = {"region": "Bavaria", "city": "Munich", "latitude": 48.1374, "longitude": 11.5755}
IPINFO = {
    "asn": "AS15169",
    "as_name": "Google LLC",
    "continent": "Europe",
    "continent_code": "EU",
    "country": "Germany",
    "country_code": "DE",
}
OWN = {"place": {"town": [{"n": "Erding"}]}, "cc": "DE", "as": "64496"}
OWN_FIELDS = {"geo_city": "place.town.0.n", "geo_country_code": "cc", "geo_asn": "as", "geo_region": "place.town.1.n"}

# name: (record, options, what is found)
LAYOUTS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "MaxMind City": (ASHBURN, {}, IN_ASHBURN),
    "with coordinates": (ASHBURN, {"coordinates": True}, IN_ASHBURN | AT_ASHBURN),
    "in German": (ASHBURN, {"language": "de"}, IN_ASHBURN | {"continent": "Nordamerika", "country": "USA"}),
    "in a language it has not": (ASHBURN, {"language": "fr"}, IN_ASHBURN),
    "MaxMind Country": ({each: ASHBURN[each] for each in ("continent", "country")}, ALL, USA),
    "registered country": ({"registered_country": ASHBURN["country"]}, {}, USA),
    "code without names": ({"country": {"iso_code": "US"}, "registered_country": {"iso_code": "GB", **names("UK")}}, {}, USA),
    "MaxMind Enterprise": (ASHBURN | {"traits": ASN | ISP}, ALL, IN_ASHBURN | AT_ASHBURN | IN_AS),
    "MaxMind ASN": (ASN, ALL, IN_AS),
    "MaxMind ISP": (ASN | ISP, ALL, IN_AS),
    "ISP without AS": (ISP, ALL, {"organization": "An organisation"}),
    "network not asked for": (ASHBURN | ASN, {}, IN_ASHBURN),
    "flat country": ({"country_code": "DE"}, ALL, GERMANY),
    "flat city, coordinates as text": (DBIP, ALL, GERMANY | AT_MUNICH),
    "flat, country as code": ({"country": "DE", "continent": "EU"}, ALL, GERMANY),
    "flat, country as name": (IPINFO, ALL, GERMANY | {"asn": 15169, "organization": "Google LLC"}),
    "flat network": ({"as_number": "64496", "as_organization": "Example AS"}, ALL, IN_AS),
    "numbers as text, text as numbers": ({"metro": 511, "asn": "64496", "city": 4, "lat": 1, "lon": "-2"}, ALL, {"metro": "511", "asn": 64496, "city": "4", "latitude": 1.0, "longitude": -2.0}),
    "an unknown code": ({"country_code": "QQ"}, ALL, {"country_code": "QQ"}),
    "a code of three letters": ({"country_code": "AUT", "country_name": "Austria"}, ALL, {"country": "Austria"}),
    "nothing": ({"city": "-", "state1": " ", "country_code": "", "latitude": "", "asn": ""}, ALL, {}),
    "other types": ({"city": True, "country": [1], "continent": {"names": "x"}, "subdivisions": {}, "location": 5, "asn": 2**64, "lat": "nan"}, ALL, {}),
    "no object": ("DE", ALL, {}),
    "own fields": (OWN, ALL | {"fields": OWN_FIELDS}, GERMANY | {"city": "Erding", "asn": 64496}),
    "own fields beside known ones": (OWN | DBIP, {"fields": {"geo_city": "cc"}}, GERMANY | {"region": "Bavaria", "city": "DE"}),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYOUTS)
def test_layouts(case: str, tmp_path: Path) -> None:
    record, options, expected = LAYOUTS[case]
    uri = database(tmp_path / "a.mmdb", {"18.233.165.0/24": record})
    own = {"uri": uri, "fields": options.get("fields", {})}
    rest = {name: value for name, value in options.items() if name != "fields"}
    assert enriched(opened(database=own, **rest), "18.233.165.3", "18.233.164.3") == [expected, {}]


FRANKFURT = {
    "city": {"geoname_id": 2_925_533, **names("Frankfurt am Main")},
    "continent": {"code": "EU", **names("Europe")},
    "country": {"iso_code": "DE", "is_in_european_union": True, **names("Germany", "Deutschland")},
    "location": {"accuracy_radius": 5, "latitude": 50.1188, "longitude": 8.6843, "time_zone": "Europe/Berlin"},
    "postal": {"code": "60313"},
    "subdivisions": [{"iso_code": "HE", **names("Hesse", "Hessen")}],
    "traits": {"is_anycast": True, "user_type": "business"},
}
LOCATIONS = [
    ASHBURN,
    FRANKFURT,
    {"registered_country": ASHBURN["country"]},
    {"country": {"iso_code": "US"}, "registered_country": {"iso_code": "GB", **names("UK")}},
    {"country": {"iso_code": "QQ", **names("Nowhere")}},
    {},
    {"a_key_of_the_future": {"x": 1}, "country": {"iso_code": "US", "a_new_one": 1}},
]
NETWORKS = [ASN, ASN | ISP, ISP, {"autonomous_system_number": 1}, {}]
# Type of an edition of MaxMind's: records
EDITIONS: dict[str, list[dict[str, Any]]] = {
    **{kind: [*LOCATIONS, *(ASHBURN | {"traits": each} for each in NETWORKS)] for kind in ("GeoLite2-City", "GeoIP2-City", "GeoIP2-City-Europe", "GeoIP2-Enterprise", "GeoIP2-Precision-Enterprise")},
    **{kind: [{key: each[key] for key in each if key not in ("city", "location", "subdivisions")} for each in LOCATIONS] for kind in ("GeoLite2-Country", "GeoIP2-Country")},
    "GeoLite2-ASN": [each for each in NETWORKS if not set(each) & set(ISP)],
    "GeoIP2-ISP": NETWORKS,
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize("kind", EDITIONS)
def test_editions_of_maxmind(kind: str, language: str, tmp_path: Path) -> None:
    """By MaxMind's library they give what the same records give by their places, and nothing for addresses they do not have."""
    networks = {f"18.233.{number}.0/24": record for number, record in enumerate(EDITIONS[kind])}
    uris = [database(tmp_path / f"{each}.mmdb", networks, kind=each) for each in (kind, "Test")]
    edition, by_places = (opened(database=uri, language=language, **ALL) for uri in uris)
    headers = [f"18.233.{number}.{last}" for number in range(len(networks) + 1) for last in (0, 255)] + ["2001:db8::1", "::1"]
    assert isinstance(edition._databases[0].read.__self__, Edition)
    assert not isinstance(by_places._databases[0].read.__self__, Edition)
    found = enriched(edition, *headers)
    assert found == enriched(by_places, *headers)
    assert sum(map(bool, found)) >= 4
    assert (edition.failed, by_places.failed) == (0, 0)
    assert edition.info()["databases"][0]["type"] == kind


# Type, and records that are not of MaxMind's layout
FOREIGN = {
    "GeoLite2-City": DBIP,
    "GeoIP2-Country": {"country": "DE", "continent": "EU"},
    "GeoLite2-ASN": {"as_number": "64496", "as_organization": "Example AS"},
    "GeoIP2-Connection-Type": {"country_code": "DE"},
    "DBIP-City": ASHBURN,
    "City": DBIP,
    "": DBIP,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_databases_of_others_are_read_by_their_places(kind: str, tmp_path: Path) -> None:
    """Also where they call themselves like MaxMind's, as some copies do."""
    uri = database(tmp_path / "a.mmdb", {"18.233.165.0/24": FOREIGN[kind]}, kind=kind)
    enricher = opened(database=uri, **ALL)
    [found] = enriched(enricher, "18.233.165.3")
    assert found.get("country_code") in ("DE", "US") or found == IN_AS
    assert enricher.failed == 0


def test_own_fields_of_an_edition(tmp_path: Path) -> None:
    uri = database(tmp_path / "a.mmdb", {"18.233.165.0/24": FRANKFURT}, kind="GeoIP2-City")
    [found] = enriched(opened(database={"uri": uri, "fields": {"geo_city": "postal.code"}}), "18.233.165.3")
    assert (found["city"], found["country"]) == ("60313", "Germany")


def test_an_edition_of_version_4(tmp_path: Path) -> None:
    enricher = opened(database=database(tmp_path / "a.mmdb", {"18.233.165.0/24": ASHBURN}, ip_version=4, kind="GeoLite2-City"))
    assert enriched(enricher, "18.233.165.3", "2001:db8::1") == [IN_ASHBURN, {}]
    assert enricher.failed == 0


@pytest.fixture
def city(tmp_path: Path) -> str:
    networks = {"18.233.165.0/24": ASHBURN, "10.0.0.0/8": {"country": {"iso_code": "DE"}}, "2001:db8:1::/48": DBIP}
    return database(tmp_path / "city.mmdb", networks, kind="Test-City")


# What is in the column, and the country code of what is found
HEADERS: list[tuple[str | None, str | None]] = [
    (None, None),
    ("", None),
    ("18.233.165.3", "US"),
    ("18.233.165.3:443", "US"),
    ("::ffff:18.233.165.3", "US"),
    ("10.1.2.3", "DE"),
    ("[2001:db8:1:2::3]:443", "DE"),
    ("2001:db8:2::", None),
    ("127.0.0.1", None),
    ("::1", None),
    ("192.168.0.1", None),
    ("8.8.8.8", None),
    ("10.1.2.3, 18.233.165.3", "US"),
    ("18.233.165.3, 8.8.8.8", None),
    ("unknown", None),
    ("example.com", None),
    ("\x00", None),
    ("é" * 3_000, None),
]


def test_headers(city: str) -> None:
    rows = enriched(opened(database=city), *(header for header, _ in HEADERS))
    assert [row.get("country_code") for row in rows] == [code for _, code in HEADERS]
    assert [row == {} for row in rows] == [code is None for _, code in HEADERS]


def test_trusted_proxies(city: str) -> None:
    [row] = enriched(opened(database=city, trusted_proxies=1), "10.1.2.3, 18.233.165.3, 8.8.8.8")
    assert row == IN_ASHBURN


# Headers of four events, and how many of them have the address of a CDN
BEHIND: list[tuple[str | int, list[str | None], int]] = [
    ("auto", ["18.233.165.3, 130.176.1.9", "18.233.165.3", "18.233.165.3, 172.68.1.1, 10.0.0.7", None], 0),
    ("auto", ["130.176.1.9", "18.233.165.3", "130.176.1.9", "130.176.1.9, 10.0.0.7"], 3),
    ("auto", ["10.0.0.7, 130.176.1.9", "unknown", "", "unknown, 130.176.1.9"], 0),
    (0, ["18.233.165.3, 130.176.1.9", "18.233.165.3", "18.233.165.3, 172.68.1.1", "18.233.165.3, 130.176.1.9"], 3),
    (1, ["18.233.165.3, 130.176.1.9", "18.233.165.3", "18.233.165.3, 172.68.1.1, 130.176.1.9", None], 1),
]


@pytest.mark.parametrize(("proxies", "headers", "count"), BEHIND)
def test_events_with_the_address_of_a_cdn_are_counted(
    proxies: str | int, headers: list[str | None], count: int, city: str
) -> None:
    enricher = opened(database=city, trusted_proxies=proxies)
    made = enricher.enrich(pa.table({"ip": pa.array(headers, pa.string())}))
    assert enricher.counts == {"cdn_addresses": count}
    assert enricher.failed == 0
    there = [found == "Ashburn" for found in made["geo_city"].to_pylist()]
    assert there == [header is not None and client_address(header, proxies) == "18.233.165.3" for header in headers]


def test_behind_a_cdn_visitors_are_located_without_any_setting(city: str) -> None:
    """What a client writes into the header itself counts for nothing, with a CDN in front or without."""
    forged = "10.1.2.3, 2001:db8:1::9, 130.176.1.9"
    rows = enriched(opened(database=city), f"{forged}, 18.233.165.3, 130.176.99.9", f"{forged}, 18.233.165.3")
    assert rows == [IN_ASHBURN, IN_ASHBURN]


def test_several_databases(tmp_path: Path) -> None:
    """The first value counts, column by column; places of different countries are not mixed."""
    where = ("18.233.165.0/24", "18.233.166.0/24", "18.233.167.0/24")
    first = dict(zip(where, ({"country_code": "US"}, {"country_code": "DE"}, {"city": "Somewhere"}), strict=True))
    uris = [
        database(tmp_path / "country.mmdb", first, ip_version=4),
        database(tmp_path / "city.mmdb", dict.fromkeys(where, ASHBURN)),
        database(tmp_path / "asn.mmdb", dict.fromkeys(where, ASN), ip_version=4),
        database(tmp_path / "v6.mmdb", {"2001:db8::/32": DBIP}),
    ]
    enricher = opened(database=uris, network=True)
    assert enriched(enricher, "18.233.165.3", "18.233.166.3", "18.233.167.3", "2001:db8::1") == [
        IN_ASHBURN | IN_AS,
        GERMANY | IN_AS,
        IN_ASHBURN | {"city": "Somewhere"} | IN_AS,
        GERMANY | {"region": "Bavaria", "city": "Munich"},
    ]
    assert enricher.failed == 0


def test_values_that_are_there_stay_where_nothing_is_found(city: str) -> None:
    known = {"geo_country": ["France"] * 4, "geo_city": ["Paris", None, "Paris", "Paris"], "geo_locale": ["fr_FR"] * 4}
    rows = enriched(opened(database=city), "18.233.165.3", "18.233.165.3", "10.1.2.3", None, **known)
    there = {"country": "France", "city": "Paris", "locale": "fr_FR"}
    assert rows == [
        there | IN_ASHBURN,
        there | IN_ASHBURN,
        there | GERMANY,  # Paris, Germany: each column by itself
        there,
    ]


def test_columns_and_rows_stay_in_their_order(city: str) -> None:
    given = {name: pa.array([None, None], kind) for name, kind in TYPES.items()} | {"ip": pa.array(["18.233.165.3", None])}
    table = pa.table(given | {"event_id": ["a", "b"]})
    made = opened(database=city).enrich(table)
    assert made.schema.equals(table.schema)
    assert made["event_id"].to_pylist() == ["a", "b"]
    assert made["geo_city"].to_pylist() == ["Ashburn", None]
    assert made["geo_asn"].null_count == made["geo_latitude"].null_count == 2


@pytest.mark.parametrize("chunks", [[], [[]], [["18.233.165.3"], [], [None, "18.233.165.3"]]])
def test_tables_of_any_size_and_chunks(chunks: list[list[str | None]], city: str) -> None:
    headers = pa.chunked_array(chunks, pa.string())
    made = opened(database=city).enrich(pa.table({"ip": headers, "geo_city": pa.nulls(len(headers))}))
    assert made["geo_city"].to_pylist() == [header and "Ashburn" for header in headers.to_pylist()]
    assert set(made.column_names) == {"ip", *LOCATION}


def test_without_addresses(city: str) -> None:
    made = opened(database=city).enrich(pa.table({"geo_city": ["Paris"]}))
    assert made.select(["geo_city", "geo_country"]).to_pylist() == [{"geo_city": "Paris", "geo_country": None}]


def test_without_a_database(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "clickstream.ip"):
        enricher = opened()
        assert enriched(enricher, "18.233.165.3", None, geo_city=["Paris", None]) == [{"city": "Paris"}, {}]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "geo columns stay empty" in caplog.text
    assert enricher.info()["databases"] == []


def test_a_database_of_no_use_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    uris = [database(tmp_path / f"{name}.mmdb", {"10.0.0.0/8": each}) for name, each in {"city": ASHBURN, "asn": ASN}.items()]
    opened(database=uris, network=True)
    assert caplog.messages == []
    opened(database=uris)
    [message] = caplog.messages
    assert message.startswith(f"{uris[1]} (Test) seems to have nothing for geo_continent, ")


def test_every_database_that_cannot_be_used_is_told(tmp_path: Path, city: str) -> None:
    garbage, empty, damaged = (tmp_path / name for name in ("garbage.mmdb", "empty.mmdb", "damaged.mmdb"))
    garbage.write_bytes(b"no database" * 1_000)
    empty.touch()
    damaged.write_bytes(Path(city).read_bytes()[:-200])
    missing, folder = tmp_path / "missing.mmdb", tmp_path
    with pytest.raises(ConfigError) as caught:
        opened(database=[str(each) for each in (garbage, city, missing, empty, folder, damaged)])
    lines = str(caught.value).splitlines()
    uris = [str(each) for each in (garbage, missing, empty, folder, damaged)]
    assert [line.partition(": ")[0] for line in lines] == uris
    assert ["cannot be read" in line for line in lines] == [False, True, False, True, False]
    assert all(line.endswith(("the archive it came in", "what clients sent")) for line in lines)


def test_damage_further_down_costs_those_addresses_only(tmp_path: Path) -> None:
    """A text that is no UTF-8, beyond what is looked at when the database is opened."""
    networks = {f"10.{number // 256}.{number % 256}.0/24": {"city": f"Place {number}"} for number in range(1_100)}
    path = Path(database(tmp_path / "a.mmdb", networks | {"18.233.165.0/24": {"city": "Munich"}}))
    path.write_bytes(path.read_bytes().replace(b"Munich", b"M\xff\xff\xff\xffh"))
    enricher = opened(database=str(path))
    headers = ["18.233.165.3", "10.0.7.1", "18.233.165.4", "18.233.165.3"]
    assert [row.get("city") for row in enriched(enricher, *headers)] == [None, "Place 7", None, None]
    assert enricher.failed == 2
    edition = database(
        tmp_path / "b.mmdb",
        {network: {"city": names(each["city"])} for network, each in networks.items()}
        | {"18.233.165.0/24": {"city": names("Munich")}},
        kind="GeoLite2-City",
    )
    Path(edition).write_bytes(Path(edition).read_bytes().replace(b"Munich", b"M\xff\xff\xff\xffh"))
    enricher = opened(database=edition)
    assert [row.get("city") for row in enriched(enricher, *headers)] == [None, "Place 7", None, None]
    assert enricher.failed == 2
    path.write_bytes(path.read_bytes().replace(b"Place 0", b"Pl\xff\xff\xff\xff0"))
    with pytest.raises(ConfigError, match="not a database"):
        opened(database=str(path))


def test_facts_for_run_metrics(city: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    info = opened(database=[city]).info()
    [facts] = info["databases"]
    assert date.fromisoformat(info["cdn_networks"]) >= date(2026, 7, 2)
    assert (facts["uri"], facts["type"], list(facts)) == (city, "Test-City", ["uri", "type", "built"])
    assert abs((datetime.fromisoformat(facts["built"]) - before).total_seconds()) < 3_600


def test_a_database_that_was_replaced_counts_from_the_next_open(city: str, tmp_path: Path) -> None:
    enricher = opened(database=city)
    assert enriched(enricher, "18.233.165.3")[0]["city"] == "Ashburn"
    Path(database(tmp_path / "new.mmdb", {"18.233.165.0/24": DBIP})).replace(city)
    assert enriched(enricher, "18.233.165.3")[0]["city"] == "Ashburn"
    enricher.open()
    assert enriched(enricher, "18.233.165.3")[0]["city"] == "Munich"


def test_many_addresses_in_little_memory(city: str) -> None:
    """What is found does not depend on what was forgotten."""
    enricher = opened(database=city)
    start = int(IPv4Address("18.233.160.0"))
    headers = [str(IPv4Address(start + number)) for number in range(100_000)]
    for _ in range(2):
        made = enricher.enrich(pa.table({"ip": headers}))
        found = [header for header, name in zip(headers, made["geo_city"].to_pylist(), strict=True) if name]
        assert found == [f"18.233.165.{number}" for number in range(256)]
        cache = enricher.look_up.cache_info()
        assert cache.currsize <= cache.maxsize <= 50_000


# Options and what is said about them
REFUSED: list[tuple[dict[str, Any], str]] = [
    *(({"trusted_proxies": each}, f"trusted_proxies: must be auto, or how many proxies there are: 0, 1, 2 (given: {each!r})") for each in (-1, "Auto", "", True, 1.5, "two")),
    ({"trusted_proxies": [1]}, "trusted_proxies: must be auto, or how many proxies there are"),
    ({"proxies": 1}, "unknown key"),
    ({"database": {"uri": "a.mmdb", "feilds": {}}}, "did you mean 'fields'?"),
    ({"database": {"fields": {}}}, "is required"),
    ({"database": ["a.mmdb", "https://example.com/b.mmdb"]}, "only local paths and s3:// URIs"),
    (
        {"database": {"uri": "a.mmdb", "fields": {"geo_town": "city"}}},
        "no such column: geo_town; known here: geo_continent, geo_country,",
    ),
    ({"database": {"uri": "a.mmdb", "fields": {"geo_city": ""}}}, "geo_city"),
    ({"database": 5}, "database"),
    ({"database": ""}, "database"),
    ({"language": ""}, "language"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=str)
def test_options_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError) as caught:
        make_enricher("streaming_app.enrichers.ip:Ip", options, LocalFiles())
    assert message in str(caught.value)


def test_what_it_fills_is_what_was_asked_for() -> None:
    assert Ip(Ip.Options(), LocalFiles()).FILLS == LOCATION
    made = Ip(Ip.Options(**ALL), LocalFiles()).FILLS
    assert set(made) == set(LAYOUT) | {"geo_sub_continent"}
    assert set(made) == {name for name in TYPES if name.startswith("geo_")} - {"geo_locale"}


def test_the_demos_addresses_are_somewhere(tmp_path: Path) -> None:
    path = tmp_path / "below" / "demo.mmdb"
    write_geo_database(path)
    enricher = opened(database=str(path), trusted_proxies=1, coordinates=True)
    rows = enriched(enricher, *(address for user in make_world(2_000, 7).users for address in user.addresses))
    assert all(
        {"continent", "sub_continent", "country", "country_code", "city", "latitude", "longitude"} <= set(row) for row in rows
    )
    assert len({row["continent"] for row in rows}) == 6
    assert len({row["city"] for row in rows}) >= 12
    assert {row["country_code"] for row in rows if "metro" in row} == {"US"}
    assert enriched(enricher, "198.51.100.1") == [{}]
    assert [each["type"] for each in enricher.info()["databases"]] == [DATABASE_TYPE]
    english = {row["city"]: row["country"] for row in rows}
    german = {row["city"]: row["country"] for row in enriched(opened(database=str(path), language="de"), "192.0.2.40")}
    assert (english["Berlin"], german) == ("Germany", {"Berlin": "Deutschland"})


def test_the_demos_database_is_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmdb_writer.time.time", lambda: 1_750_000_000)
    for name in ("a.mmdb", "b.mmdb"):
        write_geo_database(tmp_path / name)
    assert (tmp_path / "a.mmdb").read_bytes() == (tmp_path / "b.mmdb").read_bytes()
