"""Which address of a header is the client's, and what of it may be stored."""

from __future__ import annotations

import json
import pickle
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.privacy.addresses import AddressPrivacy, TrustedProxies, canonical, client_address
from streaming_app.privacy.proxies import cdns

KEY = "a key of 16 characters or more"

# header, trusted proxies, the client's address
CLIENTS: list[tuple[str | None, int, str | None]] = [
    (None, 0, None),
    ("", 0, None),
    (" , ,", 0, None),
    ("18.233.165.3", 0, "18.233.165.3"),
    (" 18.233.165.3\t", 0, "18.233.165.3"),
    # lists: the last entry is what the load balancer saw
    ("10.0.0.9, 18.233.165.3", 0, "18.233.165.3"),
    ("1.1.1.1,18.233.165.3 ,198.51.100.7", 1, "18.233.165.3"),
    ("1.1.1.1, 18.233.165.3, 198.51.100.7, 198.51.100.8", 2, "18.233.165.3"),
    ("18.233.165.3", 3, "18.233.165.3"),
    ("18.233.165.3, 198.51.100.7", 3, "18.233.165.3"),
    ("18.233.165.3,, ,198.51.100.7,", 1, "18.233.165.3"),
    ("1.1.1.1, unknown, 198.51.100.7", 1, None),
    ("1.1.1.1, unknown, 198.51.100.7", 2, "1.1.1.1"),
    ("x" * 1_000_000 + ", 18.233.165.3", 0, "18.233.165.3"),
    ("x" * 1_000_000 + ", 18.233.165.3", 1, None),
    ("1.1.1.1, " * 100_000 + "18.233.165.3", 0, "18.233.165.3"),
    # ports, brackets, quotes
    ("18.233.165.3:61333", 0, "18.233.165.3"),
    ('"18.233.165.3:61333"', 0, "18.233.165.3"),
    ("[18.233.165.3]", 0, "18.233.165.3"),
    ("[2001:db8::1]", 0, "2001:db8::1"),
    ("[2001:db8::1]:443", 0, "2001:db8::1"),
    ('1.1.1.1, "[2001:db8::1]:443"', 0, "2001:db8::1"),
    ("18.233.165.3:", 0, None),
    ("18.233.165.3:http", 0, None),
    ("18.233.165.3:1234567", 0, None),
    ("18.233.165.3:_x", 0, None),
    ("[2001:db8::1", 0, None),
    ("2001:db8::1]", 0, None),
    ("[[2001:db8::1]]", 0, None),
    ("[]", 0, None),
    ("[]:80", 0, None),
    # v6: one text for each address
    ("2001:DB8:0:0:0:0:0:1", 0, "2001:db8::1"),
    ("2001:0db8::0001", 0, "2001:db8::1"),
    ("::1", 0, "::1"),
    ("::", 0, "::"),
    ("fe80::1%eth0", 0, "fe80::1"),
    ("[fe80::1%25eth0]:80", 0, "fe80::1"),
    ("fe80::1%", 0, None),
    ("::ffff:18.233.165.3", 0, "18.233.165.3"),
    ("[::FFFF:12e9:a503]:80", 0, "18.233.165.3"),
    ("::ffff:18.233.165.3%1", 0, "18.233.165.3"),
    ("2001:db8::1::2", 0, None),
    ("2001:db8:0:0:0:0:0:1:443", 0, None),
    # private and reserved addresses may be in a database of one's own
    ("10.1.2.3", 0, "10.1.2.3"),
    ("127.0.0.1", 0, "127.0.0.1"),
    ("0.0.0.0", 0, "0.0.0.0"),  # noqa: S104 - an address that is read, nothing is bound to it
    ("255.255.255.255", 0, "255.255.255.255"),
    ("100.64.0.1", 0, "100.64.0.1"),
    ("fd00::1", 0, "fd00::1"),
    # no addresses
    ("unknown", 0, None),
    ("_hidden", 0, None),
    ("-", 0, None),
    ("localhost", 0, None),
    ("example.com", 0, None),
    ("18.233.165", 0, None),
    ("18.233.165.256", 0, None),
    ("018.233.165.003", 0, None),
    ("18.233.165.3/24", 0, None),
    ("18.233.165.3%eth0", 0, None),
    ("317302019", 0, None),
    ("0x12e9a503", 0, None),
    ("١٨.233.165.3", 0, None),
    ("18.233.165.3\x00", 0, None),
    ("\ud800", 0, None),
    ("'; DROP TABLE event; --", 0, None),
    ("for=18.233.165.3", 0, None),
]


