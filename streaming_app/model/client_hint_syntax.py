"""Parsing of client hints, shared by GTM's columns and the ``user_agent`` enricher.

Hints are read in Google Tag Manager's spelling (``full_version_list``) and in that of ``navigator.userAgentData``
(``fullVersionList``, https://wicg.github.io/ua-client-hints/).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_PLACEHOLDER = re.compile(r"[^a-z]*not[^a-z]*a[^a-z]*brand[^a-z]*", re.IGNORECASE)
"""``Not/A)Brand`` in all its spellings: a placeholder that browsers send so that no site relies on the list."""


class Brand(NamedTuple):
    name: str
    version: str | None


def by_name(hints: Mapping[str, Any]) -> dict[str, Any]:
    """Hints by their names in either spelling: ``fullversionlist``, ``platformversion``."""
    return {name.replace("_", "").lower(): value for name, value in hints.items()}


def read_brands(sent: Any) -> list[Brand]:
    """A list of brands in its order, without placeholders and invalid entries.

    >>> read_brands([{"brand": "Not?A_Brand", "version": "24"}, {"brand": '"Chromium"', "version": "134"}, 5])
    [Brand(name='Chromium', version='134')]
    """
    entries = [each for each in sent if isinstance(each, dict)] if isinstance(sent, list) else []
    brands = ((unquote_value(each.get("brand")), unquote_value(each.get("version"))) for each in entries)
    return [Brand(name, version) for name, version in brands if name and not _PLACEHOLDER.fullmatch(name)]


def unquote_value(value: Any) -> str | None:
    """A text without the quotes around header values; None if the value is not a text."""
    return value.replace('"', "") if isinstance(value, str) else None
