"""Addresses of pages and referrers: their parameters, their site and its name."""

from __future__ import annotations

from urllib.parse import parse_qsl

from tldextract import TLDExtract

from streaming_app.model.bounded_cache import bounded_cache
from streaming_app.model.web_address import WebAddress, read_address

# The list that comes with the library: a worker must never wait for a download.
_suffixes = TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)
_CACHED = 8_192


def parse_page_url(url: str) -> WebAddress | None:
    """An address with a host, or a relative one; None of others, as of files and of broken ones."""
    address = read_address(url)
    return address if address and (address.host or address.is_relative) else None


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


@bounded_cache(_CACHED)
def site_of(host: str) -> str:
    """The registrable domain of a host, or the host itself where it has none (an address, a name of the local network).

    >>> site_of("shop.example.co.uk"), site_of("me.github.io"), site_of("10.0.0.1")
    ('example.co.uk', 'me.github.io', '10.0.0.1')
    """
    parts = _suffixes.extract_str(host)
    if parts.suffix or parts.ipv4 or parts.ipv6:
        return parts.top_domain_under_public_suffix or host
    return ".".join(host.split(".")[-2:])  # by the list's own rule the suffix of what it does not know is one label


@bounded_cache(_CACHED)
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