@pytest.mark.parametrize(("header", "proxies", "expected"), CLIENTS, ids=lambda value: repr(value)[:60])
def test_the_clients_address(header: str | None, proxies: int, expected: str | None) -> None:
    assert client_address(header, proxies) == expected
    assert canonical(expected or "") == expected  # canonical text is read as it is


# header, the client's address where proxies are known by their addresses
UNCOUNTED: list[tuple[str | None, str | None]] = [
    (None, None),
    (" , ,", None),
    # no CDN in front: what a client wrote to the left of its address counts for nothing
    ("18.233.165.3", "18.233.165.3"),
    ("8.8.8.8, 18.233.165.3", "18.233.165.3"),
    ("10.9.9.9, 18.233.165.3", "18.233.165.3"),
    ("8.8.8.8, 130.176.1.9, 18.233.165.3", "18.233.165.3"),
    ("8.8.8.8, 104.16.0.1, 10.0.0.7, 2a02:810d::1", "2a02:810d::1"),
    # a CDN in front: CloudFront, Cloudflare, Fastly, Google; it saw the client, and what stands further left is the client's
    ("18.233.165.3, 130.176.1.9", "18.233.165.3"),
    ("8.8.8.8, 18.233.165.3, 130.176.1.9", "18.233.165.3"),
    ("8.8.8.8,2a02:810d::1,2600:9000:1000::7", "2a02:810d::1"),
    ("18.233.165.3, 64.252.70.1:4711", "18.233.165.3"),
    ("18.233.165.3, 172.68.10.1", "18.233.165.3"),
    ("18.233.165.3, [2400:cb00:3::1]:443", "18.233.165.3"),
    ("18.233.165.3, 151.101.2.3", "18.233.165.3"),
    ("18.233.165.3, 2a04:4e42::5", "18.233.165.3"),
    ("8.8.8.8, 18.233.165.3, 34.117.5.6, 34.96.0.9", "18.233.165.3"),
    ("18.233.165.3, 34.117.5.6, 35.191.9.9", "18.233.165.3"),
    # several CDNs, private machines between them
    ("8.8.8.8, 18.233.165.3, 172.70.1.1, 130.176.1.9, 10.0.0.7", "18.233.165.3"),
    ("18.233.165.3, 130.176.1.9, 10.0.0.7, ::1", "18.233.165.3"),
    # private addresses of every kind
    *((f"8.8.8.8, 18.233.165.3, {each}", "18.233.165.3") for each in (
        "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "169.254.1.1", "127.0.0.1",
        "fd00::1", "fe80::1%eth0", "::1", "::ffff:10.0.0.7", "::ffff:130.176.1.9", '"[fd00::1]:80"', " ,",
    )),
    # not private, and no CDN's: machines of a cloud's customers, crawlers, resolvers, documentation, other reserved ones
    *((f"1.1.1.1, {each}", each) for each in (
        "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "100.63.255.255", "100.128.0.0", "0.0.0.1",
        "255.255.255.255", "192.0.2.7", "198.51.100.7", "203.0.113.7", "2001:db8::1", "fec0::1", "ff02::1",
        "52.94.76.1", "34.72.0.1", "66.249.66.1", "8.8.8.8", "13.107.42.14",
    )),
    # visitors by way of iCloud Private Relay, whose exits are beside the CDNs' published networks
    *((f"1.1.1.1, {each}", each) for each in ("104.28.30.1", "140.248.20.16", "140.248.44.74", "146.75.136.16", "146.75.190.4", "2a04:4e41:420e::1")),
    # what cannot be read is not passed over
    ("1.1.1.1, unknown", None),
    ("1.1.1.1, unknown, 130.176.1.9", None),
    ("1.1.1.1, 18.233.165.3:http, 10.0.0.7", None),
    # nothing but proxies
    ("10.1.2.3", "10.1.2.3"),
    ("130.176.1.9", "130.176.1.9"),
    ("10.1.2.3, 130.176.1.9", "10.1.2.3"),
    ("unknown, 10.1.2.3, 130.176.1.9", None),
    # as long as one likes
    ("130.176.1.9, " * 100_000 + "18.233.165.3", "18.233.165.3"),
    ("18.233.165.3, " + "130.176.1.9, " * 100, "18.233.165.3"),
    ("x" * 1_000_000 + ", 130.176.1.9", None),
]  # fmt: skip


