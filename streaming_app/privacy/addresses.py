"""Reads client addresses from headers like X-Forwarded-For, and truncates, hashes or drops them before they are stored.

Text in, text out; names are never resolved, and nothing that a client sends raises an exception.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import AF_INET, inet_pton
from typing import Literal

from streaming_app.privacy.address_text import replace_any_address
from streaming_app.privacy.proxies import ProxyKind, proxy_kind
from streaming_app.privacy.scrub import replace_addresses

_CACHED = 16_384
_LONGEST = 100
"""Maximum characters of an entry, to keep the caches small; the longest address with zone, brackets and port has fewer."""
_MOST = 64
"""Number of entries of a list that are stored, from its end: a client can send more than any chain of proxies has."""
# 192.0.2.1:443, [2001:db8::1], [2001:db8::1]:443; a v6 address without brackets has no port.
_WITH_PORT = re.compile(r"(?:\[([^\[\]]*)\]|([0-9.]+))(?::[0-9]{1,5})?")
_HASH_DIGITS = 32
_HASHED = re.compile(rf"[0-9a-f]{{{_HASH_DIGITS}}}")


TrustedProxies = int | Literal["auto"]


def client_address(header: str | None, trusted_proxies: TrustedProxies = "auto") -> str | None:
    """The client's address in a list, in canonical form; None if it cannot be read.

    The last entry was added by the pipeline's own load balancer, the ones before it by proxies, and the first ones may have been
    sent by the client and cannot be trusted.

    ``auto`` skips entries from the right whose address is that of a proxy: private ones, and those in the networks of CDNs
    (:mod:`streaming_app.privacy.proxies`). The next entry is the client, even if it cannot be read. If all are proxies, it is
    the first of the list, as in nginx, Express and Rails. A number skips so many entries, whatever they are; if the list is
    shorter, its first entry is taken.

    >>> client_address("10.9.9.9, 192.0.2.1:5000"), client_address("10.9.9.9, 2001:DB8::1, 130.176.1.9, 10.0.0.7")
    ('192.0.2.1', '2001:db8::1')
    >>> client_address("2001:DB8::1, 198.51.100.1", 1)
    '2001:db8::1'
    """
    entries = _entries(header or "")
    if not entries:
        return None
    if trusted_proxies == "auto":
        for entry in reversed(entries):
            address, kind = _with_kind(entry)
            if kind is None:
                return address
        return canonical(entries[0])
    return canonical(entries[max(0, len(entries) - 1 - trusted_proxies)])


@lru_cache(_CACHED)
def canonical(entry: str) -> str | None:
    """One entry without port, brackets, quotes and zone, a v4 address mapped into v6 as v4; None if it is no address."""
    address = _address(entry)
    return None if address is None else str(address)


def is_cdn(entry: str) -> bool:
    """Whether an entry's address is in a published network of a CDN."""
    return _with_kind(entry)[1] == "cdn"


@lru_cache(_CACHED)
def _with_kind(entry: str) -> tuple[str | None, ProxyKind | None]:
    """An entry's address in its canonical form, and what kind of proxy it is, if any."""
    try:
        packed = inet_pton(AF_INET, entry)  # most entries are in canonical form, for which this takes a tenth of the time
    except (OSError, ValueError):
        address = _address(entry)
        return (None, None) if address is None else (str(address), proxy_kind(address.version, int(address)))
    return entry, proxy_kind(4, int.from_bytes(packed, "big"))


@dataclass(frozen=True, slots=True)
class AddressPrivacy:
    """How addresses are treated before they are stored.

    ``keep``: unchanged. ``truncate``: reduced to the network, /24 (v4) or /48 (v6). ``hash``: replaced by 32 hex digits, the
    same for the same address and ``key``. ``drop``: removed. Entries that are not addresses are removed too, except with
    ``keep``, and except for hashes, which a replay must not lose.
    """

    mode: Literal["keep", "truncate", "hash", "drop"] = "keep"
    key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.mode == "hash" and not self.key:
            raise ValueError("hash needs a key")

    def apply(self, header: str | None) -> str | None:
        """Treat a header with one address or a list; None if nothing is left. Idempotent."""
        if self.mode == "keep" or header is None:
            return header
        if self.mode == "drop":
            return None
        kept = (self._less(entry) for entry in _entries(header)[-_MOST:])
        return ", ".join(each for each in kept if each) or None

    def scrub(self, raw: str) -> str:
        """Treat the addresses in raw text, which may be incomplete JSON; "" if nothing may be kept."""
        return raw if self.mode == "keep" else replace_addresses(raw, lambda value: self.apply(value) or "")

    def clean(self, text: str, header: str | None = None, lead: str = "") -> str:
        """Treat every address in any text, whatever its key; ``header`` has addresses known to be the client's, ``lead`` is the
        context before the text. Idempotent."""
        if self.mode == "keep":
            return text
        known = {found for entry in _entries(header or "") if (found := canonical(entry))}
        return replace_any_address(self.scrub(text), lambda value: self.apply(value) or "", known, lead)

    def _less(self, entry: str) -> str | None:
        return _network(entry) if self.mode == "truncate" else _digest(entry, self.key or "")


def _entries(header: str) -> list[str]:
    """Entries of a list, without empty ones, which RFC 9110 (5.6.1) ignores; ``?`` for one that is too long for an address."""
    return [entry if len(entry) <= _LONGEST else "?" for each in header.split(",") if (entry := each.strip())]


def _address(entry: str) -> IPv4Address | IPv6Address | None:
    text = entry.strip().strip('"').strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2] or ""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))  # without the zone


@lru_cache(_CACHED)
def _network(entry: str) -> str | None:
    address = _address(entry)
    if address is None:
        return None
    if isinstance(address, IPv4Address):
        return str(IPv4Address(int(address) >> 8 << 8))
    bits = 40 if address.sixtofour else 48  # the v4 address inside a 6to4 address (RFC 3056) loses its last 8 bits too
    return str(IPv6Address(int(address) >> (128 - bits) << (128 - bits)))


@lru_cache(_CACHED)
def _digest(entry: str, key: str) -> str | None:
    """HMAC-SHA-256 of the canonical text, its first 128 bits."""
    text = canonical(entry)
    if text is None:
        return entry if _HASHED.fullmatch(entry) else None
    return hmac.digest(key.encode(), text.encode(), "sha256").hex()[:_HASH_DIGITS]
