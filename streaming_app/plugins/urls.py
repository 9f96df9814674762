"""Splits URLs into the columns host, path and query parameters, by the WHATWG rules; each value is decoded once."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec

from streaming_app.model.bounded_cache import bounded_cache
from streaming_app.model.web_address import read_address


class UrlParts(NamedTuple):
    """``params`` is a JSON object of text; values of repeated names are joined by a comma; null without parameters."""

    host: str | None = None
    path: str | None = None
    params: str | None = None


_NOTHING = UrlParts()
# Several events in a row are from the same page; the bound limits a worker's memory.
_CACHED = 8_192


@bounded_cache(_CACHED)
def split_url(url: str) -> UrlParts:
    """Host, path and parameters of a URL; a missing scheme counts as https; all null if it cannot be parsed.

    A host that is too long is not parsed, since that takes time quadratic in its length. A relative address has no host.

    >>> split_url("https://shop.example/p%20q?utm_source=a&x=1&x=2")
    UrlParts(host='shop.example', path='/p q', params='{"utm_source":"a","x":"1,2"}')
    >>> split_url("/cart?x=1")
    UrlParts(host=None, path='/cart', params='{"x":"1"}')
    """
    address = read_address(url)
    if address is None:
        return _NOTHING
    path = unquote(address.path) if address.path != "/" or _has_path(url) else ""
    return UrlParts(address.host or None, path, _params(address.query) if address.query else None)


_ROOT = re.compile(r"\s*+(?:[a-z][a-z0-9+.-]*+:)?+(?://)?+[^/?#]*+/", re.IGNORECASE)


def _has_path(url: str) -> bool:
    """Whether a URL has a path: parsers return "/" for a missing one."""
    return _ROOT.match(url) is not None


def _params(query: str) -> str | None:
    params: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        params.setdefault(name, []).append(value)
    return msgspec.json.encode({name: ",".join(values) for name, values in params.items()}).decode() if params else None
