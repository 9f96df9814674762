"""Visits on the web and in apps: what the SDK of each tells of places, and the events that only it has."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from urllib.parse import quote

from streaming_app.demo.visit import TERMS, Script, Visit
from streaming_app.demo.world import HOST, Json, Product, World

_REFERRERS = ("www.google.com", "www.bing.com", "www.baidu.com", "www.facebook.com", "t.co", "news.example")
_CAMPAIGNS = (("google", "cpc"), ("facebook", "paid_social"), ("newsletter", "email"), ("partner", "affiliate"), ("bing", "cpc"))
_PROMOTIONS = ("summer_promotion", "black_friday", "new_arrivals")
_WAYS = {"campaign": 20, "ad": 10, "link": 30, "direct": 40}
"""How 100 visits to the web shop come about."""
_TIMINGS = ("fetchStart", "connectEnd", "requestStart", "responseEnd", "domInteractive", "loadEventEnd", "duration")
_SCREENS = ("Category", "Search", "Account", "Cart")


def events_of(visit: Visit, world: World, app_id: str, rng: Random) -> list[Json]:
    """``visit.events`` events in order, as the SDK of the user's platform sends them."""
    script = _Web if world.users[visit.user].platform == "Web" else _App
    return script(visit, world, app_id, rng).events()


class _Web(Script):
    """SDK 0.12.6 in a single-page shop: campaigns and click ids are only in the address of the first page."""

    VIEW = "_page_view"

    def _entrance(self) -> Json:
        way = self._rng.choices(list(_WAYS), list(_WAYS.values()))[0]
        query = {"campaign": self._campaign(), "ad": f"?gclid=Cj0KCQ{self._rng.getrandbits(72):018x}"}.get(way, "")
        title = self._shown("Home - Example Shop", "商店首页")
        page = {"_page_title": title, "_page_url": f"https://{HOST}/{query}", "_latest_referrer": ""}
        if way != "direct":
            host = _REFERRERS[self._below(len(_REFERRERS))]
            page |= {"_latest_referrer": f"https://{host}/", "_latest_referrer_host": host}
        return page

    def _campaign(self) -> str:
        source, medium = _CAMPAIGNS[self._below(len(_CAMPAIGNS))]
        promotion, term = _PROMOTIONS[self._below(len(_PROMOTIONS))], quote(TERMS[self._below(len(TERMS))])
        return f"?utm_source={source}&utm_medium={medium}&utm_campaign={promotion}&utm_id=c_{self._below(40)}&utm_term={term}"

    def _place_of(self, product: Product | None) -> Json:
        if product:
            path, title = f"product/{product.item['id']}?feature=similar", self._shown(product.item["name"], product.chinese_name)
        else:
            page = 1 + self._below(9)
            path, title = f"category/all?page={page}&sort=price", self._shown(f"All products, page {page}", f"全部商品 {page}")
        return {**self._place, "_page_title": title, "_page_url": f"https://{HOST}/{path}"}

    def _shown(self, english: str, chinese: str) -> str:
        return chinese if self._user.fields["system_language"] == "zh" else english

    def _referring(self, left: Json) -> Json:
        return {"_page_referrer": left.get("_page_url", ""), "_page_referrer_title": left.get("_page_title", "")}

    def _acts(self) -> Iterator[Json]:
        if self._views == 1:
            yield self._event("_page_load", {"type": "navigate", **{name: self._rng.random() * 500 for name in _TIMINGS}})
        yield from super()._acts()
        if self._chance(0.15):
            link = {"_link_url": f"https://partner.example/offer/{self._below(999)}", "_link_domain": "partner.example"}
            looks = {"_link_classes": "ext-link", "_link_id": f"l{self._below(50)}"}
            yield self._event("_click", {**link, **looks, "_outbound": True})
        if self._chance(0.6):
            yield self._event("_scroll", {"_engagement_time_msec": self._now - self._entered})


class _App(Script):
    """The SDKs for Android and iOS: screens in place of pages, told of by every event."""

    VIEW = "_screen_view"

    def _entrance(self) -> Json:
        if self._chance(0.15):  # the app knows from its store which campaign led to it, and tells the SDK
            source, medium = _CAMPAIGNS[self._below(len(_CAMPAIGNS))]
            campaign = {"_traffic_source_campaign": _PROMOTIONS[self._below(len(_PROMOTIONS))]}
            self._session |= {"_traffic_source_source": source, "_traffic_source_medium": medium, **campaign}
        return self._screen("Home")

    def _place_of(self, product: Product | None) -> Json:
        return self._screen("Product" if product else _SCREENS[self._below(len(_SCREENS))])

    def _screen(self, name: str) -> Json:
        full_name = f"{name}{'Activity' if self._user.platform == 'Android' else 'ViewController'}"
        unique_id = str(100_000_000 + self._below(400))
        return {"_screen_name": full_name, "_screen_id": f"com.example.shop.ui.{full_name}", "_screen_unique_id": unique_id}

    def _referring(self, left: Json) -> Json:
        return {f"_previous{name}": value for name, value in left.items()}
