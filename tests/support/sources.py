"""Hypothesis strategies: what the tag server of Google Tag Manager and the SDKs of Sensors Data send."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from tests.support.raw import NOW

APPS = "  web-gtm: {transformer: gtm_server}\n  sensors: {transformer: sensors_data}\n"
"""Further apps of a configuration, see ``config_for``."""

_PAGES = ("https://gtm.example/", "https://gtm.example/?utm_source=news&utm_medium=email", "https://gtm.example/p/1?gclid=7")
_PROPERTIES: dict[str, Any] = {
    "profile_set": st.fixed_dictionaries({"tier": st.sampled_from(["gold", 1, None])}),
    "profile_set_once": st.fixed_dictionaries({"first": st.integers(0, 5)}),
    "profile_increment": st.fixed_dictionaries({"visits": st.integers(1, 5)}),
    "profile_append": st.fixed_dictionaries({"tags": st.lists(st.sampled_from("abc"), max_size=2)}),
    "profile_unset": st.just({"tier": True, "visits": True}),
    "profile_delete": st.just({}),
    "item_set": st.fixed_dictionaries({"price": st.integers(1, 9)}),
    "item_delete": st.just({}),
}


@st.composite
def gtm_payload(draw: st.DrawFn) -> str:
    """One or more events of a tag server's request."""
    user, session = draw(st.integers(0, 2)), draw(st.sampled_from(["1780000", "1780001", None]))
    events = []
    for _ in range(draw(st.integers(1, 3))):
        event: dict[str, Any] = {
            "event_name": draw(st.sampled_from(["page_view", "login", "user_engagement", "purchase"])),
            "client_id": f"c-{user}",
            "ga_session_id": session,
            "ga_session_number": draw(st.integers(1, 2)),
            "page_location": draw(st.sampled_from(_PAGES)),
            "x-sst-system_properties": {"request_start_time_ms": NOW - draw(st.integers(0, 1_000_000))},
            "x-ga-system_properties": {"fv": draw(st.sampled_from(["0", "1"])), "ss": draw(st.sampled_from(["0", "1"]))},
        }
        if draw(st.booleans()):
            event["x-ga-mp2-user_properties"] = {"age": draw(st.sampled_from([30, "31", "old"])), "persona": "x"}
        if draw(st.booleans()):
            event["items"] = [{"item_id": f"sku-{draw(st.integers(0, 2))}", "price": 2.5, "quantity": 2}]
        events.append(event)
    return json.dumps(events if len(events) > 1 else events[0])


@st.composite
def sensors_message(draw: st.DrawFn) -> dict[str, Any]:
    """One message of any type."""
    kind = draw(st.sampled_from(["track", "track", "track_signup", *_PROPERTIES]))
    basis = {"type": kind, "time": NOW - draw(st.integers(0, 5_000_000)), "_track_id": draw(st.integers(1, 10**9))}
    if kind.startswith("item"):
        return {**basis, "item_type": "book", "item_id": f"i-{draw(st.integers(0, 1))}", "properties": draw(_PROPERTIES[kind])}
    basis["distinct_id"] = f"d-{draw(st.integers(0, 2))}"
    if kind in _PROPERTIES:
        return {**basis, "properties": draw(_PROPERTIES[kind])}
    name = "$SignUp" if kind == "track_signup" else draw(st.sampled_from(["$pageview", "Order"]))
    properties = {"$url": draw(st.sampled_from(_PAGES)), "$is_first_time": draw(st.booleans()), "level": draw(st.integers(0, 3))}
    login = {"identities": {"$identity_login_id": f"login-{draw(st.integers(0, 1))}"}} if draw(st.booleans()) else {}
    return {**basis, "event": name, "properties": properties, **login}


def _form(key: str, content: Any, *, packed: bool) -> str:
    text = json.dumps(content).encode()
    text = gzip.compress(text, mtime=0) if packed else text
    return f"{key}={quote(base64.b64encode(text).decode(), safe='')}" + ("&gzip=1" if packed else "&ext=crc%3D7")


@st.composite
def sensors_request(draw: st.DrawFn) -> tuple[str, str]:
    """The body and the URI of a request: one message or a batch, in any of the forms that the SDKs use."""
    messages = draw(st.lists(sensors_message(), min_size=1, max_size=3))
    packed, form = draw(st.booleans()), draw(st.sampled_from(["post", "get", "batch", "json"]))
    uri = "/collect?appId=sensors"
    if form == "json":
        return json.dumps(messages), uri
    if form == "batch" or len(messages) > 1:
        return _form("data_list", messages, packed=packed), uri
    body = _form("data", messages[0], packed=packed)
    return ("", f"{uri}&{body}") if form == "get" else (body, uri)
