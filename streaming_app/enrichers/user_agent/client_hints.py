"""What a browser says of itself beside its user agent, in the two spellings that are sent as JSON.

Google Tag Manager's (``full_version_list``, ``platform_version``) and that of ``navigator.userAgentData`` (``fullVersionList``,
``platformVersion``, https://wicg.github.io/ua-client-hints/).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Hints:
    """What was there; brands with the most exact version that was given of each, without the placeholders."""

    brands: dict[str, str | None]
    platform: str | None
    platform_version: str | None
    model: str | None
    mobile: bool | None


_PLACEHOLDER = re.compile(r"[^a-z]*not[^a-z]*a[^a-z]*brand[^a-z]*", re.IGNORECASE)
"""``Not/A)Brand`` and all its spellings: browsers send one so that nobody relies on the list."""

_NUMBERS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,2}")
_OLD_WINDOWS = {"0.1": "7", "0.2": "8", "0.3": "8.1", "0.1.0": "7", "0.2.0": "8", "0.3.0": "8.1"}
"""From 1 to 10 it is Windows 10, from 13 on 11: https://learn.microsoft.com/microsoft-edge/web-platform/how-to-detect-win11"""

_NOTHING = frozenset({"", "unknown"})
_BOOLEANS = {True: True, False: False, "true": True, "false": False, "?1": True, "?0": False}


def read_hints(text: str) -> Hints | None:
    """The hints in a JSON object; None if it says nothing of use. A value of an unexpected type is as if it were absent.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    values = {name.replace("_", "").lower(): value for name, value in document.items()}
    mobile = values.get("mobile")
    hints = Hints(
        _brands(values),
        _text(values.get("platform")),
        _text(values.get("platformversion")),
        _text(values.get("model")),
        _BOOLEANS.get(mobile) if isinstance(mobile, bool | str) else None,
    )
    # Google Tag Manager writes "mobile": false, and all else empty, of phones whose browsers send no hints.
    return hints if hints.brands or hints.platform or hints.model or hints.mobile else None


def leading_numbers(version: str | None) -> str | None:
    """The first three numbers: as many as ua-parser's major, minor and patch.

    >>> leading_numbers("124.0.6367.91"), leading_numbers("124"), leading_numbers("beta")
    ('124.0.6367', '124', None)
    """
    found = _NUMBERS.match(version or "")
    return found[0] if found else None


def platform_version(family: str, version: str | None) -> str | None:
    """A platform's version as user agents of that system say it; None if it is unknown.

    >>> platform_version("Windows", "15.0.0"), platform_version("Windows", "10.0.0"), platform_version("Windows", "0.3")
    ('11', '10', '8.1')
    >>> platform_version("Android", "14.0.0"), platform_version("Mac OS X", "14.5.0")
    ('14', '14.5.0')
    """
    numbers = leading_numbers(version)
    if family == "Windows" and numbers:
        major = int(numbers.partition(".")[0])
        return "11" if major >= 13 else "10" if major else _OLD_WINDOWS.get(numbers)
    # Android calls itself 14; Chrome fills that up to three numbers.
    return numbers.removesuffix(".0.0") if family == "Android" and numbers else numbers


def _brands(values: dict[str, Any]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in ("brands", "fullversionlist"):  # the second is finer
        entries = values.get(name)
        for entry in entries if isinstance(entries, list) else ():
            brand = _text(entry.get("brand")) if isinstance(entry, dict) else None
            if brand and not _PLACEHOLDER.fullmatch(brand):
                found[brand] = _text(entry.get("version")) or found.get(brand)
    full = _text(values.get("uafullversion")) or ""
    return {brand: full if full.startswith(f"{version}.") else version for brand, version in found.items()}


def _text(value: Any) -> str | None:
    """A string without the quotes that header values have around them; None if nothing is left or it is ``Unknown``."""
    if not isinstance(value, str):
        return None
    text = value.replace('"', "").strip()
    return None if text.lower() in _NOTHING else text
