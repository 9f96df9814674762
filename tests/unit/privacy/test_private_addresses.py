"""An address that a client sends anywhere is nowhere in what is stored, where the configuration says so."""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from streaming_app.privacy.addresses import AddressPrivacy
from tests.support.lake import ALL_TABLES, LocalPipeline
from tests.support.raw import NOW, event, line, write

V4, V6, OTHER = "203.0.113.77", "2001:db8:1:2::77", "198.51.100.9"
APPS = "  gtm: {transformer: gtm_server}\n  sensors: {transformer: sensors_data}\n"
LATE = NOW - 99 * 3_600_000


def pack(payload: str, keep: int | None = None) -> str:
    return base64.b64encode(gzip.compress(payload.encode(), mtime=0)[:keep]).decode()


def body(marker: str, **fields: Any) -> dict[str, Any]:
    """An event that has the marker wherever its client may put one."""
    url = f"https://shop.example/a/{marker}?ip={quote(marker)}&x={marker},{OTHER}&utm_source={marker}"
    attributes = {
        "_page_url": url,
        "_page_referrer": url,
        "_latest_referrer": url,
        "_link_url": url,
        "_page_title": f"at {marker}",
    }
    lists = {
        "ip": [marker, f"{marker}, {OTHER}"],
        "ips": {"last": marker},
        "text": f"({marker})",
        "json": json.dumps({"ip": marker}),
    }
    user = {"address": {"value": marker}, "list": {"value": [marker]}}
    items = [{"id": "i", "name": f"from {marker}", "address": marker}, {"no": marker}]
    return event("e", attributes={**attributes, **lists}, user=user, items=items, screen_width=marker, **fields)


def clients(marker: str, time: int) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """App and payload of each client; refused where the time is."""
    gtm = {
        "event_name": "view",
        "client_id": "c",
        "ip_override": f"{marker}, {OTHER}",
        "user_agent": f"A {marker}",
        "x": [marker],
    }
    server = {"x-sst-system_properties": {"request_start_time_ms": time}, "page_location": f"https://shop.example/?ip={marker}"}
    sensors = {"type": "track", "event": "buy", "time": time, "distinct_id": "d", "properties": {"$ip": marker, "ips": [marker]}}
    change = {
        "type": "profile_set",
        "time": time - 400 * 86_400_000 * (time == LATE),
        "distinct_id": "d",
        "properties": {"$ip": marker},
    }
    return {
        "sdk": ("shop", [body(marker, timestamp=time)]),
        "gtm": ("gtm", [gtm | server]),
        "sensors": ("sensors", [sensors, change]),
        "foreign": ("unknown", [body(marker, app_id="unknown")]),
        "foreign by its address": (marker, [body(marker, app_id=marker)]),
    }


