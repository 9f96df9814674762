"""Twice as much of a client's text costs twice as much: no loop over it is more than linear, so that no request stops a task.

Each case starts small and grows until one call takes long enough to be measured, so that what is quadratic fails soon.
"""

from __future__ import annotations

import base64
import gc
import gzip
import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from streaming_app.derive import user_rows
from streaming_app.derive.attributes import LOG_COLUMNS, fold
from streaming_app.enrichers.ip import Ip
from streaming_app.enrichers.traffic_source import TrafficSource
from streaming_app.enrichers.user_agent import UserAgent
from streaming_app.errors import InputError
from streaming_app.ingest.transform.run_plugin import raw_elements
from streaming_app.model.arrow import drop_largest
from streaming_app.model.request import Request, parse_request
from streaming_app.model.tables import CHANGE
from streaming_app.plugins.enricher import Enricher
from streaming_app.plugins.transformer import Limits
from streaming_app.privacy.addresses import AddressPrivacy
from streaming_app.privacy.columns import clean_text
from streaming_app.storage.files import Storage
from streaming_app.transformers.clickstream_sdk import ClickstreamSdk
from streaming_app.transformers.gtm_server import GtmServer
from streaming_app.transformers.sensors_data import SensorsData
from tests.support.raw import NOW, event

MEASURABLE = 0.02
"""CPU-seconds of a call from which on noise does not matter."""
LARGEST = 1 << 18
"""Parts of an input; what takes less with so many takes no time worth measuring."""
PAYLOAD = 5_000_000
"""What is not measurable up to half of the largest payload is cheap: beyond that, memory is all that is measured."""
MOST = 3
"""What twice as much may cost, where noise and the caches of a processor take part."""
_NONE = 1 << 30
LIMITS = Limits(_NONE, _NONE, max_event_bytes=_NONE, max_events_per_request=_NONE, max_items_per_event=_NONE)
SDK, GTM, SENSORS = ClickstreamSdk(LIMITS), GtmServer(LIMITS), SensorsData(limits=LIMITS)


NEW = count()
IDEOGRAPHS = "".join(map(chr, range(0x4E00, 0x9E00)))


class Case(NamedTuple):
    """``make`` builds an input of size n; ``calls`` of ``run`` with it are measured.

    More than one where an input that takes long enough by itself would not fit a processor's caches, as thousands of names.
    """

    make: Callable[[int], Any]
    run: Callable[[Any], object]
    calls: int = 1


def request(data: str | None, **envelope: Any) -> Request:
    return Request(data=data, app_id="shop", rid="r-1", ingest_time=NOW, source_file="a.gz", source_line=1, **envelope)


def events_of(made: Request) -> None:
    """All that the three transformers do with a request, and what quarantine does where one refuses it."""
    for transformer in (SDK, GTM, SENSORS):
        with suppress(InputError):
            list(transformer.transform(made))
    raw_elements(made, LIMITS.max_payload_bytes)


def payload(make: Callable[[int], str]) -> Case:
    """A payload as it is."""
    return Case(lambda n: request(make(n)), events_of)


def sdk(make: Callable[[int], dict[str, Any]]) -> Case:
    return Case(lambda n: request(json.dumps([event("e", **make(n))])), lambda made: list(SDK.transform(made)), calls=16)


def gtm(make: Callable[[int], dict[str, Any]]) -> Case:
    return Case(lambda n: request(json.dumps({"event_name": "x", **make(n)})), lambda made: list(GTM.transform(made)), calls=16)


def sensors(make: Callable[[int], dict[str, Any]], **top: Any) -> Case:
    basis = {"type": "track", "event": "x", "time": NOW, "distinct_id": "u", **top}
    return Case(lambda n: request(json.dumps({**basis, **make(n)})), lambda made: list(SENSORS.transform(made)), calls=16)


def page(make: Callable[[int], str]) -> Case:
    """An address that the three clients send as page and as referrer, another one each time so that nothing is remembered."""

    def run(made: str) -> None:
        url = f"{made}{next(NEW)}"
        attributes = {"_page_url": url, "_latest_referrer": url}
        list(SDK.transform(request(json.dumps([event("e", attributes=attributes)]))))
        list(GTM.transform(request(json.dumps({"event_name": "x", "page_location": url}))))
        properties = {"$url": url, "$latest_referrer": url}
        list(SENSORS.transform(request(json.dumps({"type": "track", "event": "x", "time": NOW, "properties": properties}))))

    return Case(make, run)


@cache
def opened(kind: type[Any]) -> Enricher:
    enricher: Enricher = kind(kind.Options(), Storage())
    enricher.open()
    return enricher


