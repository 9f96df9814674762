"""What a GTM event's ``client_hints`` say of the client, as far as columns have it without the user_agent enricher.

The names of the columns follow the reference system: the leading brand is ``device_mobile_brand_name``.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from streaming_app.model.bounded_cache import bounded_cache
from streaming_app.model.client_hint_syntax import Brand, by_name, read_brands, unquote_value
from streaming_app.model.coerce import as_bool

_NO_WORD = re.compile(r"\W+", re.ASCII)
_SKELETON = "Chromium"
"""What most browsers are made of: passed over where another brand is there."""
_CACHED, _LONGEST = 2_048, 2_048
"""So many different hints are remembered, none longer than so many characters: real ones have some 500."""


class HintColumns(NamedTuple):
    """Columns of one event; ``platform`` is never null."""

    platform: str = "Web"
    device_operating_system: str | None = None
    device_operating_system_version: str | None = None
    device_mobile_brand_name: str | None = None
    device_mobile_model_name: str | None = None
    device_ua_browser: str | None = None
    device_ua_browser_version: str | None = None
    device_ua_os: str | None = None
    device_ua_os_version: str | None = None


NO_HINTS = HintColumns()


@bounded_cache(_CACHED, _LONGEST)
def read_hints(text: str) -> HintColumns:
    """The columns for hints in a JSON object.

    Texts lose the quotes that header values have, what is no text is as if it were absent.
    """
    hints = by_name(msgspec.json.decode(text))
    system, version = unquote_value(hints.get("platform")), unquote_value(hints.get("platformversion"))
    platform = _NO_WORD.sub("", system or "") or ("Mobile" if as_bool(hints.get("mobile")) else NO_HINTS.platform)
    found = HintColumns(platform, system, version)
    if _is_list(sent := hints.get("brands")):
        brand = _leading(read_brands(sent))
        found = found._replace(
            device_mobile_brand_name=brand and brand.name, device_mobile_model_name=unquote_value(hints.get("model"))
        )
    if _is_list(exact := hints.get("fullversionlist")):
        found = found._replace(device_ua_os=system, device_ua_os_version=version)
        if browser := _leading(read_brands(exact)[::-1]):
            found = found._replace(device_ua_browser=browser.name, device_ua_browser_version=browser.version)
    return found


def _is_list(sent: Any) -> bool:
    return isinstance(sent, list) and any(isinstance(each, dict) and isinstance(each.get("brand"), str) for each in sent)


def _leading(brands: list[Brand]) -> Brand | None:
    """The first that tells a browser; else Chromium; None where there is no brand."""
    return next((brand for brand in brands if brand.name != _SKELETON), brands[0] if brands else None)
