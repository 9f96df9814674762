"""``python -m streaming_app.privacy.renew_cdn_networks``: updates ``conf/geo/cdn_networks.toml`` from what CDNs publish.

Reads four small documents from the CDNs' websites. The file is written only if all four could be read and none has become much
shorter: if a list is incomplete, proxies of the CDN would be taken for visitors.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from streaming_app.config.shipped_files import conf_file
from streaming_app.errors import ClickstreamError, MissingDependencyError
from streaming_app.privacy.proxies import FILE, Cdn, cdns, merge

_TIMEOUT_SECONDS = 30
_LEAST_PART = 0.5
"""Minimum share of a CDN's known addresses that a new list must have; a shorter list is refused."""
_HEAD = """# Networks of CDNs: proxies, in which no visitor is. `trusted_proxies: auto` of the ip enricher passes over them.
# Facts that the CDNs publish; `read` is the day on which their list said so.
# Written by: python -m streaming_app.privacy.renew_cdn_networks
"""
_IN_A_LINE = 5

_GOOGLE_PROXIES = "https://cloud.google.com/load-balancing/docs/firewall-rules"
_GOOGLE_FRONT_ENDS = (
    *("35.191.0.0/16", "130.211.0.0/22", "2600:2d00:1:b029::/64", "2600:2d00:1:1::/64"),
    *(
        "34.96.0.0/20",
        "34.127.192.0/18",
    ),  # connections to servers outside of Google: TXT record of _cloud-eoips.googleusercontent.com
)
"""Networks of Google's load balancers, from the page above, which is not machine-readable."""


class Source(NamedTuple):
    """Where a CDN publishes its networks as JSON, and where in it they are."""

    url: str
    networks: Callable[[Any], Iterable[str]]
    further: tuple[str, ...] = ()
    """Additional networks, from ``page``."""
    page: str | None = None


def _cloudfront(document: Any) -> Iterable[str]:
    """Networks that visitors connect to, and networks that connect to origins."""
    for key, name in (("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")):
        yield from (each[name] for each in document[key] if each["service"].startswith("CLOUDFRONT"))


def _cloudflare(document: Any) -> Iterable[str]:
    return [*document["result"]["ipv4_cidrs"], *document["result"]["ipv6_cidrs"]]


def _fastly(document: Any) -> Iterable[str]:
    return [*document["addresses"], *document["ipv6_addresses"]]


def _google(document: Any) -> Iterable[str]:
    """Networks of load balancers, which have no region; those with a region are customers' machines, and may be visitors."""
    anywhere = [each for each in document["prefixes"] if each["scope"] == "global"]
    return [each.get("ipv4Prefix") or each["ipv6Prefix"] for each in anywhere]


SOURCES = {
    "CloudFront": Source("https://ip-ranges.amazonaws.com/ip-ranges.json", _cloudfront),
    "Cloudflare": Source("https://api.cloudflare.com/client/v4/ips", _cloudflare),
    "Fastly": Source("https://api.fastly.com/public-ip-list", _fastly),
    "Google": Source("https://www.gstatic.com/ipranges/cloud.json", _google, _GOOGLE_FRONT_ENDS, _GOOGLE_PROXIES),
}


def renew(target: Path, sources: Mapping[str, Source], known: Iterable[Cdn], today: date) -> None:
    """Write the file ``target`` from the sources.

    Raises:
        MissingDependencyError: some could not be read or are not as expected; the message has a line for each.
    """
    before = {cdn.name: cdn for cdn in known}
    found, problems = [], []
    for name, source in sources.items():
        try:
            found.append(_read(name, source, before.get(name), today))
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            problems.append(f"{source.url}: {type(error).__name__}: {error}")
    if problems:
        raise MissingDependencyError("\n".join(problems), f"{target} stays as it was; try again, or see what the address answers")
    target.write_text(_HEAD + "".join(map(_entry, found)), encoding="utf-8")


def _read(name: str, source: Source, before: Cdn | None, today: date) -> Cdn:
    with urllib.request.urlopen(source.url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the addresses above
        document = json.load(answer)
    networks = tuple(map(str, merge([*source.networks(document), *source.further])))
    if before and _size(networks) < _LEAST_PART * _size(before.networks):
        raise ValueError(f"lists {_size(networks):,} addresses of version 4, the file has {_size(before.networks):,}")
    pages = (source.page,) if source.page else ()
    return Cdn(name, (source.url, *pages), today, networks)


def _size(networks: Iterable[str]) -> int:
    """Number of version 4 addresses; version 6 networks are too large for their sizes to be compared."""
    return sum(each.num_addresses for each in merge(networks) if each.version == 4)


def _entry(cdn: Cdn) -> str:
    quoted = [f'"{network}"' for network in cdn.networks]
    rows = [", ".join(quoted[start : start + _IN_A_LINE]) for start in range(0, len(quoted), _IN_A_LINE)]
    listed = "".join(f"  {row},\n" for row in rows)
    sources = ", ".join(f'"{each}"' for each in cdn.sources)
    return f'\n[[cdn]]\nname = "{cdn.name}"\nsources = [{sources}]\nread = {cdn.read}\nnetworks = [\n{listed}]\n'


def main() -> int:
    try:
        renew(conf_file(FILE), SOURCES, cdns(), datetime.now(UTC).date())
    except ClickstreamError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
