"""Infers the ten traffic columns from the client's own columns, the page's URL and the referrers.

What the client sent is kept, only what is missing is inferred. The order of steps is the reference system's, without
its flaws F12, F23, F24, F34 and F35.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from streaming_app.enrichers.traffic_source.rules import TrafficRules
from streaming_app.enrichers.traffic_source.traffic import Click, PageInfo, Traffic, without_direct

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
"""Values that clients send for no value; ``{}`` for no click id."""


class EventContext(NamedTuple):
    """The inputs of the inference for one event: the client's own columns, its page, its referrers."""

    client: Traffic
    page: PageInfo | None
    page_referrer: PageInfo | None
    latest_referrer: PageInfo | None


def infer(context: EventContext, rules: TrafficRules) -> Traffic:
    """The ten columns of an event; source, channel group and category are never null.

    1. A client that knows its source, channel group and category is believed.
    2. Campaign: the client's columns, completed from the page's UTM parameters and click id.
    3. Source: of the campaign, else of the click id or of an external referrer; without one the visit is direct.
    4. Category and medium follow from the source, the referrer and the click id.
    5. Channel group: the first channel rule that matches the columns so far.
    """
    client = context.client
    if client.source and client.channel_group and client.category:
        return client
    client = without_direct(Traffic(*(None if value in _NOTHING else value for value in client)))
    referrer = _find_external_referrer(context, rules)
    known, click = _campaign(client, context, rules)
    source = known.source or _source(click, referrer)
    if source is None:
        return _direct(known, click, context, rules)
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


def _find_external_referrer(context: EventContext, rules: TrafficRules) -> PageInfo | None:
    referrers = (context.latest_referrer, context.page_referrer)
    return next((each for each in referrers if each and rules.is_external(each, context.page)), None)


def _campaign(client: Traffic, context: EventContext, rules: TrafficRules) -> tuple[Traffic, Click | None]:
    """The client's columns, completed from the URL of the page, or else of a page of one's own that led to it.

    A URL whose source differs from the client's belongs to another campaign and is skipped.
    """
    click = _client_click(client.clid, rules)
    for page in (context.page, context.latest_referrer, context.page_referrer):
        if page is None or (page is not context.page and not rules.is_own(page, context.page)):
            continue  # the parameters of an external referrer's URL brought the visitor there, not here
        utm, its_click = page.campaign
        if client.source and utm.source and utm.source.lower() != client.source.lower():
            continue
        if utm.source or its_click or page is context.page:
            client = client.or_else(utm)
            click = click or its_click
        if client.source or click:
            break
    if click:
        text = client.clid or msgspec.json.encode({"type": click.param, "value": click.value}).decode()
        client = client._replace(clid=text, clid_platform=client.clid_platform or click.platform)
    return client, click


def _client_click(clid: str | None, rules: TrafficRules) -> Click | None:
    """The click id that the client sent, JSON text {type, value}; one of an unknown type counts as paid."""
    if not clid:
        return None
    try:
        sent = msgspec.json.decode(clid)
        kind, value = str(sent["type"]), str(sent["value"])
    except (msgspec.MsgspecError, TypeError, KeyError, RecursionError):
        kind, value = "", clid
    return rules.campaigns.click(kind, value) or Click(kind, value, None, None, None, is_paid=True)


def _source(click: Click | None, referrer: PageInfo | None) -> str | None:
    """The source by the click id of an ad or a newsletter, else by the referrer; for a shared link the referrer goes first."""
    by_click = click.source if click else None
    by_referrer = (referrer.source or referrer.host) if referrer else None
    is_shared = click is not None and not click.is_paid and click.medium is None
    return by_referrer or by_click if is_shared else by_click or by_referrer


def _category(source: str, referrer: PageInfo | None, rules: TrafficRules, *, from_referrer: bool) -> str | None:
    """The category of the source by its name; of the referrer where the name is unknown, or is the referrer's own."""
    by_referrer = referrer and referrer.category
    by_name = rules.categories.of_source(source) or rules.advertising.category(source)
    return (by_referrer if from_referrer else None) or by_name or by_referrer


def _medium(source: str | None, category: str | None, click: Click | None, rules: TrafficRules) -> str | None:
    """The medium of the click id, of advertising by the campaign's ``source``, or of the category; else None."""
    if click and (click.medium or click.is_paid):
        return f"({click.medium or 'CPC'})"
    if source and (medium := rules.advertising.medium(source)):
        return f"({medium})"
    return _MEDIUM_OF_CATEGORY.get(category or "")


def _channel(found: Traffic, click: Click | None, referrer: PageInfo | None, rules: TrafficRules) -> str | None:
    """The channel group by the rules; they do not see an unpaid click id, nor the category `Unassigned`."""
    fields = {f"traffic_source_{name}": value for name, value in found._asdict().items()}
    fields["traffic_source_medium"] = found.medium and _PARENTHESES.sub("", found.medium)
    if click and not click.is_paid:
        fields["traffic_source_clid"] = None
    if found.category == UNASSIGNED:
        fields["traffic_source_category"] = None
    fields["page_view_latest_referrer"] = referrer and referrer.url
    fields["page_view_latest_referrer_host"] = referrer and referrer.host
    return rules.channels.first(fields)


def _direct(known: Traffic, click: Click | None, context: EventContext, rules: TrafficRules) -> Traffic:
    """The columns without a source: a page of one's own led here, or none did. What else the client or a campaign said stays."""
    came_from = context.latest_referrer or context.page_referrer
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
