"""URLs of pages and requests: parsed by the WHATWG rules, and single parameters found without parsing.

The one reader of URLs for the columns of a page, the traffic source and the envelope of a request.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple
from urllib.parse import unquote_plus

import can_ada

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


LONGEST_HOST = 512
"""Characters of an address from its scheme to its path: twice a name of the DNS (RFC 1035), as escapes are longer."""
# Parsers leave out tabs and newlines wherever they are, and take any number of slashes of both kinds.
_HOST = re.compile(r"[^:]*+:[/\\\t\r\n]*+([^/\\?#]*+)")


def has_long_host(url: str) -> bool:
    """Whether what stands for the host in an address with a scheme is longer than a host can be.

    Asked before the address is parsed: the time that the rules of international names take grows with the square of it.
    """
    if len(url) <= LONGEST_HOST:
        return False
    found = _HOST.match(url)
    return found is not None and len(found[1]) > LONGEST_HOST


@cache
def _parameter_pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|&){re.escape(name)}=([^&]+)")


def query_value(uri: str | None, name: str) -> str | None:
    """The first value of a parameter in the query string of a URI, decoded; None where there is none.

    This runs for each request: to parse all of a query string takes ten times as long.

    >>> query_value("/collect?a=&n=1%2B1&n=2", "n")
    '1+1'
    """
    if not uri or name not in uri:
        return None
    pair = _parameter_pattern(name).search(uri.partition("?")[2])
    return unquote_plus(pair[1]) if pair else None
