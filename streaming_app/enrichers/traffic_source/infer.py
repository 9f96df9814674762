"""The inference: from what the client sent, the page's address and the referrers to the ten traffic columns.

What the client supplied is kept, only what is missing is inferred. The order of steps is the reference system's, without
its flaws F12, F23, F24, F34 and F35.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from streaming_app.enrichers.traffic_source.rules import Rules
from streaming_app.enrichers.traffic_source.traffic import Click, Place, Traffic, without_direct

DIRECT, INTERNAL, UNASSIGNED, NONE = "Direct", "Internal", "Unassigned", "None"
_MEDIUM_OF_CATEGORY = {
    "Search": "(Organic)",
    "Social": "(Referral)",
    "Video": "(Referral)",
    "Shopping": "(Referral)",
    "Referral": "(Referral)",
    "AI Assistant": "(Referral)",
    "Email": "(Email)",
}
"""Inferred media are in parentheses, so that they can be told from a campaign's own (as in the reference system)."""
_PARENTHESES = re.compile(r"[()]")
_NOTHING = (None, "", "{}")
"""What clients send for nothing; the last for a click id."""


class Visit(NamedTuple):
    """What is known of one event: the client's own columns, its page, and its referrers."""

    client: Traffic
    page: Place | None
    page_referrer: Place | None
    latest_referrer: Place | None


def infer(visit: Visit, rules: Rules) -> Traffic:
    """The ten columns of an event; source, channel group and category are never null."""
    client = visit.client
    if client.source and client.channel_group and client.category:
        return client
    client = without_direct(Traffic(*(None if value in _NOTHING else value for value in client)))
    referrer = _foreign_referrer(visit, rules)
    known, click = _campaign(client, visit, rules)
    source = known.source or _source(click, referrer)
    if source is None:
        return _direct(known, click, visit, rules)
    from_referrer = referrer is not None and source.lower() in ((referrer.source or "").lower(), referrer.host)
    found = known._replace(
        source=source,
        term=known.term or (referrer.term if referrer and from_referrer else None),
        category=known.category or _category(source, referrer, rules, from_referrer=from_referrer),
    )
    found = found._replace(medium=found.medium or _medium(known.source, found.category, click, rules))
    # To the channel rules the medium of an unknown referrer is empty: they look at the referrer itself.
    channel = found.channel_group or _channel(found, click, referrer, rules) or UNASSIGNED
    medium = found.medium or ("(Referral)" if referrer else NONE)
    return found._replace(medium=medium, channel_group=channel, category=found.category or UNASSIGNED)


def _foreign_referrer(visit: Visit, rules: Rules) -> Place | None:
    referrers = (visit.latest_referrer, visit.page_referrer)
    return next((each for each in referrers if each and rules.is_foreign(each, visit.page)), None)


def _campaign(client: Traffic, visit: Visit, rules: Rules) -> tuple[Traffic, Click | None]:
    """The client's columns, completed from the address of the page, or else of one's own page that led to it.

    An address whose source is another than the client's tells of another campaign.
    """
    click = _client_click(client.clid, rules)
    for place in (visit.page, visit.latest_referrer, visit.page_referrer):
        if place is None or (place is not visit.page and not rules.is_own(place, visit.page)):
            continue  # the parameters in a foreign referrer's address brought the visitor there, not here
        utm, its_click = place.campaign
        if client.source and utm.source and utm.source.lower() != client.source.lower():
            continue
        if utm.source or its_click or place is visit.page:
            client = client.or_else(utm)
            click = click or its_click
        if client.source or click:
            break
    if click:
        text = client.clid or msgspec.json.encode({"type": click.param, "value": click.value}).decode()
        client = client._replace(clid=text, clid_platform=client.clid_platform or click.platform)
    return client, click


def _client_click(clid: str | None, rules: Rules) -> Click | None:
    """The click id that the client sent, JSON text {type, value}; one of an unknown type counts as paid: the client says so."""
    if not clid:
        return None
    try:
        sent = msgspec.json.decode(clid)
        kind, value = str(sent["type"]), str(sent["value"])
    except (msgspec.MsgspecError, TypeError, KeyError, RecursionError):
        kind, value = "", clid
    return rules.campaigns.click(kind, value) or Click(kind, value, None, None, None, is_paid=True)


def _source(click: Click | None, referrer: Place | None) -> str | None:
    """A click id of an advertisement or a letter says whose link it was; that of a shared link says less than the referrer."""
    by_click = click.source if click else None
    by_referrer = (referrer.source or referrer.host) if referrer else None
    is_shared = click is not None and not click.is_paid and click.medium is None
    return by_referrer or by_click if is_shared else by_click or by_referrer


def _category(source: str, referrer: Place | None, rules: Rules, *, from_referrer: bool) -> str | None:
    """That of the source by its name; of a name that is not known, or that is the referrer's own, that of the referrer."""
    by_referrer = referrer and referrer.category
    by_name = rules.categories.of_source(source) or rules.advertising.category(source)
    return (by_referrer if from_referrer else None) or by_name or by_referrer


def _medium(source: str | None, category: str | None, click: Click | None, rules: Rules) -> str | None:
    """That of the click id, of advertising by the campaign's ``source``, or of the category; None where nothing tells."""
    if click and (click.medium or click.is_paid):
        return f"({click.medium or 'CPC'})"
    if source and (medium := rules.advertising.medium(source)):
        return f"({medium})"
    return _MEDIUM_OF_CATEGORY.get(category or "")


def _channel(found: Traffic, click: Click | None, referrer: Place | None, rules: Rules) -> str | None:
    """By the rules: to them an unpaid click id is none, and `Unassigned` is no category."""
    fields = {f"traffic_source_{name}": value for name, value in found._asdict().items()}
    fields["traffic_source_medium"] = found.medium and _PARENTHESES.sub("", found.medium)
    if click and not click.is_paid:
        fields["traffic_source_clid"] = None
    if found.category == UNASSIGNED:
        fields["traffic_source_category"] = None
    fields["page_view_latest_referrer"] = referrer and referrer.url
    fields["page_view_latest_referrer_host"] = referrer and referrer.host
    return rules.channels.first(fields)


def _direct(known: Traffic, click: Click | None, visit: Visit, rules: Rules) -> Traffic:
    """No source: a page of one's own led here, or nothing did. What else the client or a campaign told still counts."""
    came_from = visit.latest_referrer or visit.page_referrer
    known = known._replace(medium=known.medium or _medium(None, known.category, click, rules))
    channel = known.channel_group or _channel(known, click, None, rules)
    is_direct = channel in (None, DIRECT)
    return known._replace(
        source=DIRECT,
        medium=known.medium or NONE,
        campaign=known.campaign or (DIRECT if is_direct else None),
        channel_group=(INTERNAL if came_from else DIRECT) if is_direct else channel,
        category=known.category or (DIRECT if is_direct else UNASSIGNED),
    )
