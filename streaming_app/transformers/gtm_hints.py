"""What a GTM event's ``client_hints`` say of the client, as far as columns have it without the user_agent enricher.

The names of the columns follow the reference system: the leading brand is ``device_mobile_brand_name``.
"""

from __future__ import annotations

import re
from typing import Any

from streaming_app.model.coerce import as_bool
from streaming_app.model.event import Event

_AT = {name: position for position, name in enumerate(Event.__struct_fields__)}
_SYSTEM, _SYSTEM_VERSION = _AT["device_operating_system"], _AT["device_operating_system_version"]
_BRAND, _MODEL, _PLATFORM = _AT["device_mobile_brand_name"], _AT["device_mobile_model_name"], _AT["platform"]
_BROWSER, _BROWSER_VERSION = _AT["device_ua_browser"], _AT["device_ua_browser_version"]
_UA_SYSTEM, _UA_SYSTEM_VERSION = _AT["device_ua_os"], _AT["device_ua_os_version"]

_NO_WORD = re.compile(r"\W+", re.ASCII)
_PLACEHOLDER = re.compile(r"\W*not\W*a\W*brand\W*", re.IGNORECASE)
"""``Not/A)Brand`` and all its spellings."""
_SKELETON = "Chromium"
"""What most browsers are made of: passed over, like a placeholder, where another brand is there."""

DEFAULT_PLATFORM = "Web"


def read_hints(row: list[Any], hints: dict[str, Any]) -> None:
    """Fill the columns of one event; texts lose the quotes that header values have, what is no text is as if it were absent."""
    system, version = _text(hints.get("platform")), _text(hints.get("platform_version"))
    row[_SYSTEM], row[_SYSTEM_VERSION] = system, version
    if system and (platform := _NO_WORD.sub("", system)):
        row[_PLATFORM] = platform
    elif as_bool(hints.get("mobile")):
        row[_PLATFORM] = "Mobile"
    if brands := _brands(hints.get("brands")):
        row[_BRAND], row[_MODEL] = _leading(brands)[0], _text(hints.get("model"))
    if exact := _brands(hints.get("full_version_list")):
        row[_BROWSER], row[_BROWSER_VERSION] = _leading(exact[::-1])
        row[_UA_SYSTEM], row[_UA_SYSTEM_VERSION] = system, version


_Brand = tuple[str, str | None]


def _brands(sent: Any) -> list[_Brand]:
    """Brands with their versions, as listed."""
    if not isinstance(sent, list):
        return []
    return [
        (brand, _text(each.get("version")))
        for each in sent
        if each.__class__ is dict and (brand := _text(each.get("brand"))) is not None
    ]


def _leading(brands: list[_Brand]) -> _Brand:
    """The first that tells a browser; else Chromium, else the first."""
    skeleton = None
    for each in brands:
        if each[0] == _SKELETON:
            skeleton = skeleton or each
        elif not _PLACEHOLDER.fullmatch(each[0]):
            return each
    return skeleton or brands[0]


def _text(value: Any) -> str | None:
    return value.replace('"', "") if value.__class__ is str else None
