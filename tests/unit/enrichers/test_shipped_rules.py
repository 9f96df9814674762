"""The data files that come with the traffic source and IP enrichers hold together: what one names, the others know."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from typing import Any

from streaming_app.config.shipped_files import conf_file
from streaming_app.enrichers.traffic_source.referrer_categories import Categories
from streaming_app.enrichers.traffic_source.rule_files import CategoryRule
from streaming_app.model.web_address import WebAddress

LEAST = {"Search": 500, "Social": 700, "Video": 150, "Shopping": 300, "Email": 200, "AI Assistant": 100}
"""How many entries each category has at least; there are no others."""

HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+(/[a-z0-9/_-]+)?|[a-z0-9-]+\.\*")
"""A host or package name, with or without a path; or ``name.*``."""
BARE_NAME = re.compile(r"[a-z-]+\+?")
"""What campaigns write as utm_source, such as ``fb``."""

NO_CATEGORY = (
    "Admitad|Awin|Blueshift|Bronto|CJ Affiliate|Dotdigital|Impact|Listrak|MailerLite|Marketo|Omeda|"
    "Oracle Eloqua|Outbrain|PartnerStack|Rakuten Advertising|ShareASale|Spotify|Taboola|Tencent Ads|Tradedoubler|Vero"
)
"""Sources of click ids that are no site of any category: advertising and affiliate networks, senders of e-mail."""

RELIED_ON = {
    "google.com": ("Google", "Search", ["q"]),
    "google.*": ("Google", "Search", ["q"]),
    "baidu.com": ("Baidu", "Search", ["wd", "word", "kw"]),
    "video.google.com": ("Google Video", "Search", ["q"]),
    "facebook.com": ("Facebook", "Social", []),
    "t.co": ("Twitter", "Social", []),
    "mail.google.com": ("Gmail", "Email", []),
    "chatgpt.com": ("ChatGPT", "AI Assistant", []),
}

KNOWN = {
    "Search": "qwant.com lite.qwant.com search.brave.com ecosia.org m.sogou.com 1.cz najdi.si zapmeta.ws suche.t-online.de search.seznam.cz"
    " ar.search.yahoo.com s10-eu5.startpage.com ms114.mysearch.com blogsearch.google.com cn.bing.com abacho.de vinden.nl"
    " search.incredimail.com startsiden.no setooz.com da.setooz.com toppreise.ch poisk.ru trouvez.com",
    "Social": "43things.com allrecipes.com ancestry.com blogher.com buzzfeed.com cafemom.com care2.com draugiem.lv fandom.com"
    " forums.imore.com gaiaonline.com glassdoor.com goo.gl houzz.com hubpages.com identi.ca imvu.com kakao.com lastfm.de livejournal.ru"
    " mastodon.scot myanimelist.net myheritage.com ning.com photobucket.com pixelfed.de reverbnation.com scribd.com secondlife.com"
    " slideshare.net soundcloud.com tinyurl.com tripadvisor.de trustpilot.com vg.no weebly.com wikihow.com wordpress.org xanga.com"
    " github.com uludagsozluk.com tildes.net",
    "Email": "mail.google.com outlook.live.com webmail.freenet.de deref-gmx.co.uk mailbusiness.ionos.fr webmail.vodafone.co.nz"
    " email.seznam.cz mail.qip.ru mail2.daum.net webmail.example.net e-mail.example.org wmail.orange.fr",
    "Video": "crackle.com d.tube dailymotion.com help.hulu.com iq.com justin.tv utreon.com m.youtube.com",
    "Shopping": "alibaba.com partners.shopify.com simplycodes.com uk.shopping.net m.shopping.naver.com ebay.com.au woot.com",
    "AI Assistant": "chatgpt.com claude.ai gemini.google.com chat-gpt.org",
}
"""Hosts that Google, Matomo and other tools name in their lists of sources, or that are of a kind with them."""

CONTINENTS = {"Africa", "Antarctica", "Asia", "Europe", "North America", "Oceania", "South America"}
SUB_CONTINENTS = (
    "Antarctica|Australasia|Caribbean|Central America|Central Asia|Eastern Africa|Eastern Asia|Eastern Europe|Melanesia|Micronesia|"
    "Middle Africa|Northern Africa|Northern America|Northern Europe|Polynesia|South America|Southeast Asia|Southern Africa|"
    "Southern Asia|Southern Europe|Western Africa|Western Asia|Western Europe"
)
"""Sub-regions of the UN's M49, by the names that GA4 shows."""


