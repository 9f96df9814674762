"""What a GTM event tells beside its own parameters: the time, the place, the screen. Nothing here is taken from the event."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from streaming_app.model.coerce import as_int
from streaming_app.model.event import Event
from streaming_app.transformers import gtm_fields as keys

_AT = {name: position for position, name in enumerate(Event.__struct_fields__)}
_TIME, _SESSION_START = _AT["event_time_msec"], _AT["session_start_time_msec"]
_COUNTRY, _REGION = _AT["geo_country"], _AT["geo_region"]
_WIDTH, _HEIGHT = _AT["device_screen_width"], _AT["device_screen_height"]
_CACHED = 4_096


def read_time(row: list[Any], server: dict[str, Any], received: int | None) -> None:
    """When the tag server was given the event, which the session had begun by then; else when we were (epoch ms)."""
    started = as_int(server.get("request_start_time_ms"))
    if started is not None and started > 0:
        row[_TIME] = row[_SESSION_START] = started
    else:
        row[_TIME] = received


def read_place(row: list[Any], sent: dict[str, Any], server: dict[str, Any]) -> None:
    """Country and region as the tag server knows them; the country of consent only where it names no place."""
    location = sent.get(keys.LOCATION)
    if isinstance(location, dict) and location:
        row[_COUNTRY], row[_REGION] = _name(location.get("country")), _name(location.get("region"))
    else:
        row[_COUNTRY] = _name(server.get("uc"))
    if row[_REGION] is None:
        row[_REGION] = _name(sent.get("x-ga-ur"))


def read_screen(row: list[Any], resolution: Any) -> None:
    """``1920x1080`` as width and height, px."""
    if resolution.__class__ is str and len(resolution) <= _LONGEST:
        row[_WIDTH], row[_HEIGHT] = _size(resolution)


_LONGEST = 32


@lru_cache(_CACHED)
def _size(resolution: str) -> tuple[int | None, int | None]:
    width, _, height = resolution.partition("x")
    return as_int(width), as_int(height)


def _name(value: Any) -> str | None:
    return value if value.__class__ is str else None
