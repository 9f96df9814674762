"""Web addresses by the WHATWG rules: their host, path and parameters; a broken one is none, and never raises."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

import can_ada
from tldextract import TLDExtract

from streaming_app.model.remember import remember_short
from streaming_app.model.web import has_long_host

# The list that comes with the library: a worker must never wait for a download.
_suffixes = TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://|https?:", re.IGNORECASE)
_WITHOUT_HOST = re.compile(r"[?#]|/(?!/)")
_CACHED = 8_192


class WebAddress(NamedTuple):
    """``query`` and ``fragment`` without their marks, not decoded; ``host`` in lower case."""

    host: str
    path: str
    query: str
    fragment: str


def parse(url: str) -> WebAddress | None:
    """A missing scheme counts as https; ``host`` is "" for what begins with a path, a query or a fragment. None if broken,
    or if the host is longer than any.

    >>> parse("WWW.Example.com/a?b=1#c")
    WebAddress(host='www.example.com', path='/a', query='b=1', fragment='c')
    """
    url = url.strip()
    is_relative = False
    if not url.startswith(("https://", "http://")) and not _SCHEME.match(url):
        is_relative = _WITHOUT_HOST.match(url) is not None
        url = ("page:" if is_relative else "https://") + url.removeprefix("//")
    if not is_relative and has_long_host(url):
        return None
    try:
        parsed = can_ada.parse(url)
        host = parsed.hostname.lower().rstrip(".")
        return WebAddress(host, parsed.pathname, parsed.search[1:], parsed.hash[1:]) if host or is_relative else None
    except (ValueError, UnicodeError):  # can_ada refuses it, or a lone surrogate
        return None


def parameters(query: str) -> list[tuple[str, str]]:
    """Names, in lower case, and values, decoded once; empty values left out.

    >>> parameters("UTM_Source=a%26b&x=")
    [('utm_source', 'a&b')]
    """
    return [(name.lower(), value.strip()) for name, value in _pairs(query) if value.strip()]


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, max_num_fields=1_000)
    except ValueError:  # too many to be a campaign's
        return []


@remember_short(_CACHED)
def site_of(host: str) -> str:
    """The registrable domain of a host, or the host itself where it has none (an address, a name of the local network).

    >>> site_of("shop.example.co.uk"), site_of("me.github.io"), site_of("10.0.0.1")
    ('example.co.uk', 'me.github.io', '10.0.0.1')
    """
    parts = _suffixes.extract_str(host)
    if parts.suffix or parts.ipv4 or parts.ipv6:
        return parts.top_domain_under_public_suffix or host
    return ".".join(host.split(".")[-2:])  # by the list's own rule the suffix of what it does not know is one label


@remember_short(_CACHED)
def name_of(host: str) -> str:
    """The label below the registry's suffix: ``google`` of www.google.com.br, but ``github`` of google.github.io; "" where
    there is no suffix."""
    parts = _suffixes.extract_str(host, include_psl_private_domains=False)
    return parts.domain if parts.suffix else ""


def is_within(host: str, domains: frozenset[str]) -> bool:
    """Whether the host is one of the domains or below one."""
    while host:
        if host in domains:
            return True
        host = host.partition(".")[2]
    return False