def rules(name: str) -> list[Any]:
    return json.loads(conf_file(f"rules/{name}").read_text(encoding="utf-8"))


CATEGORIES: list[dict[str, Any]] = rules("traffic_source_category_rule_v1.json")
CLICK_IDS: list[dict[str, Any]] = rules("click_ids.json")
IGNORED: list[str] = rules("ignored_referrers.json")
with conf_file("geo/countries.csv").open(encoding="utf-8", newline="") as file:
    COUNTRIES = list(csv.DictReader(file))

URLS = [entry["url"] for entry in CATEGORIES]

UNIQUE = {
    "urls": URLS,
    "click ids": [entry["param"].lower() for entry in CLICK_IDS],
    "ignored referrers": IGNORED,
    "country codes": [row["code"] for row in COUNTRIES],
    "country names": [row["name"] for row in COUNTRIES],
}


def test_nothing_is_said_twice() -> None:
    repeated = {what: [value for value, count in Counter(values).items() if count > 1] for what, values in UNIQUE.items()}
    assert not any(repeated.values()), repeated


def test_categories() -> None:
    """Every category is well filled, entries are complete and sorted, hosts are as a look-up asks for them."""
    counts = Counter(entry["category"] for entry in CATEGORIES)
    assert counts.keys() == LEAST.keys()
    assert [name for name, least in LEAST.items() if counts[name] < least] == []
    assert {tuple(entry) for entry in CATEGORIES} == {("url", "source", "category", "params")}
    assert [(e["category"], e["url"]) for e in CATEGORIES] == sorted((e["category"], e["url"]) for e in CATEGORIES)
    assert [url for url in URLS if not HOST.fullmatch(url) and not BARE_NAME.fullmatch(url)] == []
    assert [url for url in URLS if url.startswith("www.")] == []
    assert [e["url"] for e in CATEGORIES if e["params"] and e["category"] != "Search"] == []


def test_a_source_has_one_category() -> None:
    """``utm_source`` is looked up among names and urls alike, whatever its case: there is one answer."""
    by_name: dict[str, set[tuple[str, str]]] = {}
    for entry in CATEGORIES:
        for key in (entry["source"].lower(), entry["url"]):
            by_name.setdefault(key, set()).add((entry["source"], entry["category"]))
    assert {name: found for name, found in by_name.items() if len(found) > 1} == {}


def test_entries_that_others_rely_on() -> None:
    found = {entry["url"]: entry for entry in CATEGORIES}
    assert {url: (found[url]["source"], found[url]["category"], found[url]["params"]) for url in RELIED_ON} == RELIED_ON


def test_known_hosts() -> None:
    categories = Categories(CategoryRule(**entry) for entry in CATEGORIES)
    found = {host: categories.of_referrer(WebAddress(host, "/", "", "")) for hosts in KNOWN.values() for host in hosts.split()}
    wanted = {host: category for category, hosts in KNOWN.items() for host in hosts.split()}
    assert {host: each and each.category for host, each in found.items()} == wanted


def test_click_ids() -> None:
    assert {tuple(entry) for entry in CLICK_IDS} == {("param", "platform", "source", "medium", "paid")}
    sources = {entry["source"] for entry in CLICK_IDS if entry["source"] is not None}
    assert sources - {entry["source"] for entry in CATEGORIES} == set(NO_CATEGORY.split("|"))
    assert {entry["medium"] for entry in CLICK_IDS if entry["paid"] is True} == {"CPC", "Display", "Affiliate"}
    assert {entry["medium"] for entry in CLICK_IDS if entry["paid"] is not True} == {"Email", "Organic", None}


def test_ignored_referrers() -> None:
    """Hosts only, sorted, and none hides a source of the category file."""
    assert [host for host in IGNORED if not HOST.fullmatch(host) or "/" in host or "*" in host or host.startswith("www.")] == []
    assert sorted(IGNORED) == IGNORED
    assert len(IGNORED) >= 60
    assert [url for url in URLS if any(f".{url}".endswith(f".{host}") for host in IGNORED)] == []


def test_countries() -> None:
    """ISO 3166-1 and Kosovo."""
    assert len(COUNTRIES) == 250
    assert [row for row in COUNTRIES if not re.fullmatch("[A-Z]{2}", row["code"]) or row["name"] != row["name"].strip()] == []
    assert [row["code"] for row in COUNTRIES] == sorted(row["code"] for row in COUNTRIES)
    assert {row["continent"] for row in COUNTRIES} == CONTINENTS
    assert {row["sub_continent"] for row in COUNTRIES} == set(SUB_CONTINENTS.split("|"))
