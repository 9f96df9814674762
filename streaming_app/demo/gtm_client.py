"""What a tag server knows of a visitor, and of the request that it handles: the same in all events."""

from __future__ import annotations

import base64
from random import Random

from streaming_app.demo.browsers import browser_of
from streaming_app.demo.visit import PlannedVisit
from streaming_app.demo.world import Json, User

_REGIONS = {
    "US": ("US-CA", "US-NY", "US-TX"),
    "GB": ("GB-ENG", "GB-SCT"),
    "DE": ("DE-BE", "DE-BY"),
    "CN": ("CN-SH", "CN-BJ"),
    "JP": ("JP-13", "JP-27"),
}
"""Countries of the world's locales, with regions as the tag server writes them."""
_CONSENTS = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")


def visitor_of(user: User, visit: PlannedVisit) -> Json:
    """The visitor, the browser and the session."""
    browser = browser_of(user)
    country, region = region_of(user).split("-")
    known: Json = {
        "x-ga-protocol_version": "2",
        "x-ga-measurement_id": "G-0DEM0SH0P1",
        "x-ga-gtm_version": "45je4b30",
        "client_id": _client_id(user, visit),
        "language": f"{user.fields['system_language']}-{country}".lower(),
        "screen_resolution": f"{user.fields['screen_width']}x{user.fields['screen_height']}",
        "x-ga-ur": region_of(user),
        "ga_session_id": str(visit.start_ms // 1_000),
        "ga_session_number": visit.number,
        "x-ga-mp2-seg": "1",
        "ip_override": user.addresses[0].partition(",")[0],
        "user_agent": browser.agent,
    }
    if browser.hints:
        known["client_hints"] = browser.hints
    if _nibble(user, 1) < 3:  # some servers look the place up
        known["event_location"] = {"country": country, "region": region}
    if user.login and visit.number > 1:
        known["user_id"] = user.login
    return known


def request_of(user: User, started_ms: int) -> Json:
    """The fields of a request that the server began to handle at ``started_ms`` (epoch ms); older ones not when."""
    consent = {"consentGrantedState": dict.fromkeys(_CONSENTS, True), "isUpdate": False, "updateType": "default"}
    time = {"request_start_time_ms": started_ms} if _nibble(user, 2) > 1 else {}
    return {"uc": region_of(user)[:2], "gse": "1", "gcd": "13l3l3l3l1l1", "consent": consent, **time}


def region_of(user: User) -> str:
    """Country and region of the user's locale, ``DE-BY``."""
    regions = _REGIONS[str(user.fields["country_code"])]
    return regions[_nibble(user, 0) % len(regions)]


def _client_id(user: User, visit: PlannedVisit) -> str:
    """base64 of 32 bytes, and the second of the first touch."""
    return f"{base64.b64encode(Random(user.unique_id).randbytes(32)).decode()}.{visit.first_touch_ms // 1_000}"


def _nibble(user: User, at: int) -> int:
    """Chance that is the user's own: 0 to 15."""
    return int(user.unique_id[at], 16)
