"""Linear ways that find what plain ones find, which may take the square of a text: elements of broken arrays, ids, hosts."""

from __future__ import annotations

import hashlib
import json
import re
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.enrichers.traffic_source.urls import parse_page_url
from streaming_app.model.request import Request
from streaming_app.model.web_address import LONGEST_HOST
from streaming_app.plugins.split import split_elements
from streaming_app.plugins.urls import split_url
from streaming_app.transformers.gtm_server.ids import event_id
from streaming_app.transformers.sensors_data.ids import request_id

PLAIN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]|,', re.DOTALL)


def plainly(payload: bytes) -> list[bytes]:
    text = payload.strip()
    if text[:1] == b"{":
        return [text]
    if text[:1] != b"[":
        return []
    parts, depth, start = [], 0, 1
    for token in PLAIN.finditer(text):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth == 0 or (depth == 1 and token[0] == b","):
            parts.append(text[start : token.start()])
            start = token.end()
        if depth == 0:
            break
    return [part for part in map(bytes.strip, [*parts, text[start:]]) if part]


@given(st.text('[]{},:"\\ab \n', max_size=40).map(lambda text: f"[{text}".encode()))
def test_any_text(payload: bytes) -> None:
    assert split_elements(payload) == plainly(payload)


def test_an_open_string_hides_no_brackets() -> None:
    assert split_elements(rb'[{"a":1}, {"b":"\"x}, {}]') == [b'{"a":1}', rb'{"b":"\"x}', b"{}"]


@given(
    st.text('r-é"\n\U0001f600', max_size=3).filter(bool),
    st.sampled_from([1, 60, 230, 236, 241, 300]),
    st.none() | st.text('s"é', max_size=3),
)
def test_ids_of_long_requests(word: str, times: int, own: str | None) -> None:
    """The id of a request is read once for all its events; the digests are those of the whole."""
    rid = word * times
    gtm = f"{rid}-7-{'null' if own is None else own}-x"
    digest = hashlib.blake2b(gtm.encode(), digest_size=16).hexdigest()
    assert event_id(Request(rid=rid), {}, 7, own, None) == (gtm if len(gtm.encode()) <= 241 else digest)
    sensors = f"{rid}-7-{'null' if own is None else own}"
    digest = hashlib.blake2b(msgspec.json.encode(sensors), digest_size=16).hexdigest()
    assert request_id(rid, 7, own) == (sensors if len(sensors.encode()) <= 244 else digest)


HOSTS = {
    "long": ("https://{}/a?b=1", LONGEST_HOST),
    "too long": ("https://{}/a?b=1", LONGEST_HOST + 1),
    "too long, without a scheme": ("{}/a?b=1", LONGEST_HOST + 1),
    "after slashes and tabs": ("https://\t\n\\\t//{}/a?b=1", LONGEST_HOST + 1),
}


@pytest.mark.parametrize("case", HOSTS)
def test_long_hosts(case: str) -> None:
    """What is longer than a host can be is none, wherever it stands; the rest of an address may be long."""
    text, length = HOSTS[case]
    host = ("a." * length)[: length - 1] + "b"
    address, parts = parse_page_url(text.format(host)), split_url(text.format(host))
    if length > LONGEST_HOST:
        assert (address, parts) == (None, (None, None, None))
    else:
        assert address is not None
        assert (address.host, parts) == (host, (host, "/a", '{"b":"1"}'))
    rest = "c" * 5 * LONGEST_HOST
    for url in (f"https://a.example/{rest}", f"https://a.example?{rest}", f"https://a.example#{rest}", f"//a.example/{rest}"):
        found = parse_page_url(url)
        assert found is not None
        assert found.host == "a.example"
    assert parse_page_url(f"/{rest}") is not None
    assert split_url(f"a.example/{rest}").host == "a.example"


# address: host, path, parameters
ADDRESSES: dict[str, tuple[str | None, str | None, str | None]] = {
    "https://a.example": ("a.example", "", None),
    "https://a.example/": ("a.example", "/", None),
    "HTTPS://A.Example./p%20q?x=1#y": ("a.example", "/p q", '{"x":"1"}'),
    "a.example:8080/p": ("a.example", "/p", None),
    "//a.example/p": ("a.example", "/p", None),
    "cart": ("cart", "", None),
    "/cart?x=1": (None, "/cart", '{"x":"1"}'),
    "/": (None, "/", None),
    "/a/../cart#top": (None, "/cart", None),
    "./cart": (None, "/cart", None),
    "../cart?x=a%20b": (None, "/cart", '{"x":"a b"}'),
    "?x=1": (None, "", '{"x":"1"}'),
    "#/cart": (None, "", None),
    " /cart\n": (None, "/cart", None),
    "file:///app/index.html": (None, "/app/index.html", None),
    "capacitor://localhost/cart": ("localhost", "/cart", None),
    "chrome-extension://abcdef/popup.html": ("abcdef", "/popup.html", None),
    "http://[": (None, None, None),
    "https://a b.example/": (None, None, None),
    "\ud800": (None, None, None),
}


@pytest.mark.parametrize("text", ADDRESSES, ids=ascii)
def test_addresses(text: str) -> None:
    """The columns of a page, and the reader of the traffic source, see the same host and path."""
    host, path, params = ADDRESSES[text]
    assert split_url(text) == (host, path, params)
    address = parse_page_url(text)
    if address is None:
        assert host is None
    else:
        assert (address.host, unquote(address.path).rstrip("/")) == (host or "", (path or "").rstrip("/"))


def test_repeated_parameters() -> None:
    params = split_url("https://a.example/?a&a=1&b=2&a=&a=3&b").params
    assert json.loads(params or "") == {"a": ",1,,3", "b": "2,"}