def enriched(kind: type[Any], **columns: Callable[[int], str]) -> Case:
    """Columns of one event through an enricher, other values each time so that nothing is remembered."""
    return Case(
        lambda n: {name: make(n) for name, make in columns.items()},
        lambda texts: opened(kind).enrich(pa.table({name: [f"{text}{next(NEW)}"] for name, text in texts.items()})),
    )


def traffic(make: Callable[[int], str]) -> Case:
    """An address as page, referrers and host, which are looked at in different ways."""
    names = ("page_view_page_url", "page_view_page_referrer", "page_view_latest_referrer", "page_view_hostname")
    return enriched(TrafficSource, **dict.fromkeys(names, make))


def client(**columns: Callable[[int], str]) -> Case:
    return enriched(UserAgent, **columns)


def changes(*kinds: str, attributes: Callable[[int, int], dict[str, Any]]) -> Case:
    """n changes of one user, of these kinds in turn; ``attributes`` of n and the number of each."""

    def make(n: int) -> pa.Table:
        rows = [
            {
                "app_id": "shop",
                "event_id": f"{number:09d}",
                "event_name": f"profile_{kinds[number % len(kinds)]}",
                "event_time_msec": NOW + number,
                "user_pseudo_id": "u",
                "properties_json_str": json.dumps(attributes(n, number)),
            }
            for number in range(n)
        ]
        return pa.Table.from_pylist(rows, pa.schema([CHANGE.schema.field(name) for name in ("app_id", *LOG_COLUMNS)]))

    return Case(make, lambda log: list(fold(log, "app_id", "user_pseudo_id")))


def numbered(n: int, value: Any = 1) -> dict[str, Any]:
    return {f"k{number}": value for number in range(n)}


def cleaned(make: Callable[[int], str]) -> Case:
    return Case(make, lambda text: clean_text(text, AddressPrivacy("drop"), "192.0.2.1"))


def scrubbed(make: Callable[[int], str]) -> Case:
    return Case(make, AddressPrivacy("truncate").scrub)


def merged(n: int) -> list[str]:
    """What n events told of ten attributes."""
    return [f'{NOW + number} {{"k{number % 10}":{{"value":{number},"set_time_msec":null}}}}' for number in range(n)]


