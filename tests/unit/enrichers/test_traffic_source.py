"""Where visits come from: addresses, referrers and what clients say, by the shipped rules; and what holds for any input."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.config.shipped_files import conf_file
from streaming_app.enrichers.traffic_source import TrafficSource
from streaming_app.enrichers.traffic_source.options import TrafficSourceOptions
from streaming_app.enrichers.traffic_source.traffic import Traffic
from streaming_app.storage.files import Storage
from tests.support.examples import costly

URLS = {
    "page": "page_view_page_url",
    "ref": "page_view_page_referrer",
    "last": "page_view_latest_referrer",
    "host": "page_view_hostname",
    "last_host": "page_view_latest_referrer_host",
}
"""Short names of the columns that are read."""
TRAFFIC = [f"traffic_source_{field}" for field in Traffic._fields]
OPTIONS = TrafficSourceOptions.model_validate(
    {
        "own_domains": ["brand.example", "WWW.Bücher.example"],
        "apps": {
            "no-ignored": {"ignored_referrers": []},
            "own-ignored": {"ignored_referrers": ["pay.partner.example"]},
            "more-ignored": {"ignored_referrers": ["default", "Pay.Partner.Example"]},
            "no-own": {"own_domains": []},
        },
    }
)
CHANNELS: list[dict[str, Any]] = json.loads(conf_file("rules/traffic_source_channel_rule_v1.json").read_text())
CLICK_IDS: list[dict[str, Any]] = json.loads(conf_file("rules/click_ids.json").read_text())

SHOP = "https://shop.example.com/"
GOOGLE = "https://www.google.com/"
DIRECT = "Direct | None | Direct | Direct | Direct"
INTERNAL = "Direct | None | Direct | Internal | Direct"
NOTHING = "- | - | - | - | -"


class Case(NamedTuple):
    """What is given, and the ten columns that are wanted of it; ``why`` is the name of the case."""

    why: str
    given: dict[str, str]
    wanted: Traffic

    @classmethod
    def of(cls, why: str, given: dict[str, str], wanted: str, **more: str) -> Case:
        """``wanted`` is ``source | medium | campaign | channel | category``, - for null; other columns are null or ``more``."""
        five = ("source", "medium", "campaign", "channel_group", "category")
        texts = (None if text == "-" else text for text in wanted.split(" | "))
        return cls(why, given, Traffic(**dict(zip(five, texts, strict=True)), **more))


def at(query: str, why: str, wanted: str, ref: str = "", **more: str) -> Case:
    """A page of the shop with a query or fragment."""
    return Case.of(why, {"page": SHOP + query, "ref": ref}, wanted, **more)


def come(why: str, wanted: str, term: str | None = None, client: dict[str, str] | None = None, **given: str) -> Case:
    """Any columns; ``client`` are those of the traffic source."""
    return Case.of(why, given | (client or {}), wanted, **({"term": term} if term else {}))


def clid(kind: str, value: str, platform: str) -> dict[str, str]:
    return {"clid": json.dumps({"type": kind, "value": value}, separators=(",", ":")), "clid_platform": platform}


GCLID = clid("gclid", "1", "Google Ads")
FBCLID = clid("fbclid", "1", "Facebook")

UTM = [
    at("?utm_source=partner", "source alone", "partner | None | - | Unassigned | Unassigned"),
    at("?utm_source=partner&utm_medium=email&utm_campaign=may&utm_content=top&utm_term=mug&utm_id=42&utm_source_platform=Mailer", "all seven", "partner | email | may | Email | Unassigned", content="top", term="mug", campaign_id="42", clid_platform="Mailer"),
    at("?UTM_SOURCE=Partner&Utm_Medium=E-Mail", "names in capitals, values as they are", "Partner | E-Mail | - | Email | Unassigned"),
    at("?utm_source=caf%C3%A9%20m%C3%BCller&utm_campaign=a+b", "percent-encoded and plus", "café müller | None | a b | Unassigned | Unassigned"),
    at("?utm_source=café", "not encoded at all", "café | None | - | Unassigned | Unassigned"),
    at("?utm_source=a%2526b", "decoded once", "a%26b | None | - | Unassigned | Unassigned"),
    at("?utm_source=partner&utm_campaign=x%26utm_medium%3Dcpc", "an encoded ampersand splits nothing", "partner | None | x&utm_medium=cpc | Unassigned | Unassigned"),
    at("?utm_source=partner&utm_campaign=1%2B1", "an encoded plus", "partner | None | 1+1 | Unassigned | Unassigned"),
    at("?utm_source=partner&utm_medium=%zz", "a broken escape", "partner | %zz | - | Unassigned | Unassigned"),
    at("?utm_source=%ff", "no UTF-8", "\ufffd | None | - | Unassigned | Unassigned"),
    at("?utm%5Fsource=partner", "an encoded name", "partner | None | - | Unassigned | Unassigned"),
    at("?utm_source=first&utm_source=second", "the first of two", "first | None | - | Unassigned | Unassigned"),
    at("?utm_source=&utm_source=second", "the first that is not empty", "second | None | - | Unassigned | Unassigned"),
    at("?utm_source=+partner%20", "blanks around it", "partner | None | - | Unassigned | Unassigned"),
    at("?utm_source=&utm_medium=", "empty ones", DIRECT),
    at("?utm_source", "without a value", DIRECT),
    at("?xutm_source=partner&utm_sourcex=partner", "other names", DIRECT),
    at("?next=%3Futm_source%3Dpartner", "within another value", DIRECT),
    at("#utm_source=partner&utm_medium=email", "in the fragment", "partner | email | - | Email | Unassigned"),
    at("#/path?utm_source=partner", "in a path in the fragment", "partner | None | - | Unassigned | Unassigned"),
    at("?utm_source=query#utm_source=fragment&utm_medium=email", "query before fragment", "query | None | - | Unassigned | Unassigned"),
    at("?page=2#utm_source=partner", "fragment after another query", "partner | None | - | Unassigned | Unassigned"),
    at("?utm_source=&x=1#utm_source=partner", "fragment after an empty campaign", "partner | None | - | Unassigned | Unassigned"),
    at("?page=2?utm_source=partner", "appended to a query", "partner | None | - | Unassigned | Unassigned"),
    at("?utm_source=partner&q=what?", "a question mark after it", "partner | None | - | Unassigned | Unassigned"),
    at("?utm_campaign=why?me&utm_source=partner", "a question mark within it", "partner | None | why?me | Unassigned | Unassigned"),
    at("?utm_source=" + "n" * 65_000, "65,000 characters", f"{'n' * 65_000} | None | - | Unassigned | Unassigned"),
    at("?" + "a=1&" * 1_100 + "utm_source=partner", "more than 1,000 parameters are no campaign's", DIRECT),
    at("?utm_source=Direct&utm_medium=cpc", "source Direct is none", "Direct | cpc | - | Paid Other | Unassigned"),
    at("?utm_source=(direct)&utm_campaign=DIRECT", "nor is (direct)", DIRECT),
    at("?utm_medium=cpc", "medium alone", "Direct | cpc | - | Paid Other | Unassigned"),
    at("?utm_campaign=may", "campaign alone", "Direct | None | may | Direct | Direct"),
    at("?utm_medium=cpc&utm_campaign=may", "no source, but a referrer", "Google | cpc | may | Paid Search | Search", ref=GOOGLE),
    at("?utm_source=partner", "a source and a referrer that is another: the referrer's category, not its term", "partner | (Organic) | - | Organic Search | Search", ref=f"{GOOGLE}search?q=mug"),
    at("?utm_source=GOOGLE", "a source and its own referrer: its term too", "GOOGLE | (Organic) | - | Organic Search | Search", ref=f"{GOOGLE}search?q=mug", term="mug"),
    at("?utm_source=google&utm_term=own", "the campaign's term first", "google | (Organic) | - | Organic Search | Search", ref=f"{GOOGLE}search?q=mug", term="own"),
    at("?utm_source=partner&utm_medium=email", "medium before category", "partner | email | - | Email | Social", ref="https://www.facebook.com/"),
]  # fmt: skip

# query, source, medium, channel, category
CAMPAIGNS = [
    ("utm_source=google", "google | (Organic) | - | Organic Search | Search"),
    ("utm_source=google&utm_medium=organic", "google | organic | - | Organic Search | Search"),
    ("utm_source=GOOGLE&utm_medium=CPC", "GOOGLE | CPC | - | Paid Search | Search"),
    ("utm_source=google.com&utm_medium=ppc", "google.com | ppc | - | Paid Search | Search"),
    ("utm_source=www.google.co.uk&utm_medium=paidsearch", "www.google.co.uk | paidsearch | - | Paid Search | Search"),
    ("utm_source=bing&utm_medium=retargeting", "bing | retargeting | - | Paid Search | Search"),
    ("utm_source=google&utm_medium=cpc&utm_campaign=shopping", "google | cpc | shopping | Paid Search | Search"),
    ("utm_source=google&utm_medium=cpc&utm_campaign=May_Cross-Network_1", "google | cpc | May_Cross-Network_1 | Cross-network | Search"),
    ("utm_source=google&utm_medium=display", "google | display | - | Display | Search"),
    ("utm_source=partner&utm_medium=cpm", "partner | cpm | - | Display | Unassigned"),
    ("utm_source=partner&utm_medium=Banner", "partner | Banner | - | Display | Unassigned"),
    ("utm_source=partner&utm_medium=cpc", "partner | cpc | - | Paid Other | Unassigned"),
    ("utm_source=partner&utm_medium=cpc&utm_campaign=eshop", "partner | cpc | eshop | Paid Shopping | Unassigned"),
    ("utm_source=partner&utm_medium=cpc&utm_campaign=bishop", "partner | cpc | bishop | Paid Other | Unassigned"),
    ("utm_source=partner&utm_campaign=Summer-Shopping", "partner | None | Summer-Shopping | Organic Shopping | Unassigned"),
    ("utm_source=amazon&utm_medium=cpc", "amazon | cpc | - | Paid Shopping | Shopping"),
    ("utm_source=amazon.co.jp", "amazon.co.jp | (Referral) | - | Organic Shopping | Shopping"),
    ("utm_source=fb&utm_medium=paid_social", "fb | paid_social | - | Paid Social | Social"),
    ("utm_source=fb&utm_medium=social", "fb | social | - | Organic Social | Social"),
    ("utm_source=m.facebook.com", "m.facebook.com | (Referral) | - | Organic Social | Social"),
    ("utm_source=https%3A%2F%2Fwww.facebook.com%2Fgroups", "https://www.facebook.com/groups | (Referral) | - | Organic Social | Social"),
    ("utm_source=0://0.al", "0://0.al | None | - | Unassigned | Unassigned"),
    ("utm_source=..", ".. | None | - | Unassigned | Unassigned"),
    ("utm_source=partner&utm_medium=social-network", "partner | social-network | - | Organic Social | Unassigned"),
    ("utm_source=partner&utm_medium=sm", "partner | sm | - | Organic Social | Unassigned"),
    ("utm_source=youtube&utm_medium=cpv", "youtube | cpv | - | Paid Video | Video"),
    ("utm_source=YouTube", "YouTube | (Referral) | - | Organic Video | Video"),
    ("utm_source=partner&utm_medium=video-ad", "partner | video-ad | - | Organic Video | Unassigned"),
    ("utm_source=newsletter&utm_medium=email", "newsletter | email | - | Email | Unassigned"),
    ("utm_source=newsletter&utm_medium=e_mail", "newsletter | e_mail | - | Email | Unassigned"),
    ("utm_source=e-mail", "e-mail | None | - | Email | Unassigned"),
    ("utm_source=Mailchimp", "Mailchimp | (Email) | - | Email | Email"),
    ("utm_source=partner&utm_medium=affiliate", "partner | affiliate | - | Affiliates | Unassigned"),
    ("utm_source=partner&utm_medium=referral", "partner | referral | - | Referral | Unassigned"),
    ("utm_source=partner&utm_medium=(referral)", "partner | (referral) | - | Referral | Unassigned"),
    ("utm_source=partner&utm_medium=link", "partner | link | - | Referral | Unassigned"),
    ("utm_source=partner&utm_medium=sms", "partner | sms | - | SMS | Unassigned"),
    ("utm_source=SMS", "SMS | None | - | SMS | Unassigned"),
    ("utm_source=partner&utm_medium=audio", "partner | audio | - | Audio | Unassigned"),
    ("utm_source=partner&utm_medium=web-push", "partner | web-push | - | Mobile Push Notifications | Unassigned"),
    ("utm_source=partner&utm_medium=mobile_app", "partner | mobile_app | - | Mobile Push Notifications | Unassigned"),
    ("utm_source=firebase&utm_medium=other", "firebase | other | - | Mobile Push Notifications | Unassigned"),
    ("utm_source=partner&utm_medium=something", "partner | something | - | Unassigned | Unassigned"),
    ("utm_source=chatgpt.com", "chatgpt.com | (Referral) | - | AI Assistant | AI Assistant"),
    ("utm_source=ChatGPT", "ChatGPT | (Referral) | - | AI Assistant | AI Assistant"),
    ("utm_source=openai", "openai | (Referral) | - | AI Assistant | AI Assistant"),
    ("utm_source=perplexity", "perplexity | (Referral) | - | AI Assistant | AI Assistant"),
    ("utm_source=claude.ai", "claude.ai | (Referral) | - | AI Assistant | AI Assistant"),
    ("utm_source=copilot.com", "copilot.com | (Referral) | - | AI Assistant | AI Assistant"),
    ("utm_source=gemini", "gemini | (Referral) | - | AI Assistant | AI Assistant"),
    ("utm_source=chatgpt.com&utm_medium=referral", "chatgpt.com | referral | - | AI Assistant | AI Assistant"),
    # Advertising by the source's name.
    ("utm_source=adwords", "adwords | (CPC) | - | Paid Search | Search"),
    ("utm_source=googleads", "googleads | (CPC) | - | Paid Search | Search"),
    ("utm_source=Google-Ads", "Google-Ads | (CPC) | - | Paid Search | Search"),
    ("utm_source=bingads", "bingads | (CPC) | - | Paid Search | Search"),
    ("utm_source=microsoft_advertising", "microsoft_advertising | (CPC) | - | Paid Search | Search"),
    ("utm_source=yandex.direct", "yandex.direct | (CPC) | - | Paid Search | Search"),
    ("utm_source=ads.google.com", "ads.google.com | (CPC) | - | Paid Search | Search"),
    ("utm_source=fb_ads", "fb_ads | (CPC) | - | Paid Social | Social"),
    ("utm_source=linkedinads", "linkedinads | (CPC) | - | Paid Social | Social"),
    ("utm_source=youtube_ppc", "youtube_ppc | (CPC) | - | Paid Video | Video"),
    ("utm_source=paid+amazon", "paid amazon | (CPC) | - | Paid Shopping | Shopping"),
    ("utm_source=Taboola", "Taboola | (CPC) | - | Paid Other | Unassigned"),
    ("utm_source=criteo", "criteo | (Display) | - | Display | Unassigned"),
    ("utm_source=dv360", "dv360 | (Display) | - | Display | Unassigned"),
    ("utm_source=awin", "awin | (Affiliate) | - | Affiliates | Unassigned"),
    ("utm_source=ads", "ads | (CPC) | - | Paid Other | Unassigned"),
    ("utm_source=googleads&utm_medium=email", "googleads | email | - | Email | Search"),
    ("utm_source=googleads&utm_medium=organic", "googleads | organic | - | Organic Search | Search"),
    ("utm_source=threads", "threads | (Referral) | - | Organic Social | Social"),
    ("utm_source=downloads", "downloads | None | - | Unassigned | Unassigned"),
    ("utm_source=launchpad", "launchpad | None | - | Unassigned | Unassigned"),
    # Names of sites as one word.
    ("utm_source=stackoverflow", "stackoverflow | (Referral) | - | Organic Social | Social"),
    ("utm_source=Stack_Exchange", "Stack_Exchange | (Referral) | - | Organic Social | Social"),
    ("utm_source=serverfault", "serverfault | (Referral) | - | Organic Social | Social"),
    ("utm_source=superuser", "superuser | (Referral) | - | Organic Social | Social"),
    ("utm_source=askubuntu", "askubuntu | (Referral) | - | Organic Social | Social"),
    ("utm_source=secondlife", "secondlife | (Referral) | - | Organic Social | Social"),
    ("utm_source=mercadolibre", "mercadolibre | (Referral) | - | Organic Shopping | Shopping"),
    ("utm_source=discoveryplus", "discoveryplus | (Referral) | - | Organic Video | Video"),
    ("utm_source=yt", "yt | (Referral) | - | Organic Video | Video"),
    ("utm_source=ddg", "ddg | (Organic) | - | Organic Search | Search"),
    ("utm_source=blog", "blog | None | - | Unassigned | Unassigned"),
    ("utm_source=news", "news | None | - | Unassigned | Unassigned"),
    ("utm_source=link", "link | None | - | Unassigned | Unassigned"),
    ("utm_source=partner&utm_medium=ai-assistant", "partner | ai-assistant | - | AI Assistant | Unassigned"),
]  # fmt: skip

# click ids: source, medium, channel, category of a page that has nothing else
CLICKS = {
    "gclid wbraid gbraid gad_source gad_campaignid": "Google | (CPC) | - | Paid Search | Search",
    "dclid": "Google | (Display) | - | Display | Search",
    "msclkid": "Bing | (CPC) | - | Paid Search | Search",
    "ttclid": "TikTok | (CPC) | - | Paid Social | Social",
    "twclid": "Twitter | (CPC) | - | Paid Social | Social",
    "li_fat_id": "LinkedIn | (CPC) | - | Paid Social | Social",
    "ScCid": "Snapchat | (CPC) | - | Paid Social | Social",
    "epik": "Pinterest | (CPC) | - | Paid Social | Social",
    "rdt_cid": "Reddit | (CPC) | - | Paid Social | Social",
    "yclid": "Yandex | (CPC) | - | Paid Search | Search",
    "irclickid": "Impact | (Affiliate) | - | Affiliates | Unassigned",
    "igsh igshid": "Instagram | (Referral) | - | Organic Social | Social",
    "fbclid": "Facebook | (Referral) | - | Organic Social | Social",
    "mc_eid mc_cid": "Mailchimp | (Email) | - | Email | Email",
    "_kx": "Klaviyo | (Email) | - | Email | Email",
    "mkt_tok": "Marketo | (Email) | - | Email | Unassigned",
    "ysclid": "Yandex | (Organic) | - | Organic Search | Search",
    "srsltid": "Google | (Organic) | - | Organic Search | Search",
}
CHANNEL_OF_MEDIUM = {"CPC": "Paid Other", "Display": "Display", "Affiliate": "Affiliates", "Email": "Email", "Organic": "Organic Search", None: "Unassigned"}  # fmt: skip
"""Of a source that has no category."""


def with_source(rule: dict[str, Any]) -> Case:
    """A click id next to a campaign of another source: the source is the campaign's, the rest the click's."""
    param, medium = rule["param"], f"({rule['medium']})" if rule["medium"] else "None"
    wanted = f"partner | {medium} | - | {CHANNEL_OF_MEDIUM[rule['medium']]} | Unassigned"
    return at(f"?utm_source=partner&{param}=v%201", f"{param} and a source", wanted, **clid(param, "v 1", rule["platform"]))


PLATFORMS = {rule["param"]: rule["platform"] for rule in CLICK_IDS}
CLICK_CASES = [
    *(at(f"?{param}=v", f"{param} alone", wanted, **clid(param, "v", PLATFORMS[param])) for params, wanted in CLICKS.items() for param in params.split()),
    *map(with_source, CLICK_IDS),
    at("?GCLID=1", "gclid in capitals", "Google | (CPC) | - | Paid Search | Search", **GCLID),
    at("?sccid=1", "ScCid in lower case", "Snapchat | (CPC) | - | Paid Social | Social", **clid("ScCid", "1", "Snapchat Ads")),
    at("#gclid=1", "gclid in the fragment", "Google | (CPC) | - | Paid Search | Search", **GCLID),
    at("?gclid=", "an empty gclid", DIRECT),
    at("?x=gclid=1", "gclid within another value", DIRECT),
    at("?xclid=1&someclid=2", "names that only end in clid", DIRECT),
    at("?fbclid=2&gclid=1", "gclid before fbclid", "Google | (CPC) | - | Paid Search | Search", **GCLID),
    at("?msclkid=2&gclid=1", "gclid before msclkid", "Google | (CPC) | - | Paid Search | Search", **GCLID),
    at("?gad_source=2&gbraid=3&gclid=1", "gclid before the rest of Google's", "Google | (CPC) | - | Paid Search | Search", **GCLID),
    at("?mc_eid=2&fbclid=1", "fbclid before mc_eid", "Facebook | (Referral) | - | Organic Social | Social", **FBCLID),
    at("?fbclid=2&ttclid=1", "paid before unpaid", "TikTok | (CPC) | - | Paid Social | Social", **clid("ttclid", "1", "TikTok Ads")),
    at("?gclid=1&utm_campaign=shopping", "gclid and a campaign", "Google | (CPC) | shopping | Paid Search | Search", **GCLID),
    at("?gclid=1&utm_medium=display", "the campaign's medium first", "Google | display | - | Display | Search", **GCLID),
    at("?gclid=1&utm_source_platform=SA360", "the campaign's platform first", "Google | (CPC) | - | Paid Search | Search", **GCLID | {"clid_platform": "SA360"}),
    at("?gclid=1", "a paid click says more than the referrer", "Google | (CPC) | - | Paid Search | Search", ref="https://www.bing.com/", **GCLID),
    at("?gclid=1", "a paid click and its own referrer's term", "Google | (CPC) | - | Paid Search | Search", ref=f"{GOOGLE}search?q=mug", term="mug", **GCLID),
    at("?mc_eid=1", "a letter's click says more than the webmail it was read in", "Mailchimp | (Email) | - | Email | Email", ref="https://mail.google.com/", **clid("mc_eid", "1", "Mailchimp")),
    at("?fbclid=1", "a shared link says less than the referrer", "Instagram | (Referral) | - | Organic Social | Social", ref="https://l.instagram.com/", **FBCLID),
    at("?fbclid=1", "a shared link that a search engine found", "Google | (Organic) | - | Organic Search | Search", ref=GOOGLE, **FBCLID),
    at("?fbclid=1&utm_source=facebook&utm_medium=cpc", "fbclid is paid where the campaign says so", "facebook | cpc | - | Paid Social | Social", **FBCLID),
    at("?fbclid=1&utm_source=letter&utm_medium=email", "fbclid changes no campaign", "letter | email | - | Email | Unassigned", **FBCLID),
]  # fmt: skip


def referrers(kind: str, wanted: str, sources: dict[str, str]) -> Iterable[Case]:
    """Cases by ``referrer [-> search term]``: source."""
    for referrer, source in sources.items():
        url, _, term = referrer.partition(" -> ")
        given = {"page": SHOP, "ref": url}
        yield Case.of(f"{kind} {url}", given, wanted.format(source), **({"term": term} if term else {}))


REFERRERS = [
    *referrers("search", "{} | (Organic) | - | Organic Search | Search", {
        "https://www.google.com/": "Google", "https://google.com": "Google", "HTTPS://WWW.GOOGLE.COM/": "Google",
        "https://www.google.co.uk/": "Google", "https://www.google.de/": "Google", "https://google.com.br/search?q=caf%C3%A9+quente -> café quente": "Google",
        "https://www.google.co.jp/search?q=%E6%97%A5%E6%9C%AC -> 日本": "Google", "https://www.google.com:443/search?q=b&q=a&q=b&oq=c -> a,b": "Google",
        "https://www.google.com/search?q=%2B1%2526 -> +1%26": "Google", "https://i.search.google.se": "Google", "https://www.google.com./": "Google",
        "https://video.google.com?q=flowers&q=football -> flowers,football": "Google Video", "https://news.google.com/": "Google News",
        "https://scholar.google.de/scholar?q=mug -> mug": "Google Scholar", "http://maps.google.co.uk/": "Google Maps",
        "https://www.bing.com/search?q=mug -> mug": "Bing", "https://cn.bing.com/": "Bing", "https://duckduckgo.com/?q=mug -> mug": "DuckDuckGo",
        "https://html.duckduckgo.com/": "DuckDuckGo", "https://www.ecosia.org/search?q=mug -> mug": "Ecosia", "https://search.brave.com/search?q=mug -> mug": "Brave Search",
        "https://www.baidu.com/s?wd=mug -> mug": "Baidu", "https://m.baidu.com/s?word=mug -> mug": "Baidu", "https://www.baidu.com/link?url=abc": "Baidu",
        "https://yandex.ru/search/?text=mug -> mug": "Yandex", "https://yandex.com.tr/search/?text=mug -> mug": "Yandex", "https://ya.ru/": "Yandex",
        "https://search.yahoo.com/search?p=mug -> mug": "Yahoo", "https://uk.search.yahoo.com/search?p=mug -> mug": "Yahoo",
        "https://search.yahoo.co.jp/search?p=mug -> mug": "Yahoo", "https://r.search.yahoo.com/_ylt=x": "Yahoo", "https://search.naver.com/search.naver?query=mug -> mug": "Naver",
        "https://m.search.naver.com/": "Naver", "https://search.seznam.cz/?q=mug -> mug": "Seznam", "https://www.sogou.com/web?query=mug -> mug": "Sogou",
        "https://www.so.com/s?q=mug -> mug": "360 Search", "https://search.daum.net/search?q=mug -> mug": "Daum", "https://www.qwant.com/?q=mug -> mug": "Qwant",
        "https://www.startpage.com/do/search?query=mug -> mug": "Startpage", "https://go.mail.ru/search?q=mug -> mug": "Mail.ru", "https://coccoc.com/search?query=mug -> mug": "Cốc Cốc",
        "android-app://com.google.android.googlequicksearchbox/": "Google", "android-app://com.google.android.googlequicksearchbox/https/www.google.com": "Google",
        "https://shop-example-com.cdn.ampproject.org/": "Google", "https://www.google.com/amp/s/shop.example.com/": "Google",
        "https://www.google.com/url?sa=t&q=https://shop.example.com/": "Google", "https://www.google.com/url?q=https%3A%2F%2Fshop.example.com%2F&ved=1": "Google",
    }),
    *referrers("social", "{} | (Referral) | - | Organic Social | Social", {
        "http://m.facebook.com/": "Facebook", "https://l.facebook.com/l.php?u=https%3A%2F%2Fshop.example.com": "Facebook", "https://lm.facebook.com/": "Facebook",
        "https://de-de.facebook.com/": "Facebook", "https://l.instagram.com/?u=x": "Instagram", "https://t.co/abc": "Twitter", "https://x.com/": "Twitter",
        "https://lnkd.in/abc": "LinkedIn", "https://www.linkedin.com/feed/": "LinkedIn", "https://out.reddit.com/t3_x?url=https%3A%2F%2Fa": "Reddit",
        "https://old.reddit.com/r/x": "Reddit", "https://away.vk.com/away.php?to=x": "VK", "https://ok.ru/": "Odnoklassniki", "https://www.pinterest.co.uk/pin/1": "Pinterest",
        "https://weibo.com/": "Weibo", "https://www.xiaohongshu.com/": "Xiaohongshu", "https://t.me/channel": "Telegram", "https://bsky.app/": "Bluesky", "https://www.threads.com/": "Threads",
        "https://someone.tumblr.com/": "Tumblr", "https://chat.google.com/": "Google Chat", "https://groups.google.com/g/x": "Google Groups",
        "android-app://com.facebook.katana/": "Facebook", "android-app://com.twitter.android/": "Twitter", "android-app://com.instagram.android": "Instagram",
        "android-app://org.telegram.messenger/": "Telegram", "android-app://com.tencent.mm/": "WeChat",
    }),
    *referrers("video", "{} | (Referral) | - | Organic Video | Video", {
        "https://www.youtube.com/watch?v=x": "YouTube", "https://m.youtube.com/": "YouTube", "https://youtu.be/x": "YouTube", "https://vimeo.com/1": "Vimeo",
        "https://www.bilibili.com/": "Bilibili", "https://www.nicovideo.jp/": "Niconico", "https://www.twitch.tv/": "Twitch", "https://v.qq.com/": "Tencent Video",
        "android-app://com.google.android.youtube/": "YouTube",
    }),
    *referrers("shopping", "{} | (Referral) | - | Organic Shopping | Shopping", {
        "https://www.amazon.com/": "Amazon", "https://www.amazon.co.uk/dp/1": "Amazon", "https://smile.amazon.de/": "Amazon", "https://www.amazon.com.mx/": "Amazon",
        "https://www.ebay.com.au/": "eBay", "https://item.taobao.com/": "Taobao", "https://search.rakuten.co.jp/": "Rakuten", "https://shopee.com.my/": "Shopee",
        "https://allegro.pl/": "Allegro", "https://articulo.mercadolibre.com.ar/": "Mercado Libre", "https://www.bing.com/Shop?q=mug": "Bing Shopping", "https://shopping.yahoo.co.jp/": "Yahoo Shopping",
    }),
    *referrers("webmail", "{} | (Email) | - | Email | Email", {
        "https://mail.google.com/mail/u/0/": "Gmail", "https://mail.yahoo.com/": "Yahoo Mail", "https://outlook.live.com/": "Outlook", "https://outlook.office365.com/": "Outlook",
        "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fa": "Outlook", "https://e.mail.ru/inbox": "Mail.ru Mail", "https://mail.qq.com/": "QQ Mail",
        "https://mail.163.com/": "NetEase Mail", "https://www.gmx.net/": "GMX Mail", "https://deref-web.de/": "WEB.DE Mail", "https://webmail.free.fr/": "Free Mail",
        "https://mail.proton.me/": "Proton Mail", "android-app://com.google.android.gm/": "Gmail", "com.google.android.gm": "Gmail",
    }),
    *referrers("assistant", "{} | (Referral) | - | AI Assistant | AI Assistant", {
        "https://chatgpt.com/": "ChatGPT", "https://chat.openai.com/": "ChatGPT", "https://www.perplexity.ai/search?q=mug": "Perplexity", "https://claude.ai/": "Claude",
        "https://copilot.microsoft.com/": "Copilot", "https://m365.cloud.microsoft/chat/": "Copilot", "https://www.bing.com/chat?q=x": "Copilot", "https://gemini.google.com/app": "Gemini",
        "https://chat.deepseek.com/": "DeepSeek", "https://x.com/i/Grok?conversation=1": "Grok", "https://chat.mistral.ai/": "Mistral", "https://www.meta.ai/": "Meta AI",
        "https://www.doubao.com/chat/": "Doubao", "android-app://com.openai.chatgpt/": "ChatGPT",
    }),
    *referrers("no such service", "{} | (Referral) | - | Referral | Unassigned", {
        "https://docs.google.com/document/1": "docs.google.com", "https://play.google.com/": "play.google.com", "https://news.yahoo.com/": "news.yahoo.com",
        "https://hk.news.yahoo.com/": "hk.news.yahoo.com", "https://notgoogle.com/?q=mug": "notgoogle.com", "https://google.com.evil.example/": "google.com.evil.example",
        "https://google.github.io/": "google.github.io", "https://evil.example/https://www.google.com/": "evil.example", "https://facebook.com@evil.example/": "evil.example",
        "https://web.archive.org/web/2020/https://www.google.com/": "web.archive.org", "android-app://com.unknown.app/": "com.unknown.app",
        "https://Partner.Example/path?q=mug": "partner.example", "https://blog.partner.example:8443/": "blog.partner.example", "partner.example/path": "partner.example",
        "//partner.example/path": "partner.example", "http:/partner.example/": "partner.example", "partner.example/?back=https://www.google.com/": "partner.example",
        "http://user:password@partner.example/": "partner.example", "https://пример.рф/": "xn--e1afmkfd.xn--p1ai", "https://xn--e1afmkfd.xn--p1ai/": "xn--e1afmkfd.xn--p1ai",
        "http://10.0.0.1:8080/": "10.0.0.1", "https://[2001:DB8::1]/": "[2001:db8::1]", "http://intranet/": "intranet", "https://under_score.partner.example/": "under_score.partner.example",
    }),
]  # fmt: skip
REFERRERS += [
    come("a mail host that is in no list", "mail.partner.example | (Email) | - | Email | Email", page=SHOP, ref="https://mail.partner.example/"),
    come("an internal site", "wiki.internal.example | (Referral) | - | Internal | Unassigned", page=SHOP, ref="https://wiki.internal.example/"),
    come("latest referrer before page referrer", "Google | (Organic) | - | Organic Search | Search", page=SHOP, last=GOOGLE, ref="https://www.bing.com/"),
    come("an internal latest referrer", "Bing | (Organic) | - | Organic Search | Search", page=SHOP, last=f"{SHOP}a", ref="https://www.bing.com/"),
    come("a broken latest referrer", "Bing | (Organic) | - | Organic Search | Search", page=SHOP, last="http://[", ref="https://www.bing.com/"),
    come("a broken latest referrer with its host", "Google | (Organic) | - | Organic Search | Search", page=SHOP, last="http://[", last_host="www.google.com"),
    come("the host of the latest referrer", "Google | (Organic) | - | Organic Search | Search", page=SHOP, last_host="www.google.com"),
    come("the latest referrer is no match for its host", "Google | (Organic) | - | Organic Search | Search", page=SHOP, last=GOOGLE, last_host="www.bing.com"),
    come("a referrer without a page", "Google | (Organic) | - | Organic Search | Search", ref=GOOGLE),
    come("a latest referrer without a page", "Google | (Organic) | - | Organic Search | Search", last=GOOGLE),
]  # fmt: skip

OWN = [
    come("the same page", INTERNAL, page=SHOP, ref=SHOP),
    come("both referrers internal", INTERNAL, page=SHOP, ref=f"{SHOP}a", last=f"{SHOP}b"),
    come("a subdomain", INTERNAL, page="https://www.example.com/", ref=SHOP),
    come("capitals, a port and a dot at the end", INTERNAL, page="https://EXAMPLE.com./", ref="http://example.com:8080/"),
    come("a subdomain below co.uk", INTERNAL, page="https://www.example.co.uk/", ref="https://shop.example.co.uk/"),
    come("another site below co.uk", "www.partner.co.uk | (Referral) | - | Referral | Unassigned", page="https://www.example.co.uk/", ref="https://www.partner.co.uk/"),
    come("another tenant of github.io", "b.github.io | (Referral) | - | Referral | Unassigned", page="https://a.github.io/", ref="https://b.github.io/"),
    come("the same tenant of github.io", INTERNAL, page="https://a.github.io/", ref="https://a.github.io/b"),
    come("another tenant of myshopify.com", "b.myshopify.com | (Referral) | - | Referral | Unassigned", page="https://a.myshopify.com/", ref="https://b.myshopify.com/"),
    come("an international name in its two forms", INTERNAL, page="https://münchen.example/", ref="https://www.xn--mnchen-3ya.example/"),
    come("the same address", INTERNAL, page="http://10.0.0.1/", ref="http://10.0.0.1:81/"),
    come("another address", "10.0.0.2 | (Referral) | - | Referral | Unassigned", page="http://10.0.0.1/", ref="http://10.0.0.2/"),
    come("the same name of the local network", INTERNAL, page="http://localhost:3000/", ref="http://localhost:8080/"),
    come("one's own domain", INTERNAL, page=SHOP, ref="https://brand.example/"),
    come("below one's own domain", INTERNAL, page=SHOP, ref="https://Blog.Brand.example/"),
    come("one's own international domain, configured in capitals and with www", INTERNAL, page=SHOP, ref="https://bücher.example/"),
    come("a domain that ends like one's own", "notbrand.example | (Referral) | - | Referral | Unassigned", page=SHOP, ref="https://notbrand.example/"),
    come("one's own domain without a page", INTERNAL, ref="https://brand.example/"),
    come("the domain of another app", "brand.example | (Referral) | - | Referral | Unassigned", page=SHOP, ref="https://brand.example/", app_id="no-own"),
    come("a payment page", INTERNAL, page=SHOP, ref="https://www.paypal.com/checkoutnow"),
    come("a payment page of a provider's subdomain", INTERNAL, page=SHOP, ref="https://hooks.stripe.com/redirect"),
    come("a login page", INTERNAL, page=SHOP, ref="https://accounts.google.com/"),
    come("a payment page after a search", "Google | (Organic) | - | Organic Search | Search", page=SHOP, ref="https://www.paypal.com/", last=GOOGLE),
    come("payment pages not ignored", "www.paypal.com | (Referral) | - | Referral | Unassigned", page=SHOP, ref="https://www.paypal.com/", app_id="no-ignored"),
    come("an ignored host of one's own", INTERNAL, page=SHOP, ref="https://pay.partner.example/", app_id="own-ignored"),
    come("without `default` the list is not ignored", "www.paypal.com | (Referral) | - | Referral | Unassigned", page=SHOP, ref="https://www.paypal.com/", app_id="own-ignored"),
    come("with `default` it is", INTERNAL, page=SHOP, ref="https://www.paypal.com/", app_id="more-ignored"),
    come("and so is one's own, whatever its case", INTERNAL, page=SHOP, ref="https://pay.partner.example/", app_id="more-ignored"),
    come("the host above an ignored one", "partner.example | (Referral) | - | Referral | Unassigned", page=SHOP, ref="https://partner.example/", app_id="more-ignored"),
    come("a campaign on one's own previous page", "partner | email | - | Email | Unassigned", page=SHOP, ref=f"{SHOP}?utm_source=partner&utm_medium=email"),
    come("a campaign on one's own latest referrer", "partner | email | - | Email | Unassigned", page=SHOP, last=f"{SHOP}?utm_source=partner&utm_medium=email"),
    come("a campaign on a page of one's own domain", "partner | None | - | Unassigned | Unassigned", page=SHOP, ref="https://brand.example/?utm_source=partner"),
    come("a new campaign after one on the previous page", "new | None | - | Unassigned | Unassigned", page=f"{SHOP}?utm_source=new", ref=f"{SHOP}?utm_source=old&utm_medium=email"),
    come("a medium alone on the previous page is no campaign", INTERNAL, page=SHOP, ref=f"{SHOP}?utm_medium=email"),
    come("a campaign in a foreign referrer", "partner.example | (Referral) | - | Referral | Unassigned", page=SHOP, ref="https://partner.example/?utm_source=other&utm_medium=cpc&gclid=1"),
    come("a campaign in a payment page's address", INTERNAL, page=SHOP, ref="https://www.paypal.com/?utm_source=other"),
    Case.of("a click id on one's own previous page", {"page": SHOP, "ref": f"{SHOP}?gclid=1"}, "Google | (CPC) | - | Paid Search | Search", **GCLID),
]  # fmt: skip

DONE = {"source": "S", "medium": "M", "campaign": "C", "channel_group": "G", "category": "K"}
CLIENT = [
    come("the client knows it all", "S | M | C | G | K", page=f"{SHOP}?utm_source=other&gclid=1", ref=GOOGLE, client=DONE),
    come("source, channel and category are all: no medium is made up", "S | - | - | G | K", page=SHOP, client={"source": "S", "channel_group": "G", "category": "K"}),
    come("source alone", "partner | None | - | Unassigned | Unassigned", client={"source": "partner"}),
    come("a known source alone", "bing | (Organic) | - | Organic Search | Search", client={"source": "bing"}),
    come("source and medium", "partner | email | - | Email | Unassigned", client={"source": "partner", "medium": "email"}),
    come("source and channel", "google | (Organic) | - | G | Search", client={"source": "google", "channel_group": "G"}),
    come("source and category", "partner | cpc | - | Paid Video | Video", client={"source": "partner", "medium": "cpc", "category": "Video"}),
    come("source and Unassigned as category", "partner | cpc | - | Paid Other | Unassigned", client={"source": "partner", "medium": "cpc", "category": "Unassigned"}),
    come("medium alone", "Direct | email | - | Email | Unassigned", client={"medium": "email"}),
    come("medium and a referrer", "Google | cpc | - | Paid Search | Search", page=SHOP, ref=GOOGLE, client={"medium": "cpc"}),
    come("medium and a campaign", "partner | email | - | Email | Unassigned", page=f"{SHOP}?utm_source=partner&utm_medium=cpc", client={"medium": "email"}),
    come("campaign alone", "Direct | None | may | Direct | Direct", client={"campaign": "may"}),
    come("campaign and a referrer", "Google | (Organic) | may | Organic Search | Search", page=SHOP, ref=GOOGLE, client={"campaign": "may"}),
    come("channel alone", "Direct | None | - | Email | Unassigned", client={"channel_group": "Email"}),
    come("channel and a referrer", "Google | (Organic) | - | G | Search", page=SHOP, ref=GOOGLE, client={"channel_group": "G"}),
    come("category alone", "Direct | (Organic) | - | Organic Search | Search", client={"category": "Search"}),
    come("Direct is what the client says of nothing", DIRECT, page=SHOP, client={"source": "Direct"}),
    come("Direct, but there is a referrer", "Google | (Organic) | - | Organic Search | Search", page=SHOP, ref=GOOGLE, client={"source": "direct"}),
    come("Direct in full is kept", DIRECT, page=SHOP, ref=GOOGLE, client={"source": "Direct", "medium": "None", "campaign": "Direct", "channel_group": "Direct", "category": "Direct"}),
    come("empty fields are none", "Google | (Organic) | - | Organic Search | Search", page=SHOP, ref=GOOGLE, client={"source": "", "medium": "", "clid": "{}"}),
    come("another source in the address is another campaign's", "partner | None | - | Unassigned | Unassigned", page=f"{SHOP}?utm_source=other&utm_medium=cpc&utm_campaign=may&gclid=1", client={"source": "partner"}),
    come("the same source in the address completes it", "PARTNER | email | may | Email | Unassigned", page=f"{SHOP}?utm_source=partner&utm_medium=email&utm_campaign=may", client={"source": "PARTNER"}),
    come("no source in the address completes it", "partner | email | - | Email | Unassigned", page=f"{SHOP}?utm_medium=email", client={"source": "partner"}),
    come("another source than the referrer: no term", "fb | (Referral) | - | Organic Social | Social", page=SHOP, ref=f"{GOOGLE}?q=mug", client={"source": "fb"}),
    come("a source that is the referrer's host: its term", "www.google.com | (Organic) | - | Organic Search | Search", term="mug", page=SHOP, ref=f"{GOOGLE}?q=mug", client={"source": "www.google.com"}),
    come("the page's own host is no referrer (F23)", "TSS | None | - | Unassigned | Unassigned", page=SHOP, host="shop.example.com", client={"source": "TSS"}),
    come("an own page before is no referrer either (F23)", "TSS | None | - | Unassigned | Unassigned", page=SHOP, ref=f"{SHOP}a", host="shop.example.com", client={"source": "TSS"}),
    come("a foreign page before is", "TSS | (Referral) | - | Referral | Unassigned", page=SHOP, ref="https://partner.example/", client={"source": "TSS"}),
    Case.of("content and term", {"page": SHOP, "ref": f"{GOOGLE}?q=mug", "content": "c", "term": "own"}, "Google | (Organic) | - | Organic Search | Search", content="c", term="own"),
    Case.of("gclid", {"page": SHOP, "clid": '{"type":"gclid","value":"1"}'}, "Google | (CPC) | - | Paid Search | Search", **GCLID),
    Case.of("fbclid", {"page": SHOP, "clid": '{"value": 1, "type": "fbclid"}'}, "Facebook | (Referral) | - | Organic Social | Social", clid='{"value": 1, "type": "fbclid"}', clid_platform="Facebook"),
    Case.of("a click id of the client's before the address's", {"page": f"{SHOP}?msclkid=2", "clid": '{"type":"gclid","value":"1"}'}, "Google | (CPC) | - | Paid Search | Search", **GCLID),
    Case.of("no click id of the client's: the address's", {"page": f"{SHOP}?gclid=1", "clid": "{}"}, "Google | (CPC) | - | Paid Search | Search", **GCLID),
    Case.of("an unknown click id is paid: the client says so", {"page": SHOP, "ref": GOOGLE, "clid": '{"type":"x","value":"1"}'}, "Google | (CPC) | - | Paid Search | Search", clid='{"type":"x","value":"1"}'),
    Case.of("an unknown click id and nothing else", {"page": SHOP, "clid": '{"type":"x","value":"1"}'}, "Direct | (CPC) | - | Paid Other | Unassigned", clid='{"type":"x","value":"1"}'),
    *(Case.of(f"a click id that is {text}", {"page": SHOP, "source": "bing", "clid": text}, "bing | (CPC) | - | Paid Search | Search", clid=text) for text in ("no JSON", "[1]", '"text"', "1", '{"type":"gclid"}', "[" * 50, '{"type":"\\ud800","value":1}')),
]  # fmt: skip

BROKEN = ["http://[", "https://", "http:// /", "https://a b.example/", "https://exa<mple.com/", "http://a:99999/", "javascript:void(0)", "about:blank", "file:///C:/x", "%", "\x00", "https://" + "a." * 200 + "\ud7ff/", "[" * 65_535, "https://" + "%" * 65_000]  # fmt: skip
ODD = [
    *(come(f"page {url[:40]!r}", DIRECT, page=url) for url in BROKEN),
    *(come(f"referrer {url[:40]!r}", DIRECT, page=SHOP, ref=url) for url in BROKEN),
    come("nothing at all", NOTHING),
    come("empty texts", NOTHING, page="", ref="", last=""),
    come("a host name alone", NOTHING, host="shop.example.com", last_host="www.google.com"),
    come("a page alone", DIRECT, page=SHOP),
    come("a broken page and its host", INTERNAL, page="http://[", host="shop.example.com", ref=SHOP),
    come("a broken page and a referrer", "Google | (Organic) | - | Organic Search | Search", page="http://[", ref=GOOGLE),
    come("all are broken", DIRECT, page="http://[", ref="http://[", last="http://[", host="http://[", last_host="http://["),
    come("a path as page", "partner | None | - | Unassigned | Unassigned", page="/path?utm_source=partner"),
    come("a path as page with its host", INTERNAL, page="/path", host="shop.example.com", ref=SHOP),
    come("a query as page", "partner | None | - | Unassigned | Unassigned", page="?utm_source=partner"),
    come("a path as referrer", INTERNAL, page=SHOP, ref="/path"),
    come("no scheme", "partner | None | - | Unassigned | Unassigned", page="shop.example.com/?back=https://a.example/&utm_source=partner", ref=SHOP),
    come("blanks around it", "partner | None | - | Unassigned | Unassigned", page=f" {SHOP}?utm_source=partner\n", ref=f"\t{SHOP} "),
    come("an app's own scheme", "partner | None | - | Unassigned | Unassigned", page="capacitor://localhost/?utm_source=partner"),
    come("65,535 bytes", DIRECT, page=SHOP + "x" * (65_535 - len(SHOP))),
]  # fmt: skip

GROUPS = {
    "utm": UTM,
    "campaign": [at(f"?{query}", query, wanted) for query, wanted in CAMPAIGNS],
    "click": CLICK_CASES,
    "from": REFERRERS,
    "own": OWN,
    "client": CLIENT,
    "odd": ODD,
}
CASES = [case._replace(why=f"{group}: {case.why}") for group, cases in GROUPS.items() for case in cases]


Row = dict[str, str | None]
COLUMNS = {"id": "event_id", "app_id": "app_id"} | URLS | {name.removeprefix("traffic_source_"): name for name in TRAFFIC}
"""Short names of columns to their names."""


@cache
def opened() -> TrafficSource:
    """With fresh caches at the first call only: no result may depend on what was asked before."""
    return fresh(OPTIONS)


def fresh(options: TrafficSourceOptions) -> TrafficSource:
    enricher = TrafficSource(options, Storage())
    enricher.open()
    return enricher


def table(rows: Iterable[Row]) -> pa.Table:
    rows = list(rows)
    return pa.table({name: pa.array([row.get(short) for row in rows], pa.string()) for short, name in COLUMNS.items()})


def traffic(events: pa.Table) -> list[Traffic]:
    return [Traffic(*row.values()) for row in events.select(TRAFFIC).to_pylist()]


@pytest.fixture(scope="module")
def found() -> dict[str, Traffic]:
    """All cases in one table, by name."""
    return dict(zip((case.why for case in CASES), traffic(opened().enrich(table(case.given for case in CASES))), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why[:80])
def test_case(case: Case, found: dict[str, Traffic]) -> None:
    assert found[case.why] == case.wanted, case.given


def test_the_cases_are_complete(found: dict[str, Traffic]) -> None:
    """Each has a name of its own; every channel of the shipped rules, and every shipped click id, is there."""
    assert len({case.why for case in CASES}) == len(CASES) >= 150
    assert {rule["channel"] for rule in CHANNELS} <= {each.channel_group for each in found.values()}
    by_rule = {case.wanted.channel_group for case in CASES if case.wanted.source != "Direct"}
    assert {rule["channel"] for rule in CHANNELS} - by_rule == {"Direct"}, "Internal is also what one's own pages are"
    texts = [case.wanted.clid or "" for case in CASES]
    assert [param for param in PLATFORMS if not any(f'"{param}"' in text for text in texts)] == []
    assert len({rule["id"] for rule in CHANNELS}) == len(CHANNELS)


def test_documented_channels() -> None:
    """docs/reference/channels.md lists the shipped rules in their order."""
    text = (conf_file("..") / "docs" / "reference" / "channels.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \d+ \| ([^|]+?) \|", text, re.MULTILINE)
    assert listed == [rule["channel"] for rule in CHANNELS]


def test_no_result_depends_on_the_rest(found: dict[str, Traffic]) -> None:
    """Backwards, in parts, each alone, and twice over, the cases give the same."""
    events = table(case.given for case in CASES)
    whole = opened().enrich(events)
    assert opened().enrich(whole).equals(whole)
    backwards = list(range(len(CASES) - 1, -1, -1))
    assert fresh(OPTIONS).enrich(events.take(backwards)).equals(whole.take(backwards))
    enricher = fresh(OPTIONS)
    assert pa.concat_tables(enricher.enrich(events.slice(row, 1)) for row in range(len(events))).equals(whole)
    chunked = pa.concat_tables([events.slice(0, 7), events.slice(7, 0), events.slice(7)])
    assert fresh(OPTIONS).enrich(chunked).equals(whole)


def test_nothing_in_nothing_out() -> None:
    empty = opened().enrich(table([]))
    assert (len(empty), empty.column_names) == (0, list(COLUMNS.values()))


PIECES = ["https://", "http://", "//", "android-app://", "www.google.com", "shop.example.com", "brand.example", "paypal.com", "?", "&", "#", "/", "=", "utm_source", "utm_medium", "utm_campaign", "gclid", "fbclid", "q", "%", "%25", "%26", "+", "[", "]", "@", ":", ".", "..", "xn--", "ü", "日", "\x00", "\n", " ", "Direct", "email", "cpc", "{", '{"type":"gclid","value":"1"}', '"']  # fmt: skip
TEXTS = st.none() | st.lists(st.sampled_from(PIECES), max_size=10).map("".join) | st.text(max_size=20)
SAYING_NOTHING = ("", "direct", "(direct)", "{}")
APPS = st.sampled_from([None, "", "no-ignored", "own-ignored", "other"])
ROWS = st.lists(st.fixed_dictionaries({"app_id": APPS}, optional={short: TEXTS for short in COLUMNS if short not in ("id", "app_id")}), max_size=12)  # fmt: skip


@costly(2)
@given(ROWS, st.integers(0, 12))
def test_any_text(rows: list[Row], place: int) -> None:
    """Nothing raises; rows and all other columns stay as they are; twice is once; parts are the whole; the rules hold."""
    events = table(row | {"id": str(number)} for number, row in enumerate(rows))
    once = opened().enrich(events)
    assert once.schema == events.schema
    assert once.drop_columns(TRAFFIC).equals(events.drop_columns(TRAFFIC))
    assert opened().enrich(once).equals(once)
    parts = [opened().enrich(part) for part in (events.slice(0, place), events.slice(place))]
    assert pa.concat_tables(parts).equals(once)
    for row, each in zip(rows, traffic(once), strict=True):
        was_any = any(row.get(short) for short in ("page", "ref", "last", *Traffic._fields))
        assert all((each.source, each.channel_group, each.category)) is was_any
        kept = {
            name: value for name, value in row.items() if name in Traffic._fields and (value or "").lower() not in SAYING_NOTHING
        }
        assert {name: getattr(each, name) for name in kept} == kept


def test_memory_is_bounded() -> None:
    """100,000 different addresses, of them 20,000 campaigns: caches keep to their bounds, and what was forgotten is found again."""
    enricher = fresh(TrafficSourceOptions())
    queries = [f"?page={number}" if number % 5 else f"?utm_source=s{number}&utm_medium=email" for number in range(100_000)]
    rows: list[Row] = [{"page": SHOP + query} for query in queries]
    enriched = traffic(enricher.enrich(table(rows)))
    assert [each.source for each in enriched] == ["Direct" if number % 5 else f"s{number}" for number in range(100_000)]
    app = enricher._apps["*"]
    for cached in (app.traffic, app._rules.read_page, app._rules.categories.of_source):
        info = cached.cache_info()
        assert info.currsize == info.maxsize <= 20_000
    assert traffic(enricher.enrich(table(rows[:7]))) == enriched[:7]