@pytest.mark.parametrize(("header", "expected"), UNCOUNTED, ids=lambda value: repr(value)[:60])
def test_proxies_are_known_by_their_addresses(header: str | None, expected: str | None) -> None:
    assert client_address(header) == client_address(header, "auto") == expected


def test_every_published_network_is_passed_over_from_its_first_to_its_last_address() -> None:
    networks = [ip_network(each) for cdn in cdns() for each in cdn.networks]
    assert {cdn.name for cdn in cdns() if len(cdn.networks) >= 20} == {"CloudFront", "Cloudflare", "Fastly", "Google"}
    for network in networks:
        for address in (network[0], network[-1]):
            assert client_address(f"8.8.8.8, 18.233.165.3, {address}") == "18.233.165.3"
        for beside in (network[0] - 1, network[-1] + 1):
            in_one = any(beside in each for each in networks if each.version == network.version)
            assert (client_address(f"18.233.165.3, {beside}") == "18.233.165.3") == in_one


@given(st.text() | st.from_regex(r"[0-9a-f:.,\[\]% \"]*"), st.integers(0, 5) | st.just("auto"))
def test_any_text_gives_an_address_or_none(header: str, proxies: TrustedProxies) -> None:
    address = client_address(header, proxies)
    assert address is None or str(ip_address(address)) == address
    for mode in ("keep", "truncate", "hash", "drop"):
        privacy = AddressPrivacy(mode, KEY)
        kept = privacy.apply(header)
        assert privacy.apply(kept) == kept
        assert privacy.scrub(privacy.scrub(header)) == privacy.scrub(header)


@given(st.ip_addresses(), st.sampled_from(["{}", "[{}]:80", ' "{}" ', "1.1.1.1, {}"]))
def test_every_address_is_read(address: Any, form: str) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    assert client_address(form.format(address), 0) == str(mapped or address)


