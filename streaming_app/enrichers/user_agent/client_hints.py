"""Reads client hints, with names and versions in ua-parser's form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from streaming_app.model.client_hint_syntax import by_name, read_brands, unquote_value


@dataclass(frozen=True, slots=True)
class Hints:
    """What was there; brands with the most exact version that was given of each, without the placeholders."""

    brands: dict[str, str | None]
    platform: str | None
    platform_version: str | None
    model: str | None
    mobile: bool | None


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
    values = by_name(document)
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
        for brand in read_brands(values.get(name)):
            if known := _text(brand.name):
                found[known] = _text(brand.version) or found.get(known)
    full = _text(values.get("uafullversion")) or ""
    return {brand: full if full.startswith(f"{version}.") else version for brand, version in found.items()}


def _text(value: Any) -> str | None:
    """A text without quotes and blanks around it; None if nothing is left or it is ``Unknown``."""
    text = (unquote_value(value) or "").strip()
    return None if text.lower() in _NOTHING else text
