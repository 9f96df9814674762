"""The reference system's rule files load as they are, and give what reference/enrich.md §5 says of them."""

from __future__ import annotations

from functools import cache

import pytest

from streaming_app.enrichers.traffic_source import TrafficSource
from streaming_app.enrichers.traffic_source.options import TrafficSourceOptions
from streaming_app.storage.files import Storage
from tests.unit.enrichers.test_traffic_source import DIRECT, GCLID, INTERNAL, NOTHING, Case, table, traffic

from .fixture_files import FIXTURES, skip_without_recorded_cases

skip_without_recorded_cases()

_RULES = FIXTURES / "rules" / "input"
_PAGE = "https://www.example.com/"
_CAMPAIGN = "utm_source=source&utm_medium=medium&utm_campaign=campaign&utm_content=content&utm_term=term&utm_id=id&xclid=1"

ANCHORS = [
    Case.of("no referrers", {"page": _PAGE}, DIRECT),
    Case.of("no URL, no referrers: nothing is made up (issue: events with a URL, a referrer or client fields)", {}, NOTHING),
    Case.of("a campaign; xclid is in no table of click ids (F34)", {"page": f"{_PAGE}?{_CAMPAIGN}"}, "source | medium | campaign | Unassigned | Unassigned", content="content", term="term", campaign_id="id"),
    Case.of("gclid without a source", {"page": f"{_PAGE}?gclid=1&utm_campaign=shopping"}, "Google | (CPC) | shopping | Paid Search | Search", **GCLID),
    Case.of("google.com: its entry has no params", {"page": _PAGE, "ref": "https://google.com/search?q=flowers"}, "Google | (Organic) | - | Organic Search | Search"),
    Case.of("a country domain of Google", {"page": _PAGE, "last": "https://i.search.google.se"}, "Google | (Organic) | - | Organic Search | Search"),
    Case.of("mobile Facebook", {"page": _PAGE, "ref": "http://m.facebook.com/"}, "Facebook | (Referral) | - | Organic Social | Social"),
    Case.of("the same host", {"page": _PAGE, "ref": f"{_PAGE}a"}, INTERNAL),
    Case.of("the same host, both referrers", {"page": _PAGE, "ref": f"{_PAGE}a", "last": f"{_PAGE}b"}, INTERNAL),
    Case.of("a campaign and an unknown referrer", {"page": f"{_PAGE}?utm_source=source&utm_medium=referral&utm_campaign=may", "ref": "https://hk.news.yahoo.com/a"}, "source | referral | may | Referral | Unassigned"),
    # what the files say, by §5 steps 6 to 11
    Case.of("the latest referrer, with its term", {"page": _PAGE, "last": "https://www.baidu.com/s?wd=flowers", "ref": "https://www.google.com/"}, "Baidu | (Organic) | - | Organic Search | Search", term="flowers"),
    Case.of("an entry with a path", {"page": _PAGE, "ref": "https://www.bing.com/images/search?q=flowers"}, "Bing Images | (Organic) | - | Organic Search | Search", term="flowers"),
    Case.of("the category Referral, of which no rule speaks (gtm-01)", {"page": _PAGE, "ref": "https://tagassistant.google.com/"}, "tagassistant.google.com | (Referral) | - | Unassigned | Referral"),
    Case.of("an internal host", {"page": _PAGE, "ref": "https://wiki.internal.example/"}, "wiki.internal.example | (Referral) | - | Internal | Unassigned"),
    Case.of("an unknown host", {"page": _PAGE, "ref": "https://partner.example/"}, "partner.example | (Referral) | - | Referral | Unassigned"),
    Case.of("a source by its name, whatever its case (F35)", {"page": f"{_PAGE}?utm_source=youtube"}, "youtube | (Referral) | - | Organic Video | Video"),
    Case.of("a source of the client's, the page before is its own (F23)", {"page": _PAGE, "ref": f"{_PAGE}a", "host": "www.example.com", "source": "TSS"}, "TSS | None | - | Unassigned | Unassigned"),
    Case.of("fbclid alone is not paid (F34)", {"page": f"{_PAGE}?fbclid=1"}, "Facebook | (Referral) | - | Organic Social | Social", clid='{"type":"fbclid","value":"1"}', clid_platform="Facebook"),
    Case.of("a medium of the client's without a source is kept (F12)", {"page": _PAGE, "ref": "https://www.google.com/", "medium": "cpc"}, "Google | cpc | - | Paid Search | Search"),
    Case.of("an encoded ampersand splits nothing (F36)", {"page": f"{_PAGE}?utm_source=a%26b&utm_term"}, "a&b | None | - | Unassigned | Unassigned"),
]  # fmt: skip


@cache
def _opened() -> TrafficSource:
    enricher = TrafficSource(TrafficSourceOptions(rules=str(_RULES)), Storage())
    enricher.open()
    return enricher


def test_the_files_serve_their_app() -> None:
    used = _opened().info()["rules"]
    assert used.keys() == {"*", "app1"}
    assert used["app1"]["categories"] == str(_RULES / "app1/traffic_source_category_rule_v1.json")
    assert used["app1"]["channels"] == str(_RULES / "app1/traffic_source_channel_rule_v1.json")
    assert str(_RULES) not in str(used["*"])


@pytest.mark.parametrize("case", ANCHORS, ids=lambda case: case.why)
def test_anchor(case: Case) -> None:
    assert traffic(_opened().enrich(table([case.given | {"app_id": "app1"}]))) == [case.wanted], case.given


def test_terms_of_google_video() -> None:
    """The anchor's category file had an entry for video.google.com; ours has one too, app1's has not."""
    given = {"page": _PAGE, "last": "https://video.google.com?q=flowers&q=football"}
    wanted = Case.of("", given, "Google Video | (Organic) | - | Organic Search | Search", term="flowers,football").wanted
    assert traffic(_opened().enrich(table([given]))) == [wanted]
