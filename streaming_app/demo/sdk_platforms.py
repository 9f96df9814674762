"""Visits on the web and in apps: pages and screens by the Clickstream SDK of each, and the events that only it has."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from streaming_app.demo.pages import CAMPAIGNS, PROMOTIONS, ShopPage, arrive, landing, page_of
from streaming_app.demo.sdk_visit import Script
from streaming_app.demo.visit import PlannedVisit
from streaming_app.demo.world import Json, Product, World

_TIMINGS = ("fetchStart", "connectEnd", "requestStart", "responseEnd", "domInteractive", "loadEventEnd", "duration")
_SCREENS = ("Category", "Search", "Account", "Cart")


def events_of(visit: PlannedVisit, world: World, app_id: str, rng: Random) -> list[Json]:
    """``visit.events`` events in order, as the SDK of the user's platform sends them."""
    script = _WebShop if world.users[visit.user].platform == "Web" else _MobileApp
    return script(visit, world, app_id, rng).events()


class _WebShop(Script):
    """SDK 0.12.6 in a single-page shop: it does not look into the page's address."""

    VIEW = "_page_view"

    def _entrance(self) -> Json:
        arrival = arrive(self._rng)
        place = {**_page_fields(landing(arrival, "gclid", self._user)), "_latest_referrer": ""}
        if arrival.host:
            place |= {"_latest_referrer": f"https://{arrival.host}/", "_latest_referrer_host": arrival.host}
        return place

    def _place_of(self, product: Product | None) -> Json:
        return {**self._place, **_page_fields(page_of(product, self._user, self._rng))}

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


def _page_fields(page: ShopPage) -> Json:
    return {"_page_title": page.title, "_page_url": page.url}


class _MobileApp(Script):
    """The SDKs for Android and iOS: screens in place of pages, in every event."""

    VIEW = "_screen_view"

    def _entrance(self) -> Json:
        if self._chance(0.15):  # the app knows from its store which campaign led to it, and passes it to the SDK
            source, medium = CAMPAIGNS[self._below(len(CAMPAIGNS))]
            campaign = {"_traffic_source_campaign": PROMOTIONS[self._below(len(PROMOTIONS))]}
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
