"""What is known of web addresses without parsing them: the host's length, and single parameters."""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import unquote_plus

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
def _named(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|&){re.escape(name)}=([^&]+)")


def query_value(uri: str | None, name: str) -> str | None:
    """The first value of a parameter in the query string of a URI, decoded; None where there is none.

    This runs for each request: to parse all of a query string takes ten times as long.

    >>> query_value("/collect?a=&n=1%2B1&n=2", "n")
    '1+1'
    """
    if not uri or name not in uri:
        return None
    pair = _named(name).search(uri.partition("?")[2])
    return unquote_plus(pair[1]) if pair else None
