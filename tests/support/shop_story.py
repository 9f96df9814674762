"""Some days of a shop, few enough events to know every answer by heart: eight visitors, three clients, and some dirt.

20 April: *dan* sees one page; 17 May: *eli* does, 18 and 25 May: *cat*.
27 May: *ann* (new, by a newsletter) looks at a product, buys two, and stays 15 s more. *bob* (new, from Google, on a phone)
searches, looks at a product, puts it in the cart and leaves; his last event comes two hours late.
28 May, today: *ann* is back for one page; *gil* (GTM) searches and buys two of another product; *sue* (Sensors Data, by an
advertisement) looks at a product, searches, signs up by a mail's link, and the shop's server tells of her order; a *bot* sees one page.
Besides: a broken line, an event of ten days before its receipt, one of an app that nobody knows, and ann's first request twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from streaming_app.demo.geo import write_geo_database
from streaming_app.derive.rebuild import rebuild_users
from tests.support.lake import LocalPipeline
from tests.support.raw import line, write

TODAY = date(2026, 5, 28)
SETTINGS = """  shop-gtm: {{transformer: gtm_server}}
  shop-sensors: {{transformer: sensors_data}}
enrichers:
  - ip: {{database: {folder}/geo.mmdb}}
  - user_agent: {{}}
  - traffic_source: {{}}
"""
SHOP = "https://shop.example"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
USER = {"login": "_user_id", "tier": "tier"}
"""Attributes of users, under the SDK's names."""
AMERICA, ENGLAND, JAPAN = "192.0.2.1", "192.0.2.30", "192.0.2.60"
"""Addresses, and where the demo's geo database has them."""


def at(day: int, minute: int) -> int:
    """Minutes after ten o'clock of a day in May (0 is the last one of April), epoch ms."""
    time = datetime(2026, 5, 1, 10, tzinfo=UTC) + timedelta(days=day - 1, minutes=minute)
    return int(time.timestamp() * 1_000)


def sent(app: str, told_ms: int, payload: Any, *, delay_s: int = 2, **envelope: Any) -> bytes:
    """A request with one event, received some seconds after it happened; clocks are right."""
    received = told_ms + delay_s * 1_000
    times = {"ingest_time": received, "client_timestamp": str(received), "upload_timestamp": str(received)}
    return line(payload, appId=app, uri=f"/collect?appId={app}", **{"rid": f"{app}-{told_ms}", **times, **envelope})


def sdk(user: str, session: str, day: int, minute: int, name: str, page: str = "/", **more: Any) -> bytes:
    """An event of the SDK on a page; ``more`` is of the request, of the user, its items, or a parameter."""
    own = {key: more.pop(key) for key in ("ua", "ip", "delay_s", "rid") if key in more}
    account = {name: {"value": more.pop(key), "set_timestamp": at(day, 0)} for key, name in USER.items() if key in more}
    items, app = more.pop("items", None), more.pop("app", "shop")
    event = {
        "event_id": f"{session}-{minute}-{name}",
        "event_type": name,
        "app_id": app,
        "unique_id": user,
        "timestamp": at(day, minute),
        "platform": "Web",
        "host_name": "shop.example",
        "attributes": {"_session_id": session, "_page_url": SHOP + page, **more},
        "user": account,
        "items": items,
    }
    return sent(app, at(day, minute), event, **own)


def gtm(minute: int, name: str, page: str, **more: Any) -> bytes:
    """An event of gil's."""
    told = at(28, minute)
    event = {
        "event_name": name,
        "client_id": "gil",
        "ga_session_id": "g1",
        "page_location": SHOP + page,
        "x-sst-system_properties": {"request_start_time_ms": told},
        "user_agent": WINDOWS,
        "ip_override": ENGLAND,
        **more,
    }
    return sent("shop-gtm", told, event)  # a tag server's: address and agent of the browser are in the payload


def sensors(minute: int, name: str, who: dict[str, str], *, ua: str = IPHONE, **properties: Any) -> bytes:
    """A track of sue's, or of the shop's server about her."""
    told = at(28, minute)
    kind = "track_signup" if name == "$SignUp" else "track"
    message = {"type": kind, "event": name, "time": told, "_track_id": minute, **who, "properties": properties}
    return sent("shop-sensors", told, message, ua=ua, ip=JAPAN)


