"""Parses URLs of pages and requests by the WHATWG rules, and finds single parameters without parsing.

Used for all URLs: the columns of a page, the traffic source and the envelope of a request.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple
from urllib.parse import unquote_plus

import can_ada

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://|https?:", re.IGNORECASE)
_RELATIVE = re.compile(r"(?:[?#]|\.{0,2}/(?!/)|\.{1,2}$)")
"""A relative address: it begins with a path, a query or a fragment. A single word is taken for a host."""


class WebAddress(NamedTuple):
    """A parsed URL: ``query`` and ``fragment`` without ``?`` and ``#``, not decoded; ``host`` in lower case, "" if none."""

    host: str
    path: str
    query: str
    fragment: str
    is_relative: bool = False
    """Whether the address is relative to a page, whose host is not known."""


def read_address(url: str) -> WebAddress | None:
    """Parse a URL; a missing scheme counts as https, unless the address is relative. None if it is invalid or its host too long.

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
    except (ValueError, TypeError):  # can_ada refuses it, or it has a lone surrogate
        return None


def _from_root(url: str) -> str:
    """``./cart`` and ``../cart`` as ``/cart``, since the page that they are relative to is not known."""
    return url.lstrip(".") if url.startswith(".") else url


LONGEST_HOST = 512
"""Maximum characters of an authority: twice the length of a DNS name (RFC 1035), since escapes are longer."""
# Parsers remove tabs and newlines anywhere, and accept any number of slashes and backslashes.
_HOST = re.compile(r"[^:]*+:[/\\\t\r\n]*+([^/\\?#]*+)")


def has_long_host(url: str) -> bool:
    """Whether the host of an address with a scheme is longer than any valid host.

    Checked before parsing, since the rules for international names take time quadratic in its length.
    """
    if len(url) <= LONGEST_HOST:
        return False
    found = _HOST.match(url)
    return found is not None and len(found[1]) > LONGEST_HOST


@cache
def _parameter_pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|&){re.escape(name)}=([^&]+)")


def query_value(uri: str | None, name: str) -> str | None:
    """The first value of a parameter in the query string of a URI, decoded; None if there is none.

    This runs for each request: parsing the whole query string would take ten times as long.

    >>> query_value("/collect?a=&n=1%2B1&n=2", "n")
    '1+1'
    """
    if not uri or name not in uri:
        return None
    pair = _parameter_pattern(name).search(uri.partition("?")[2])
    return unquote_plus(pair[1]) if pair else None
