"""What a GTM event tells beside its own parameters: the time, the place, the screen, the client.

Each function fills columns of one event's row and takes nothing away from what was sent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from streaming_app.model.coerce import as_int
from streaming_app.plugins.urls import split_url
from streaming_app.transformers.gtm_server import fields as keys
from streaming_app.transformers.gtm_server.fields import AT
from streaming_app.transformers.gtm_server.hint_columns import NO_HINTS, HintColumns, read_hints

_encode = msgspec.json.Encoder().encode
_TIME, _SESSION_START = AT["event_time_msec"], AT["session_start_time_msec"]
_COUNTRY, _REGION = AT["geo_country"], AT["geo_region"]
_WIDTH, _HEIGHT = AT["device_screen_width"], AT["device_screen_height"]
_UA, _IP, _AGENT, _HINTS, _PLATFORM = (AT[name] for name in ("ua", "ip", "device_ua", "client_hints", "platform"))
_URL, _HOST, _PATH = AT["page_view_page_url"], AT["page_view_hostname"], AT["page_view_page_url_path"]
_PARAMS = AT["page_view_page_url_query_parameters"]
_BY_HINTS = tuple(AT[name] for name in HintColumns._fields)
_CACHED, _LONGEST = 4_096, 32


def read_time(row: list[Any], server: dict[str, Any], received: int | None) -> None:
    """When the tag server was given the event, by when its session had begun; else when we were given it (epoch ms)."""
    started = as_int(server.get("request_start_time_ms"))
    if started is not None and started > 0:
        row[_TIME] = row[_SESSION_START] = started
    else:
        row[_TIME] = received


def read_place(row: list[Any], sent: dict[str, Any], server: dict[str, Any]) -> None:
    """Country and region as the tag server knows them; where it names no place, by what it keeps for consent."""
    location = sent.get(keys.LOCATION)
    if isinstance(location, dict) and location:
        row[_COUNTRY], row[_REGION] = _text(location.get("country")), _text(location.get("region"))
    else:
        row[_COUNTRY] = _text(server.get("uc"))
    if row[_REGION] is None:
        row[_REGION] = _text(sent.get("x-ga-ur"))


def read_screen(row: list[Any], resolution: Any) -> None:
    """``1920x1080`` as width and height, px."""
    if isinstance(resolution, str) and len(resolution) <= _LONGEST:
        row[_WIDTH], row[_HEIGHT] = _size(resolution)


@lru_cache(_CACHED)
def _size(resolution: str) -> tuple[int | None, int | None]:
    width, _, height = resolution.partition("x")
    return as_int(width), as_int(height)


def read_page(row: list[Any]) -> None:
    """Host, path and parameters of the page."""
    if row[_URL]:
        row[_HOST], row[_PATH], row[_PARAMS] = split_url(row[_URL])


def read_client(row: list[Any], custom: dict[str, Any]) -> None:
    """Agent, address and hints, for the columns and for the enrichers; "" where there is no agent or address.

    The hints, which are long, are encoded once for all.
    """
    if agent := row[_UA]:
        row[_AGENT] = _encode({"string": agent}).decode()
    row[_UA], row[_IP] = agent or "", row[_IP] or ""
    hints = custom.get(keys.HINTS)
    if not isinstance(hints, dict) or not hints:
        row[_PLATFORM] = NO_HINTS.platform
        return
    encoded = _encode(hints)
    custom[keys.HINTS], row[_HINTS] = msgspec.Raw(encoded), encoded.decode()
    for position, value in zip(_BY_HINTS, read_hints(row[_HINTS]), strict=True):
        row[position] = value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
