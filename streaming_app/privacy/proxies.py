"""Recognises addresses of proxies, which are never those of a visitor: private ones, and those of CDNs.

The networks that CDNs publish are in ``conf/geo/cdn_networks.toml``, with the day on which they were read;
:mod:`streaming_app.privacy.renew_cdn_networks` writes that file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from functools import cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Literal, NamedTuple

import msgspec

from streaming_app.config.shipped_files import conf_file

FILE = "geo/cdn_networks.toml"

ProxyKind = Literal["private", "cdn"]
"""``private``: behind a load balancer, in the network of a company, or on the machine itself."""
Network = IPv4Network | IPv6Network

# RFC 1918, 6598 (pods of EKS have such addresses), 3927 and 1122; 4193 and 4291. The networks for documentation, which ipaddress
# calls private, too, are not among them.
_PRIVATE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
    *("fc00::/7", "fe80::/10", "::1/128"),
)


class Cdn(msgspec.Struct, frozen=True):
    """What one CDN publishes."""

    name: str
    sources: tuple[str, ...]
    """URLs of the documents that list its networks."""
    read: date
    """Day on which they were read."""
    networks: tuple[str, ...]
    """In CIDR notation."""


class _File(msgspec.Struct):
    cdn: tuple[Cdn, ...]


@cache
def cdns() -> tuple[Cdn, ...]:
    """The CDNs in the file."""
    return msgspec.toml.decode(conf_file(FILE).read_bytes(), type=_File).cdn


def networks_read() -> date:
    """The day of the oldest list in the file."""
    return min(cdn.read for cdn in cdns())


def proxy_kind(version: Literal[4, 6], number: int) -> ProxyKind | None:
    """The kind of proxy that has an address, which is given as a number; None if it may be a visitor's.

    10.1.2.3, 130.176.1.9 and 192.0.2.1:

    >>> [proxy_kind(4, number) for number in (0x0A010203, 0x82B00109, 0xC0000201)]
    ['private', 'cdn', None]
    """
    ranges = _ranges()[version]
    place = bisect_right(ranges.starts, number) - 1
    return ranges.kinds[place] if place >= 0 and number <= ranges.ends[place] else None


def merge(networks: Iterable[str]) -> list[Network]:
    """Merge networks into as few as possible, in ascending order, those of version 4 first."""
    parsed = [ip_network(each) for each in networks]
    v4 = collapse_addresses(each for each in parsed if isinstance(each, IPv4Network))
    v6 = collapse_addresses(each for each in parsed if isinstance(each, IPv6Network))
    return [*v4, *v6]


class _Ranges(NamedTuple):
    """Networks of one version in ascending order: the first and last address and the kind of proxy of each."""

    starts: list[int]
    ends: list[int]
    kinds: list[ProxyKind]


@cache
def _ranges() -> dict[int, _Ranges]:
    """Networks of proxies, by IP version."""
    published = merge(network for cdn in cdns() for network in cdn.networks)
    known: list[tuple[Network, ProxyKind]] = [(each, "private") for each in merge(_PRIVATE)]
    known += [(each, "cdn") for each in published]
    found = {version: _Ranges([], [], []) for version in (4, 6)}
    for network, kind in sorted(known, key=lambda each: int(each[0].network_address)):
        starts, ends, kinds = found[network.version]
        starts.append(int(network.network_address))
        ends.append(int(network.broadcast_address))
        kinds.append(kind)
    return found
