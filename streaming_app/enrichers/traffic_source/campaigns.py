"""The campaign in a page's address: UTM parameters and click ids."""

from __future__ import annotations

import re
from collections.abc import Sequence

from streaming_app.enrichers.traffic_source.rule_files import ClickIdRule
from streaming_app.enrichers.traffic_source.traffic import Campaign, Click, Traffic, without_direct
from streaming_app.enrichers.traffic_source.urls import parameters
from streaming_app.model.web_address import WebAddress

UTM = {
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_campaign": "campaign",
    "utm_content": "content",
    "utm_term": "term",
    "utm_id": "campaign_id",
    "utm_source_platform": "clid_platform",
}
"""Parameters of a campaign's links (Google Analytics' names, which all tools know) and their columns."""

_NOTHING = Campaign()


class CampaignReader:
    """Reads campaigns with a table of click ids, in whose order the first that is there counts."""

    def __init__(self, click_ids: Sequence[ClickIdRule]) -> None:
        self._click_ids = {rule.param.lower(): rule for rule in reversed(click_ids)}
        self._order = {param: position for position, param in enumerate(reversed(self._click_ids))}
        names = "|".join(map(re.escape, self._click_ids))
        # Most addresses have none of these: a search is ten times as fast as reading all parameters.
        self._hint = re.compile(rf"(?:^|[?&#])(utm(?:_|%5F)|(?:{names})=)", re.IGNORECASE)

    def read(self, address: WebAddress) -> Campaign:
        """The campaign in the query; where it has none, the one in the fragment (``#utm_source=…``, ``#/path?utm_…``)."""
        for part in (address.query, address.fragment):
            if part and self._hint.search(part):
                # In a fragment, and in a query that was appended to another, they follow a question mark.
                campaign = self._campaign(self._hint.sub(r"&\1", part))
                if campaign != _NOTHING:
                    return campaign
        return _NOTHING

    def _campaign(self, query: str) -> Campaign:
        first: dict[str, str] = {}
        for name, value in parameters(query):
            first.setdefault(name, value)
        clicks = sorted(first.keys() & self._click_ids.keys(), key=self._order.__getitem__)
        click = self.click(clicks[0], first[clicks[0]]) if clicks else None
        utm = Traffic(**{UTM[name]: value for name, value in first.items() if name in UTM})
        return Campaign(without_direct(utm), click)

    def click(self, param: str, value: str) -> Click | None:
        """What is known of a click id; None if it is not in the table."""
        rule = self._click_ids.get(param.lower())
        return Click(rule.param, value, rule.platform, rule.source, rule.medium, rule.paid) if rule else None
