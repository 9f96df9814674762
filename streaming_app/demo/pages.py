"""How visitors come to the web shop, and its pages: the same whatever the site is measured with."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from streaming_app.demo.visit import TERMS
from streaming_app.demo.world import HOST, Product, User

CAMPAIGNS = (("google", "cpc"), ("facebook", "paid_social"), ("newsletter", "email"), ("partner", "affiliate"), ("bing", "cpc"))
"""Sources and media."""
PROMOTIONS = ("summer_promotion", "black_friday", "new_arrivals")

_REFERRERS = ("www.google.com", "www.bing.com", "www.baidu.com", "www.facebook.com", "t.co", "news.example")
_WAYS = {"campaign": 20, "ad": 10, "link": 30, "direct": 40}
"""How 100 visits to the web shop come about."""
_T = TypeVar("_T")


class Arrival(NamedTuple):
    """``campaign`` are its parameters, ``click`` is the id that an advertiser gave it, ``host`` the referring one."""

    campaign: dict[str, str]
    click: str | None
    host: str | None


class ShopPage(NamedTuple):
    url: str
    title: str


def arrive(rng: Random) -> Arrival:
    """By a campaign, an advertisement, a link, or directly: without a host."""
    way = rng.choices(list(_WAYS), list(_WAYS.values()))[0]
    (source, medium), promotion, term = _one(CAMPAIGNS, rng), _one(PROMOTIONS, rng), _one(TERMS, rng)
    named = {"source": source, "medium": medium, "campaign": promotion, "id": f"c_{int(rng.random() * 40)}", "term": term}
    click = f"Cj0KCQ{rng.getrandbits(72):018x}"
    host = None if way == "direct" else _one(_REFERRERS, rng)
    return Arrival(named if way == "campaign" else {}, click if way == "ad" else None, host)


def landing(arrival: Arrival, click_name: str, user: User) -> ShopPage:
    """The first page: campaigns and click ids are only in its address."""
    query = "&".join(f"utm_{name}={quote(value)}" for name, value in arrival.campaign.items())
    if arrival.click:
        query = f"{click_name}={arrival.click}"
    return ShopPage(f"https://{HOST}/{'?' * bool(query)}{query}", _translate(user, "Home - Example Shop", "商店首页"))


def page_of(product: Product | None, user: User, rng: Random) -> ShopPage:
    """A product's page, or one of the list of all."""
    if product:
        path, title = (
            f"product/{product.item['id']}?feature=similar",
            _translate(user, product.item["name"], product.chinese_name),
        )
    else:
        page = 1 + int(rng.random() * 9)
        path = f"category/all?page={page}&sort=price"
        title = _translate(user, f"All products, page {page}", f"全部商品 {page}")
    return ShopPage(f"https://{HOST}/{path}", title)


def _translate(user: User, english: str, chinese: str) -> str:
    return chinese if user.fields["system_language"] == "zh" else english


def _one(choices: Sequence[_T], rng: Random) -> _T:
    return choices[int(rng.random() * len(choices))]
