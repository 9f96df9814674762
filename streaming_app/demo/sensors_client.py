"""What Sensors Data's JavaScript SDK knows of a visitor, the device and how the visit came about: the same in all events."""

from __future__ import annotations

from datetime import UTC, datetime

from streaming_app.demo.pages import Arrival
from streaming_app.demo.world import Json, User

LIB: Json = {"$lib": "js", "$lib_method": "code", "$lib_version": "1.27.11"}
_DIRECT, _PAID, _LINK = "直接流量", "付费广告流量", "引荐流量"
_KINDS = {"google": "自然搜索流量", "bing": "自然搜索流量", "baidu": "自然搜索流量", "facebook": "社交网站流量"}
"""Part of a referring host to what the SDK calls such traffic, in its own words; others are links."""
_NO_KEYWORD = "未取到值"


def cookie_of(user: User) -> str:
    """The id that the SDK gives a visitor who is not signed up."""
    digits = user.unique_id.replace("-", "")
    size = int(user.fields["screen_width"]) * int(user.fields["screen_height"])
    return f"{digits[:14]}-{digits[14:29]}-11543b4c-{size}-{digits[:11]}{digits[29:]}"


def device_of(user: User) -> Json:
    """Properties that every event has."""
    return {
        "$timezone_offset": -user.fields["zone_offset"] // 60_000,
        "$screen_height": user.fields["screen_height"],
        "$screen_width": user.fields["screen_width"],
        "$lib": LIB["$lib"],
        "$lib_version": LIB["$lib_version"],
    }


def latest(arrival: Arrival) -> Json:
    """What the SDK keeps of how a visitor came, for all events."""
    host = arrival.host or ""
    linked = next((kind for part, kind in _KINDS.items() if part in host), _LINK)
    kind = _PAID if arrival.campaign or arrival.click else linked if host else _DIRECT
    known = {"$latest_traffic_source_type": kind, "$latest_search_keyword": _NO_KEYWORD}
    return known | {"$latest_referrer": f"https://{host}/" if host else ""} | campaign_of(arrival, "$latest_utm_")


def campaign_of(arrival: Arrival, prefix: str = "$utm_") -> Json:
    """The parameters of a campaign that the SDK reads."""
    return {f"{prefix}{name}": value for name, value in arrival.campaign.items() if name != "id"}


def format_time(epoch_ms: int) -> str:
    """A time as Sensors Data writes dates."""
    return f"{datetime.fromtimestamp(epoch_ms // 1_000, UTC):%Y-%m-%d %H:%M:%S}.{epoch_ms % 1_000:03d}"
