"""What a GTM event's ``client_hints`` say of the client, as far as columns have it without the user_agent enricher.

The names of the columns follow the reference system: the leading brand is ``device_mobile_brand_name``.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from streaming_app.model.coerce import as_bool
from streaming_app.model.remember import remember_short

_NO_WORD = re.compile(r"\W+", re.ASCII)
_PLACEHOLDER = re.compile(r"\W*not\W*a\W*brand\W*", re.IGNORECASE)
"""``Not/A)Brand`` and all its spellings."""
_SKELETON = "Chromium"
"""What most browsers are made of: passed over, like a placeholder, where another brand is there."""
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


@remember_short(_CACHED, _LONGEST)
def read_hints(text: str) -> HintColumns:
    """The columns for hints in a JSON object.

    Texts lose the quotes that header values have, what is no text is as if it were absent.
    """
    hints = msgspec.json.decode(text)
    system, version = _text(hints.get("platform")), _text(hints.get("platform_version"))
    platform = _NO_WORD.sub("", system or "") or ("Mobile" if as_bool(hints.get("mobile")) else NO_HINTS.platform)
    found = HintColumns(platform, system, version)
    if brands := _brands(hints.get("brands")):
        model = _text(hints.get("model"))
        found = found._replace(device_mobile_brand_name=_leading(brands)[0], device_mobile_model_name=model)
    if exact := _brands(hints.get("full_version_list")):
        browser, browser_version = _leading(exact[::-1])
        found = found._replace(device_ua_browser=browser, device_ua_browser_version=browser_version)
        found = found._replace(device_ua_os=system, device_ua_os_version=version)
    return found


_Brand = tuple[str, str | None]


def _brands(sent: Any) -> list[_Brand]:
    """Brands with their versions, as listed."""
    entries = [each for each in sent if isinstance(each, dict)] if isinstance(sent, list) else []
    found = ((_text(each.get("brand")), _text(each.get("version"))) for each in entries)
    return [(brand, version) for brand, version in found if brand is not None]


def _leading(brands: list[_Brand]) -> _Brand:
    """The first that tells a browser; else Chromium, else the first."""
    telling = [each for each in brands if not _PLACEHOLDER.fullmatch(each[0])] or brands
    return next((each for each in telling if each[0] != _SKELETON), telling[0])


def _text(value: Any) -> str | None:
    return value.replace('"', "") if isinstance(value, str) else None