def ann() -> Iterator[bytes]:
    item = {"id": "sku-1", "name": "Tent", "price": 10.0, "currency": "USD"}
    landing = "/?utm_source=news&utm_medium=email&utm_campaign=spring"
    who: dict[str, Any] = {"login": "login-ann", "ua": WINDOWS, "ip": AMERICA}
    first = sdk("ann", "a1", 27, 0, "_page_view", landing, **who)
    yield from (first, first.replace(b'"rid": "shop-', b'"rid": "shop-again-'))
    yield sdk("ann", "a1", 27, 1, "_page_view", "/p/1", **who)
    yield sdk("ann", "a1", 27, 1, "view_item", "/p/1", items=[item], **who)
    yield sdk("ann", "a1", 27, 2, "add_to_cart", "/p/1", items=[item | {"quantity": 2}], **who)
    yield sdk("ann", "a1", 27, 3, "purchase", "/p/1", items=[item | {"quantity": 2}], _value=20.0, **who)
    yield sdk("ann", "a1", 27, 4, "_user_engagement", "/p/1", _engagement_time_msec=15_000, **who)
    yield sdk("ann", "a1", 27, 4, "_profile_set", "/p/1", tier="gold", **who)
    yield sdk("ann", "a2", 28, 0, "_page_view", "/", **who)


def bob() -> Iterator[bytes]:
    item = {"id": "sku-2", "name": "Lamp", "price": 5.0, "currency": "USD"}
    who: dict[str, Any] = {"ua": IPHONE, "ip": ENGLAND}
    yield sdk("bob", "b1", 27, 0, "_page_view", "/", _page_referrer="https://www.google.com/", **who)
    yield sdk("bob", "b1", 27, 1, "_search", "/", _search_term="Tent ", **who)
    yield sdk("bob", "b1", 27, 2, "_page_view", "/p/2?from=home", _page_referrer=f"{SHOP}/", **who)
    yield sdk("bob", "b1", 27, 2, "view_item", "/p/2", items=[item], **who)
    yield sdk("bob", "b1", 27, 3, "button_click", "/p/2", experiment={"name": "exp-1", "variant": "A"}, **who)
    yield sdk("bob", "b1", 27, 4, "add_to_cart", "/p/2", items=[item | {"quantity": 1}], delay_s=7_200, **who)


def others() -> Iterator[bytes]:
    for user, day in (("dan", -10), ("eli", 17), ("cat", 18), ("cat", 25)):
        yield sdk(user, f"{user}-{day}", day, 0, "_page_view", ua=WINDOWS, ip=AMERICA)
    yield sdk("bot", "z1", 28, 0, "_page_view", "/", ua=GOOGLEBOT, ip=AMERICA)
    yield gtm(0, "page_view", "/")
    yield gtm(1, "view_search_results", "/search", search_term="tent")
    yield gtm(2, "page_view", "/p/3")
    yield gtm(3, "view_item", "/p/3")
    bought = [{"item_id": "sku-3", "item_name": "Stove", "price": 15.0, "quantity": 2}]
    yield gtm(4, "purchase", "/p/3", items=bought, value=30.0, currency="USD")


def sue() -> Iterator[bytes]:
    cookie = {"distinct_id": "cookie-sue", "anonymous_id": "cookie-sue"}
    login = {"distinct_id": "login-sue", "login_id": "login-sue"}
    page = f"{SHOP}/?utm_source=ads&utm_medium=cpc&utm_campaign=summer"
    mail = f"{SHOP}/?utm_source=welcome&utm_medium=email&utm_campaign=welcome"
    yield sensors(0, "$pageview", cookie, **{"$url": page})
    yield sensors(1, "ViewProduct", cookie, **{"$url": page, "sku": "sku-4"})
    yield sensors(2, "Search", cookie, **{"$url": page, "keyword": "tent"})
    yield sensors(3, "$SignUp", login | {"original_id": "cookie-sue", "anonymous_id": "cookie-sue"}, **{"$url": mail})
    yield sensors(4, "SubmitOrder", {"distinct_id": "login-sue", "login_id": "login-sue"}, ua="python-requests/2.32", total=7.5)


def dirt() -> Iterator[bytes]:
    yield b"{broken"
    yield sdk("ann", "a0", 18, 0, "_page_view", delay_s=10 * 86_400, rid="late")
    yield sdk("eve", "e1", 28, 0, "_page_view", app="shop-staging")


def told(folder: Path) -> LocalPipeline:
    """The lake after all this: ``event`` by the real pass and commit, ``user`` and ``session`` by the real merge rules."""
    write_geo_database(folder / "geo.mmdb")
    pipeline = LocalPipeline(folder, SETTINGS.format(folder=folder))
    pipeline.ingest(write(folder / "raw", "all.gz", *ann(), *bob(), *others(), *sue(), *dirt()))
    derive(pipeline)
    return pipeline


def derive(pipeline: LocalPipeline) -> None:
    """Make ``user`` and ``session`` of all that is in the lake."""
    found = pipeline.query("SELECT app_id, user_pseudo_id FROM event UNION SELECT app_id, user_pseudo_id FROM change")
    users = {(row["app_id"], row["user_pseudo_id"]) for row in found.to_pylist() if row["user_pseudo_id"]}
    rebuild_users(pipeline.config, pipeline.lake, "test-job", users)
