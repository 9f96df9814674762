"""The rules of the inference for one app: the rule files, and the referrers that are not sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streaming_app.enrichers.traffic_source.advertising import Advertising
from streaming_app.enrichers.traffic_source.campaigns import CampaignReader
from streaming_app.enrichers.traffic_source.channels import Channels
from streaming_app.enrichers.traffic_source.referrer_categories import Categories
from streaming_app.enrichers.traffic_source.traffic import PageInfo
from streaming_app.enrichers.traffic_source.urls import is_within, parse_page_url, site_of
from streaming_app.model.bounded_cache import bounded_cache

# A page is seen by several events in a row; the bound keeps a worker's memory flat.
_CACHED = 8_192


@dataclass(frozen=True)
class Domains:
    """Hosts that stand for themselves and all below them: one's own, and those whose return pages are no sources."""

    own: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()

    @classmethod
    def of(cls, own: Iterable[str], ignored: Iterable[str]) -> Domains:
        return cls(*(frozenset(_host(each).removeprefix("www.") for each in hosts) for hosts in (own, ignored)))


def _host(text: str) -> str:
    """A host as addresses are compared: in lower case, an international name as its ASCII form."""
    address = parse_page_url(text)
    return address.host if address else text.lower()


class TrafficRules:
    """The rules of one app. Its answers depend on their arguments alone: its caches change no result."""

    def __init__(
        self,
        categories: Categories,
        channels: Channels,
        campaigns: CampaignReader,
        advertising: Advertising,
        domains: Domains,
    ) -> None:
        self.categories, self.channels, self.campaigns, self.advertising = categories, channels, campaigns, advertising
        self._domains = domains
        self.read_page = bounded_cache(_CACHED)(self._read_page)

    def _read_page(self, url: str) -> PageInfo | None:
        """The relevant parts of the address of a page or a referrer; None if it is invalid."""
        address = parse_page_url(url)
        if address is None:
            return None
        campaign = self.campaigns.read(address)
        found = self.categories.of_referrer(address)
        source, category, term = found or (None, None, None)
        shown = (not self.channels.look_at_urls and address.host) or url
        return PageInfo(address.host, site_of(address.host), shown, source, category, term, campaign)

    def is_external(self, referrer: PageInfo, page: PageInfo | None) -> bool:
        """Whether a referrer can be a source: not the page's own site, nor one's own or an ignored domain."""
        return not (self.is_own(referrer, page) or is_within(referrer.host, self._domains.ignored))

    def is_own(self, referrer: PageInfo, page: PageInfo | None) -> bool:
        """Whether a referrer is a page of one's own, as one without a host must be."""
        same_site = page is not None and referrer.site == page.site
        return same_site or not referrer.host or is_within(referrer.host, self._domains.own)
