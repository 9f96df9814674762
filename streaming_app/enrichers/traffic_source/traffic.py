"""Where a visit came from, as values: the ten traffic columns, and what they are inferred from."""

from __future__ import annotations

from typing import NamedTuple


class Traffic(NamedTuple):
    """The ten ``traffic_source_*`` columns, in the order of ``model.tables.TRAFFIC``."""

    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    content: str | None = None
    term: str | None = None
    campaign_id: str | None = None
    clid_platform: str | None = None
    clid: str | None = None
    channel_group: str | None = None
    category: str | None = None

    def or_else(self, other: Traffic) -> Traffic:
        """Fill missing fields from another instance."""
        return Traffic(*(mine or theirs for mine, theirs in zip(self, other, strict=True)))


def as_one_word(name: str) -> str:
    """A name in lower case, without what parts its words.

    >>> as_one_word("stack-overflow"), as_one_word("Stack Overflow")
    ('stackoverflow', 'stackoverflow')
    """
    return "".join(filter(str.isalnum, name.lower()))


_DIRECT = frozenset({"direct", "(direct)"})


def without_direct(traffic: Traffic) -> Traffic:
    """A source, medium or campaign that says `Direct` says that none is known."""
    named = {"source": traffic.source, "medium": traffic.medium, "campaign": traffic.campaign}
    return traffic._replace(**{name: None for name, value in named.items() if (value or "").lower() in _DIRECT})


class Click(NamedTuple):
    """A click id that was found: which parameter, and what the table of click ids tells of it."""

    param: str
    value: str
    platform: str | None
    source: str | None
    medium: str | None
    is_paid: bool


class Campaign(NamedTuple):
    """The campaign in the address of a page."""

    utm: Traffic = Traffic()
    click: Click | None = None


class PageInfo(NamedTuple):
    """What matters of the address of a page or of a referrer; most addresses of a site are the same place.

    ``site`` is the registrable domain: example.co.uk of shop.example.co.uk. ``url`` is the address itself where a channel
    rule looks at it, else the host. ``term`` is what was searched for there.
    """

    host: str
    site: str
    url: str
    source: str | None = None
    category: str | None = None
    term: str | None = None
    campaign: Campaign = Campaign()