# header, truncated
TRUNCATED: list[tuple[str | None, str | None]] = [
    (None, None),
    ("", None),
    ("unknown", None),
    ("18.233.165.3", "18.233.165.0"),
    ("18.233.165.0", "18.233.165.0"),
    ("18.233.165.3:80, unknown, 10.1.2.3", "18.233.165.0, 10.1.2.0"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
    ("[2001:db8:1:2::]:80", "2001:db8:1::"),
    ("fe80::1%eth0", "fe80::"),
    ("::ffff:18.233.165.3", "18.233.165.0"),
    ("2002:12e9:a503:1::1", "2002:12e9:a500::"),  # 6to4: 18.233.165.3 is in it
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:4136::"),  # Teredo: the client's v4 address is at its end
    ("64:ff9b::18.233.165.3", "64:ff9b::"),
    ("::18.233.165.3", "::"),
    (", ".join(["x"] * 200), None),
    (", ".join(f"10.0.{n}.1" for n in range(100)), ", ".join(f"10.0.{n}.0" for n in range(36, 100))),
]


@pytest.mark.parametrize(("header", "expected"), TRUNCATED)
def test_truncated_addresses(header: str | None, expected: str | None) -> None:
    assert AddressPrivacy("truncate").apply(header) == expected


@pytest.mark.parametrize("header", [None, "", "unknown", " 18.233.165.3:80 , x", "\ud800"])
def test_all_or_nothing(header: str | None) -> None:
    assert AddressPrivacy().apply(header) == AddressPrivacy("keep").apply(header) == header
    assert AddressPrivacy("drop").apply(header) is None


def test_hashes_tell_equal_addresses_by_their_key_alone() -> None:
    hashed = AddressPrivacy("hash", KEY)
    one = hashed.apply("::ffff:18.233.165.3")
    assert one == "0c08e166508a0ad21a6305281a045b59"  # HMAC-SHA-256 of 18.233.165.3: what was stored must stay comparable
    assert hashed.apply("[::ffff:18.233.165.3]:80") == hashed.apply("18.233.165.3") == one
    assert hashed.apply("18.233.165.4") not in (one, None)
    assert hashed.apply("unknown, 18.233.165.3, x, 2001:DB8::1") == f"{one}, {hashed.apply('2001:db8::1')}"
    assert hashed.apply("unknown") is None
    assert hashed.apply(one) == one  # a replay of what was stored
    assert AddressPrivacy("hash", KEY + "x").apply("18.233.165.3") not in (one, None)
    assert AddressPrivacy("hash", "é" * 500).apply("18.233.165.3") not in (one, None)  # a key of any length
    assert pickle.loads(pickle.dumps(hashed)) == hashed  # noqa: S301 - of our own pickling
    assert KEY not in repr(hashed)
    with pytest.raises(ValueError, match="key"):
        AddressPrivacy("hash")


NESTED = {"ip": "18.233.165.3", "data": [{"event_id": "e", "$ip": "2001:db8:1:2::3"}]}

# raw text, and the same where addresses are truncated
SCRUBBED: list[tuple[str, str]] = [
    ("", ""),
    ("no JSON 18.233.165.3", "no JSON 18.233.165.3"),
    ('{"ip":"18.233.165.3","a":1}', '{"ip":"18.233.165.0","a":1}'),
    ('{ "ip" :\n "18.233.165.3" , "a":1}', '{ "ip" :\n "18.233.165.0" , "a":1}'),
    ('{"ip":"18.233.165.3, 10.1.2.3:80"}', '{"ip":"18.233.165.0, 10.1.2.0"}'),
    ('{"ip_override":"18.233.165.3"}', '{"ip_override":"18.233.165.0"}'),
    ('{"properties":{"$ip":"18.233.165.3"}}', '{"properties":{"$ip":"18.233.165.0"}}'),
    ('{"fakeIp":"18.233.165.3"}', '{"fakeIp":"18.233.165.0"}'),
    ('{"source_ip":"18.233.165.3"}', '{"source_ip":"18.233.165.0"}'),
    ('{"ip":"18.233.165.3"}{"ip":"10.1.2.3"}', '{"ip":"18.233.165.0"}{"ip":"10.1.2.0"}'),
    ('{"ip":"\\"18.233.165.3:80\\"","a":1}', '{"ip":"18.233.165.0","a":1}'),
    ('{"ip":"x","a":1}', '{"ip":"","a":1}'),
    ('{"ip":"","a":1}', '{"ip":"","a":1}'),
    ('{"ip":"x\\\\","a":"ip"}', '{"ip":"","a":"ip"}'),
    ('{"ip":null,"fakeIp":false,"a":1}', '{"ip":null,"fakeIp":false,"a":1}'),
    # other keys, and values that look like keys
    ('{"zip":"18.233.165.3","IP":"1","ipv":"2"}', '{"zip":"18.233.165.3","IP":"1","ipv":"2"}'),
    ('{"key":"ip","value":"18.233.165.3"}', '{"key":"ip","value":"18.233.165.3"}'),
    # JSON in the text of JSON
    ('{"data":"[{\\"ip\\":\\"18.233.165.3\\",\\"a\\":1}]","b":2}', '{"data":"[{\\"ip\\":\\"18.233.165.0\\",\\"a\\":1}]","b":2}'),
    ('{"data":"{\\"ip\\" : \\"\\\\\\"18.233.165.3\\\\\\"\\"}"}', '{"data":"{\\"ip\\" : \\"18.233.165.0\\"}"}'),
    ('{"data":"{\\"ip\\":\\"x\\\\\\\\\\",\\"a\\":1}"}', '{"data":"{\\"ip\\":\\"\\",\\"a\\":1}"}'),
    (
        '"{\\"d\\":\\"{\\\\\\"ip\\\\\\":\\\\\\"10.1.2.3\\\\\\"}\\"}"',
        '"{\\"d\\":\\"{\\\\\\"ip\\\\\\":\\\\\\"10.1.2.0\\\\\\"}\\"}"',
    ),
    # broken JSON
    ('{"ip":"18.233.165.3', '{"ip":"18.233.165.0'),
    ('{"ip":"', '{"ip":"'),
    ('{"ip":"18.233.165.3,"a":1}', '{"ip":"18.233.165.0"a":1}'),
    ('{"ip" "18.233.165.3"}', '{"ip" "18.233.165.3"}'),
    ('"ip":"18.233.165.3" and \\"ip\\":\\"10.1.2.3\\"', '"ip":"18.233.165.0" and \\"ip\\":\\"10.1.2.0\\"'),
    ('{"data":"{\\"ip\\":\\"18.233.165.3","ua":"x"}', '{"data":"{\\"ip\\":\\"18.233.165.0","ua":"x"}'),
    ('\ud800{"ip":"18.233.165.3"}', '\ud800{"ip":"18.233.165.0"}'),
]


@pytest.mark.parametrize(("raw", "expected"), SCRUBBED)
def test_addresses_in_raw_text(raw: str, expected: str) -> None:
    truncated = AddressPrivacy("truncate")
    assert truncated.scrub(raw) == expected
    assert truncated.scrub(expected) == expected
    assert AddressPrivacy("keep").scrub(raw) == raw


@pytest.mark.parametrize("depth", range(4))
def test_json_stays_json_at_any_depth(depth: int) -> None:
    """Text within text within text: what is read from it afterwards differs by the addresses alone."""

    def wrapped(value: Any) -> str:
        text = json.dumps(value, ensure_ascii=False)
        for _ in range(depth):
            text = json.dumps({"ip": "10.1.2.3", "data": text})
        return text

    def unwrapped(text: str) -> list[Any]:
        seen = [json.loads(text)]
        while isinstance(seen[-1].get("data"), str):
            seen.append(json.loads(seen[-1].pop("data")))
        return seen

    for mode, v4, outer, v6 in (
        ("truncate", "18.233.165.0", "10.1.2.0", "2001:db8:1::"),
        ("drop", "", "", ""),
        ("hash", *(AddressPrivacy("hash", KEY).apply(each) for each in ("18.233.165.3", "10.1.2.3", "2001:db8:1:2::3"))),
    ):
        privacy = AddressPrivacy(mode, KEY)
        scrubbed = privacy.scrub(wrapped(NESTED))
        assert unwrapped(scrubbed)[-1] == {"ip": v4, "data": [{"event_id": "e", "$ip": v6}]}
        assert unwrapped(scrubbed)[:-1] == [{"ip": outer}] * depth
        assert privacy.scrub(scrubbed) == scrubbed


JSON = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("ip"), inner),
    max_leaves=8,
)


@given(JSON, st.integers(0, 2))
def test_no_value_but_an_address_changes(value: Any, depth: int) -> None:
    def expected(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: "" if key == "ip" and isinstance(each, str) else expected(each) for key, each in value.items()}
        return [expected(each) for each in value] if isinstance(value, list) else value

    raw, sent = json.dumps({"value": value}), {"value": value}
    for _ in range(depth):
        raw = json.dumps(raw)
    scrubbed = AddressPrivacy("drop").scrub(raw)
    for _ in range(depth + 1):
        scrubbed = json.loads(scrubbed)
    assert scrubbed == expected(sent)
