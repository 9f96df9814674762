"""Web addresses, taken apart by the WHATWG rules: the one reader for the columns of an address and for the traffic source."""

from __future__ import annotations

import re
from typing import NamedTuple

import can_ada

from streaming_app.model.web import has_long_host

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://|https?:", re.IGNORECASE)
_RELATIVE = re.compile(r"(?:[?#]|\.{0,2}/(?!/)|\.{1,2}$)")
"""An address that begins with a path, a query or a fragment. A word alone may be a host: it counts as one."""


class WebAddress(NamedTuple):
    """``query`` and ``fragment`` without their marks, not decoded; ``host`` in lower case, "" where there is none."""

    host: str
    path: str
    query: str
    fragment: str
    is_relative: bool = False
    """It belongs to a page whose host it does not name."""


def read_address(url: str) -> WebAddress | None:
    """A missing scheme counts as https, unless the address is relative. None if it is broken, or if the host is longer than any.

    >>> read_address("WWW.Example.com/a?b=1#c")
    WebAddress(host='www.example.com', path='/a', query='b=1', fragment='c', is_relative=False)
    >>> read_address("/cart?x=1")
    WebAddress(host='', path='/cart', query='x=1', fragment='', is_relative=True)
    """
    url = url.strip()
    is_relative = False
    if not url.startswith(("https://", "http://")) and not _SCHEME.match(url):
        is_relative = _RELATIVE.match(url) is not None
        url = (f"page:{_from_root(url)}") if is_relative else "https://" + url.removeprefix("//")
    if not is_relative and has_long_host(url):
        return None
    try:
        parsed = can_ada.parse(url)
        host = parsed.hostname.lower().rstrip(".")
        return WebAddress(host, parsed.pathname, parsed.search[1:], parsed.hash[1:], is_relative)
    except (ValueError, TypeError):  # can_ada refuses it, or a lone surrogate
        return None


def _from_root(url: str) -> str:
    """``./cart`` and ``../cart`` as ``/cart``: which page they are relative to is not known."""
    return url.lstrip(".") if url.startswith(".") else url