def requests(marker: str, address: str) -> Iterator[bytes]:
    """Raw lines from an address: every client, accepted and refused, in every form, and what is broken."""
    for number, time in enumerate((NOW - 1_000, LATE)):
        for name, (app, elements) in clients(marker, time).items():
            text = json.dumps(elements)
            uri = f"/collect?ip={quote(marker)}&appId={app}&fakeIp={marker}&q={marker}"
            envelope = {"appId": app, "ip": f"{address}, {OTHER}", "ua": f"Mozilla/5.0 ({marker}) B/{marker}", "uri": uri}
            for form, data in {"plain": text, "packed": pack(text), "form": f"data_list={quote(pack(text))}"}.items():
                yield line(data, rid=f"{name}-{number}-{form}", **envelope)
            beacon = f"{uri}&data={quote(pack(text))}"
            yield line("", rid=f"{name}-{number}-beacon", **{**envelope, "uri": beacon})
    addressed: dict[str, Any] = {"ip": address, "ua": marker, "uri": f"/?ip={marker}"}
    many = json.dumps([{"ip": marker, "n": number} for number in range(150)])
    yield line(pack(many), rid="many", **addressed)
    for rid, payload in {"oversize": "x" * 2_000_000, "oversize event": "y" * 300_000}.items():
        large = json.dumps([body(marker, filler=payload)])
        yield line(pack(large), rid=rid, **addressed)
        yield line(large, rid=f"{rid}, plain", **addressed)
    yield line(pack(json.dumps([body(marker)]), keep=-20), rid="cut short", **addressed)
    yield line(f"no JSON {marker}", rid="nonsense", **addressed)
    yield line(json.dumps([body(marker)])[:-30] + " " + pack(marker * 9), rid="broken", **addressed)
    whole = line(pack(json.dumps([body(marker)])), **addressed)
    yield from (whole[:-1], whole[: len(whole) // 2], b"%" + whole, whole.replace(b"{", b"", 1))
    yield line(pack(json.dumps([body(marker)])), x="z" * 4_000_000, **addressed)


def find_texts(text: str) -> Iterator[str]:
    """The text, what it may have escaped, and what may be packed in it."""
    yield text
    yield unquote(text)
    for run in re.findall(r"[A-Za-z0-9+/]{12,}", unquote(text)):
        content = base64.b64decode(run[: len(run) // 4 * 4])
        yield content.decode("latin-1")
        try:
            yield zlib.decompressobj(47).decompress(content).decode("latin-1")
        except zlib.error:
            continue


@pytest.mark.parametrize("mode", ["drop", "hash", "truncate", "keep"])
@pytest.mark.parametrize(("marker", "address"), [(V4, V4), (V6, V6), (V4, OTHER)], ids=["v4", "v6", "not the request's"])
def test_a_marker_is_nowhere(mode: str, marker: str, address: str, tmp_path: Path) -> None:
    limits = "limits: {max_payload_bytes: 1000000, max_event_bytes: 200000, max_line_bytes: 4000000}\n"
    pipeline = LocalPipeline(
        tmp_path,
        f"{APPS}privacy: {{ip: {mode}, hash_key: a key of 16 and more}}\nenrichers: [{{user_agent: {{}}}}, {{traffic_source: {{}}}}]\n{limits}",
    )
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", *requests(marker, address)))
    pipeline.derive()
    assert metrics["written"] == 7  # copies of an event count once
    reasons = {row["reason"] for row in pipeline.rows("quarantine")}
    assert reasons >= {"too_late", "unknown_app", "too_large", "malformed_line", "malformed_payload", "malformed_event"}
    found = []
    for table in ALL_TABLES:
        for row in pipeline.query(f'SELECT * FROM "{table}"').to_pylist():
            for name, value in row.items():
                if isinstance(value, str) and any(marker in text for text in find_texts(value)):
                    found.append(f"{table}.{name} of {row.get('reason')}, {row.get('envelope')}: {value[:2_000]}")
    assert bool(found) == (mode == "keep"), "\n".join(found)
    if mode != "keep":
        files = [path for path in (tmp_path / "lake").rglob("*") if path.is_file()]
        assert not [path for path in files if marker.encode() in path.read_bytes()]


@pytest.mark.parametrize("mode", ["drop", "hash"])
def test_what_is_refused_can_still_be_replayed(mode: str, tmp_path: Path) -> None:
    """Its payload is kept unpacked, but for the addresses; what cannot be unpacked is looked up in the raw file."""
    pipeline = LocalPipeline(tmp_path, f"{APPS}privacy: {{ip: {mode}, hash_key: a key of 16 and more}}\n")
    text = json.dumps([event("e", app_id="other", x=V4)])
    uri = f"/collect?data={quote(pack(text))}&event_bundle_sequence_id=7"
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line("", uri=uri, appId="other"), line(pack(text, keep=-9), appId="shop")))
    foreign, short = pipeline.rows("quarantine", order="source_line")
    [kept] = json.loads(foreign["raw"]) if foreign["raw"][:1] == "[" else [json.loads(foreign["raw"])]
    assert (kept["event_id"], kept["x"]) == (
        "e",
        "" if mode == "drop" else AddressPrivacy("hash", "a key of 16 and more").apply(V4),
    )
    assert json.loads(foreign["envelope"])["uri"] == "/collect?data=&event_bundle_sequence_id=7"
    assert "cut" not in json.loads(foreign["envelope"])
    assert (short["raw"], json.loads(short["envelope"])["cut"]) == ("", True)


# What looks like an address and is none, or the site's own
KEPT = [
    "Mozilla/5.0 (X11) Chrome/124.0.0.0 Safari/537.36 Edg/124.0.2478.80",
    "UCBrowser/12.10.5.1 v1.2.3.4",
    '{"app_version":"1.2.3.4","version": "8.8.8.8"}',
    json.dumps(json.dumps({"full_version": "12.200.1.1"})),
    "https://192.0.2.1/path?x=1",
    "http://[2001:db8:1::1]/",
    "12:30:45 00:1a:2b:3c:4d:5e a::b std::vector 1.2.3 1.2.3.4.5 300.1.2.3",
    '{"zip":"x","set_time_msec":1780000000000}',
]
FOUND = [
    V4,
    f"x{V4}y",
    f"%20{V4}",
    rf"\n{V4}",
    rf"\u0020{V4}",
    f"{V4}:443.",
    f"[{V6}]:443",
    V6.replace(":", "%3A"),
    V6.upper(),
    f"::ffff:{V4}",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_clients_address_stays(text: str) -> None:
    assert AddressPrivacy("drop").clean(text) == text


@pytest.mark.parametrize("text", FOUND)
@pytest.mark.parametrize("around", ["{}", "a {} b", '{{"x":"{}"}}', "https://shop.example/?x={}&y=1", "/path/{}", "({})"])
def test_addresses_of_any_shape(text: str, around: str) -> None:
    privacy = AddressPrivacy("drop")
    cleaned = privacy.clean(around.format(text))
    assert not re.search(r"203\.0\.113|2001(:|%3a)0?db8", cleaned, re.IGNORECASE)
    assert privacy.clean(cleaned) == cleaned


def test_known_addresses_are_found_even_where_versions_stand() -> None:
    assert AddressPrivacy("drop").clean("A/1.2.3.4 //1.2.3.4/ //1.2.3.5/", "1.2.3.4:80, 9.9.9.9") == "A/ /// //1.2.3.5/"


def test_versions_and_hosts_have_columns_of_their_own(tmp_path: Path) -> None:
    """They stay, unless they are the client's address, or no version can be so large."""
    pipeline = LocalPipeline(tmp_path, "privacy: {ip: drop}\n")
    sent = {
        "app_version": "1.2.3.4",
        "os_version": V4,
        "sdk_version": OTHER,
        "host_name": "192.0.2.1",
        "app_title": "at 192.0.2.1",
    }
    url = {"_page_url": "http://192.0.2.1/x", "_latest_referrer": f"http://{OTHER}/"}
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("e", **sent, attributes=url), ip=OTHER)))
    [row] = pipeline.rows("event")
    assert (row["app_version"], row["device_operating_system_version"], row["sdk_version"]) == ("1.2.3.4", "", "")
    assert (row["page_view_hostname"], row["app_title"], row["page_view_page_url"]) == ("192.0.2.1", "at ", "http://192.0.2.1/x")
    assert (row["page_view_latest_referrer"], row["page_view_latest_referrer_host"]) == ("http:///", "")
