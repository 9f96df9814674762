"""Sample requests and events for checks of plugins; the events are made by the pipeline's own stages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from streaming_app.config.model import Config
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.transform.route import ElementRouter
from streaming_app.ingest.write.event_table import EventTable
from streaming_app.model.request import Request, parse_request
from streaming_app.storage.files import Storage

NOW = 1_780_000_000_000
"""When the sample requests were received: epoch ms, whole seconds."""
_CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"
_IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148"
)
_BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_SHOP = "https://shop.example/"


def sample_requests() -> list[Request]:
    """Requests of the Clickstream SDK: browsers, an app, a bot; addresses of both kinds, behind proxies, missing; visits
    from a campaign, a search engine, a link, and none; an order with items; a user's attributes; texts of any script."""
    return [parse_request(line) for line in _sample_lines()]


def sample_events(requests: Iterable[Request | bytes] | None = None, transformer: str = "clickstream_sdk") -> pa.Table:
    """Events as enrichers get them: every column of ``event`` that transformers fill, and the transient ones.

    ``requests`` are parsed ones or raw lines, each with its appId; by default those of :func:`sample_requests`.

    Raises:
        ValueError: the requests contain no event.
    """
    given = sample_requests() if requests is None else as_requests(requests)
    apps = {request.app_id or "": {"transformer": transformer} for request in given}
    places: dict[str, Any] = {"source": {"uri": "/raw"}, "sink": {"uri": "/lake"}}
    config = Config.model_validate({"project_id": "sample", "apps": apps or {"": {"transformer": transformer}}, **places})
    router, table = ElementRouter(config), EventTable(config.project_id)
    batch = Batch(config, Storage(), stream_id="", batch_id=0, job_id="sample", created_ms=NOW, source_partition="sample")
    lineage = batch.make_lineage_writer()
    for request in given:
        table.add(request, router.route(request).events, lineage.of(request))
    if not len(table):
        raise ValueError(f"{transformer} makes no event of the {len(given)} requests")
    return table.make()


def as_requests(requests: Iterable[Request | bytes]) -> list[Request]:
    """Parse the raw lines among requests.

    Raises:
        MalformedLine: one of them is not a JSON object.
    """
    return [parse_request(each) if isinstance(each, bytes) else each for each in requests]


def _sample_lines() -> Iterable[bytes]:
    order = {"items": [{"id": "sku-1", "price": 1.5, "quantity": 2}, {"id": "sku-2"}], "attributes": {"_value": 3, "coupon": "ü"}}
    attributes = {"tier": {"value": "gold", "set_timestamp": NOW - 9_000}, "_user_id": {"value": "login-1"}}
    search, mail = (
        {"_page_referrer": "https://www.google.com/"},
        {"_traffic_source_source": "news", "_traffic_source_medium": "email"},
    )
    yield _line("r-1", _CHROME, "203.0.113.7", _page("a", "?utm_source=ads&utm_medium=cpc&utm_campaign=spring"), _page("b"))
    yield _line("r-2", _IPHONE, "192.0.2.1, 198.51.100.9", _page("c", **search), _event("d", event_type="purchase", **order))
    yield _line("r-3", _BOT, "2001:db8::1", _page("e", "?gclid=1", _page_title="標題 🛒 " + "long" * 600))
    yield _line("r-4", None, None, _event("f", event_type="_profile_set", user=attributes), _event("g", platform="Android"))
    yield _line("r-5", "", "unknown", _page("h", **mail), _event("i", event_type="_app_start", attributes={}, unique_id=None))


def _page(event_id: str, query: str = "", **attributes: Any) -> dict[str, Any]:
    return _event(event_id, attributes={"_page_url": _SHOP + event_id + query, "_session_id": "s-1", **attributes})


def _event(event_id: str, **fields: Any) -> dict[str, Any]:
    basis = {"event_id": event_id, "event_type": "_page_view", "app_id": "shop", "platform": "Web"}
    return {**basis, "unique_id": "u-1", "timestamp": NOW - 1_000, **fields}


def _line(rid: str, ua: str | None, ip: str | None, *events: dict[str, Any]) -> bytes:
    envelope = {"appId": "shop", "rid": rid, "ua": ua, "ip": ip, "uri": "/collect?appId=shop"}
    return json.dumps({**envelope, "ingest_time": NOW, "client_timestamp": str(NOW - 100), "data": json.dumps(events)}).encode()