CASES: dict[str, Case] = {
    # payloads, broken in every way
    "open string of escaped quotes": payload(lambda n: '["' + '\\"' * n),
    "open string of backslashes": payload(lambda n: '["' + "\\" * n),
    "open strings": payload(lambda n: "[" + '{"a' * n),
    "strings": payload(lambda n: "[" + '"a"' * n),
    "quotes": payload(lambda n: '["' + '"' * n),
    "opening brackets": payload(lambda n: "[" * n),
    "opening braces": payload(lambda n: '{"a":' * n),
    "brackets": payload(lambda n: "[" * n + "]" * n),
    "closing brackets": payload(lambda n: "[" + "]" * n),
    "commas": payload(lambda n: "[" + "," * n),
    "numbers": payload(lambda n: "[" + "1," * n),
    "a long number": payload(lambda n: "[" + "1" * n + "]"),
    "a long number in an object": payload(lambda n: '[{"a":' + "1" * n + "},{]"),
    "a long fraction": payload(lambda n: '[{"a":0.' + "0" * n + "1},{]"),
    "long numbers": payload(lambda n: "[" + ",".join(["1" * 4_000] * (n // 4_000)) + "]"),
    "a bad element among good ones": payload(lambda n: "[{bad}," + ",".join([json.dumps(event("e"))] * (n // 300)) + "]"),
    "bad elements": payload(lambda n: "[" + ",".join(["{bad}"] * n) + "]"),
    "lone surrogates": payload(lambda n: '[{"a":"' + "\\ud800" * n + '"}]'),
    "no JSON": payload(lambda n: "x" * n),
    "spaces": payload(lambda n: " " * n),
    "base64 of nothing": payload(lambda n: base64.b64encode(b"x" * n).decode()),
    "a form of ampersands": payload(lambda n: "&" * n + "data="),
    "a form of empty data": payload(lambda n: "data=&" * n),
    "a form of encoded data": payload(lambda n: "data=" + "%5B" * n),
    "a form of data with pluses": payload(lambda n: "data=%5B" + "+" * n),
    "a query string": Case(lambda n: request(None, uri="/collect?" + "a&" * n + "data="), events_of),
    "gzip": payload(lambda n: base64.b64encode(gzip.compress(b"[" + b"1," * n, 1)).decode()),
    # payloads as they should be
    "events": payload(lambda n: json.dumps([event(f"e{number}") for number in range(n // 300)])),
    "packed events": payload(
        lambda n: base64.b64encode(gzip.compress(json.dumps([event("e")] * (n // 300)).encode(), 1)).decode()
    ),
    "a damaged line": Case(lambda n: b'{"ua":"' + b"\xff" * n + rb"\ud800" * n + b"\t" * n + b'"}', parse_request),
    "a raw line": Case(lambda n: json.dumps({"data": "[" * n, "x": [[]] * n, "ip": {"a": n}}).encode(), parse_request),
    "upload time in the address": Case(
        lambda n: Request(uri="/?" + "a=%41&" * n + "upload_timestamp=1"), lambda made: made.upload_time
    ),
    # parts of an event
    "attributes": sdk(lambda n: {"attributes": numbered(n)}),
    "attributes as JSON text": sdk(lambda n: {"attributes": json.dumps(numbered(n))}),
    "custom parameters": sdk(numbered),
    "a long parameter": sdk(lambda n: {"k": "é" * n}),
    "a long text for a number": sdk(lambda n: {"screen_width": "1" * n, "event_value": " " * n}),
    "user properties": sdk(lambda n: {"user": numbered(n, {"value": 1, "set_timestamp": NOW})}),
    "items": sdk(lambda n: {"items": [{"id": "i", "price": "1", "color": "red"}] * n}),
    "items without ids": sdk(lambda n: {"items": [{}] * n}),
    "GTM parameters": gtm(numbered),
    "GTM items": gtm(lambda n: {"items": [{"item_id": "i"}] * n, "item_id": "j"}),
    "GTM user properties": gtm(lambda n: {"x-ga-mp2-user_properties": numbered(n)}),
    "GTM hints": gtm(lambda n: {"client_hints": {"brands": [{"brand": " not a b" * 9, "version": "1"}] * n}}),
    "GTM a long brand": gtm(lambda n: {"client_hints": {"brands": [{"brand": " not" + " a" * n}], "platform": "-" * n}}),
    "Sensors properties": sensors(lambda n: {"properties": numbered(n)}),
    "Sensors identities": sensors(lambda n: {"identities": numbered(n)}),
    "Sensors items": sensors(lambda n: {"items": [{"$item_id": "i"}] * n}),
    "Sensors change": sensors(lambda n: {"properties": numbered(n)}, type="profile_set"),
    # addresses of pages
    "URL parameters of one name": page(lambda n: "https://a.example/?" + f"a={'x' * 200}&" * n),
    "URL parameters": page(lambda n: "https://a.example/?" + "&".join(numbered(n))),
    "URL parameters, encoded": page(lambda n: "https://a.example/?a=" + "%C3%A4" * n),
    "URL path": page(lambda n: "https://a.example" + "/a" * n + "/.." * n),
    "URL host of labels": page(lambda n: "https://" + "a." * n + "example/"),
    "URL host of one label": page(lambda n: "https://" + (IDEOGRAPHS * (n // 20_000 + 1))[:n] + "/"),
    "URL host in punycode": page(lambda n: "https://xn--" + "a9" * n + "/"),
    "URL host of accents": page(lambda n: "//a" + "\u0301\u0323" * n + "/"),
    "URL user": page(lambda n: "https://" + "@" * n + "a.example/"),
    "URL slashes": page(lambda n: "https:" + "/" * n + "a" * n),
    "URL fragment": page(lambda n: "https://a.example/#" + "utm_" * n),
    # where visits came from
    "traffic parameters": traffic(lambda n: "https://a.example/?utm_source=a&" + "utm_medium=b&" * n),
    "traffic: a long parameter": traffic(lambda n: "https://a.example/?utm_source=a&utm_medium=" + "cp" * n + "%0Ax"),
    "traffic: a long source": traffic(lambda n: "https://a.example/?utm_source=" + "a." * n),
    "traffic: a long campaign": traffic(lambda n: "https://a.example/?utm_source=a&utm_campaign=" + "eshop" * n + "%0Ax"),
    "traffic: a long search": traffic(lambda n: "https://www.google.com/search?q=" + "+a" * n),
    "traffic: path": traffic(lambda n: "https://www.google.com/imgres" + "/a" * n),
    "traffic: path of a rule": traffic(lambda n: "https://bing.com/chats" + "/a" * n),
    "traffic: labels": traffic(lambda n: "https://" + "a." * n + "google.com/"),
    "traffic: labels of numbers": traffic(lambda n: "https://" + "1." * n + "x/"),
    "traffic: one label": traffic(lambda n: "https://" + (IDEOGRAPHS * (n // 20_000 + 1))[:n] + "/"),
    "traffic: fragment": traffic(lambda n: "https://a.example/#" + "?utm_source=a" * n),
    "traffic: scheme": traffic(lambda n: "a" * n + "://a.example/"),
    "traffic: click id": enriched(TrafficSource, traffic_source_clid=lambda n: '{"type":"' + "a" * n),
    # clients
    "user agent": client(ua=lambda n: "Mozilla/5.0 (" + "Linux; " * n),
    "user agent of one letter": client(ua=lambda n: "A" * n),
    "user agent of spaces": client(ua=lambda n: " " * n + "x"),
    "client hints": client(client_hints=lambda n: '{"brands":[' + '{"brand":"not a b","version":"1"},' * n),
    "address list": enriched(Ip, ip=lambda n: "192.0.2.1," * n),
    "address list of commas": enriched(Ip, ip=lambda n: "," * n),
    "address list, shortened": Case(lambda n: "192.0.2.1, " * n, AddressPrivacy("truncate").apply),
    # raw text in quarantine
    "cleaned addresses": cleaned(lambda n: "192.0.2.1 " * n),
    "cleaned digits": cleaned(lambda n: "1." * n),
    "cleaned colons": cleaned(lambda n: "1:" * n),
    "cleaned groups": cleaned(lambda n: " 1::2:3:4:5:6:7:" * n),
    "cleaned parameters": cleaned(lambda n: "ip=" * n),
    "cleaned packed text": cleaned(lambda n: "eJ" * 8 + " " * n + "eJ1 " * n),
    "scrubbed addresses": scrubbed(lambda n: '{"ip":"192.0.2.1"}' * n),
    "scrubbed keys": scrubbed(lambda n: '"ip" ' * n),
    "scrubbed spaces": scrubbed(lambda n: '"ip"' + " " * n),
    "scrubbed backslashes": scrubbed(lambda n: '"ip' + "\\" * n),
    "scrubbed nested quotes": scrubbed(lambda n: '"ip\\\\\\":\\\\\\"' + '\\\\\\\\"' * n),
    "scrubbed open values": scrubbed(lambda n: '"ip":"' * n),
    # changes of one user
    "changes that append": changes("append", attributes=lambda _, number: {"l": [number] * 50}),
    "changes of attributes of their own": changes("set", attributes=lambda _, number: {f"k{number}": 1}),
    "first values": changes("set_once", attributes=lambda _, number: {f"k{number}": 1}),
    "increments": changes("increment", attributes=lambda _, number: {f"k{number}": 1}),
    "unset": changes("set", "unset", attributes=lambda _, number: {f"k{number // 2}": 1}),
    "deleted again and again": changes("set", "delete", attributes=lambda _, number: {f"k{number}": 1}),
    "all of them": changes(
        *("set", "append", "increment", "set_once", "unset", "delete"), attributes=lambda _, number: {f"k{number // 6}": [1]}
    ),
    "growing numbers": changes("increment", attributes=lambda _n, _number: {"k": 10**400}),
    "a change with many attributes": Case(
        lambda n: changes("append", attributes=lambda _, __: numbered(n, [1])).make(2), lambda log: list(fold(log, "app_id")), 16
    ),
    "states of changes": Case(changes("append", attributes=lambda _, number: {"l": [number]}).make, user_rows.aggregate_changes),
    "what events told": Case(merged, user_rows.merge_properties),
    "attributes beyond the limit": Case(lambda n: json.dumps(numbered(n)), lambda text: drop_largest(text, 65_535), calls=16),
}


@pytest.mark.parametrize("name", CASES)
def test_doubling(name: str) -> None:
    case, size = CASES[name], 1 << 10
    while (once := _cost(case, size, 1)) < MEASURABLE:
        if size >= LARGEST or _bytes(case.make(size)) > PAYLOAD:
            return
        size *= 8 if once < MEASURABLE / 16 else 2
    once = min(once, _cost(case, size, 2))
    if _cost(case, 2 * size, 1) < MOST * once:
        return
    found = []
    for each in (size, 2 * size):  # what else runs here may have disturbed it; what is quadratic stays so
        once, twice = _cost(case, each, 3), _cost(case, 2 * each, 3)
        found.append(f"{each}: {once:.3f} s, twice as much: {twice:.3f} s")
        if twice < MOST * once:
            return
    pytest.fail("; ".join(found))


def _bytes(made: Any) -> int:
    return made.nbytes if isinstance(made, pa.Table) else len(made) if isinstance(made, str | bytes) else 0


def _cost(case: Case, size: int, times: int) -> float:
    """CPU-seconds of the calls, the least of some times."""
    made, costs = case.make(size), []
    gc.disable()  # as in the pass
    try:
        for _ in range(times):
            began = time.process_time()
            for _ in range(case.calls):
                case.run(made)
            costs.append(time.process_time() - began)
    finally:
        gc.enable()
    return min(costs)
