"""What a GTM event tells beside its own parameters: the time, the location, the screen, the client, the user.

Each function fills columns of one event and takes nothing away from what was sent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from streaming_app.model.coerce import as_int
from streaming_app.model.event import Event
from streaming_app.plugins.urls import split_url
from streaming_app.transformers.gtm_server import fields as keys
from streaming_app.transformers.gtm_server.hint_columns import NO_HINTS, HintColumns, read_hints

_encode = msgspec.json.Encoder().encode
_CACHED, _LONGEST = 4_096, 32


def read_time(event: Event, server: dict[str, Any], received: int | None) -> None:
    """When the tag server was given the event, by when its session had begun; else when we were given it (epoch ms)."""
    started = as_int(server.get("request_start_time_ms"))
    if started is not None and started > 0:
        event.event_time_msec = event.session_start_time_msec = started
    else:
        event.event_time_msec = received


def read_location(event: Event, sent: dict[str, Any], server: dict[str, Any]) -> None:
    """Country and region as the tag server knows them; where it names no location, by what it keeps for consent."""
    location = sent.get(keys.LOCATION)
    if isinstance(location, dict) and location:
        event.geo_country, event.geo_region = _text(location.get("country")), _text(location.get("region"))
    else:
        event.geo_country = _text(server.get("uc"))
    if event.geo_region is None:
        event.geo_region = _text(sent.get("x-ga-ur"))


def read_screen(event: Event, resolution: Any) -> None:
    """``1920x1080`` as width and height, px."""
    if isinstance(resolution, str) and len(resolution) <= _LONGEST:
        event.device_screen_width, event.device_screen_height = _size(resolution)


@lru_cache(_CACHED)
def _size(resolution: str) -> tuple[int | None, int | None]:
    width, _, height = resolution.partition("x")
    return as_int(width), as_int(height)


def read_page(event: Event) -> None:
    """Host, path and parameters of the page."""
    if url := event.page_view_page_url:
        event.page_view_hostname, event.page_view_page_url_path, event.page_view_page_url_query_parameters = split_url(url)


def read_client(event: Event, custom: dict[str, Any]) -> None:
    """Agent, address and hints, for the columns and for the enrichers; "" where there is no agent or address.

    The hints, which are long, are encoded once for all.
    """
    if agent := event.ua:
        event.device_ua = _encode({"string": agent}).decode()
    event.ua, event.ip = agent or "", event.ip or ""
    hints = custom.get(keys.HINTS)
    if not isinstance(hints, dict) or not hints:
        event.platform = NO_HINTS.platform
        return
    encoded = _encode(hints)
    text = encoded.decode()
    custom[keys.HINTS], event.client_hints = msgspec.Raw(encoded), text
    for column, value in zip(HintColumns._fields, read_hints(text), strict=True):
        setattr(event, column, value)


def encode_user_properties(sent: dict[str, Any]) -> str | None:
    """``x-ga-mp2-user_properties``, name to value, as JSON {name: {value, set_time_msec}}; None where no attribute has a value.

    The time they were set is not sent: it is the event's, which stands beside them. ``_user_id`` is called ``user_id`` as in
    the reference system; an ``age`` in text is a number, and stays as it was sent where it is none.
    """
    properties = {name: {"value": value, "set_time_msec": None} for name, value in sent.items() if value is not None}
    if "_user_id" in properties:
        properties.setdefault("user_id", properties["_user_id"])
        if properties["user_id"] is properties["_user_id"]:
            del properties["_user_id"]
    if "age" in properties and isinstance(sent["age"], str) and (age := as_int(sent["age"])) is not None:
        properties["age"]["value"] = age
    return _encode(properties).decode() if properties else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
