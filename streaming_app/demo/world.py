"""Who visits the demo shop, with what, and what it sells: all that outlives a visit, made from a seed.

Addresses are from the ranges that are reserved for documentation (RFC 5737, RFC 3849).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

Json = dict[str, Any]

HOST = "www.shop.example"
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PRODUCTS = 2_000
MOST_AGENTS = 2_000
USERS_PER_AGENT = 10

_SHARES = {"Android": 50, "iOS": 34, "Web": 15, "Bot": 1}
"""Kinds of clients and how many of 100 users have each; bots run the web's SDK."""
_PHONES = (
    ("samsung", "SM-S918B", 1080, 2340),
    ("google", "Pixel 8 Pro", 1344, 2992),
    ("Xiaomi", "2201117TY", 1080, 2400),
    ("HUAWEI", "ELS-NX9", 1200, 2640),
)
"""Brand, model, screen width and height (px)."""
_IPHONES = (("iPhone14,5", 1170, 2532), ("iPhone15,2", 1179, 2556), ("iPhone16,2", 1290, 2796), ("iPad13,18", 1640, 2360))
_DARWIN = {"15.7": "1335.0.3 Darwin/21.6.0", "16.6": "1410.0.3 Darwin/22.6.0", "17.5": "1496.0.7 Darwin/23.5.0"}
"""iOS versions, with the network library and kernel of each."""
_CARRIERS = ("T-Mobile", "Vodafone", "China Mobile", "Orange", "UNKNOWN")
_DESKTOPS = ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64")
_SCREENS = ((1920, 1080), (2560, 1440), (1440, 900), (1366, 768), (1536, 864))
_BOTS = ("Googlebot/2.{}; +http://www.google.com/bot.html", "bingbot/2.{}; +http://www.bing.com/bingbot.htm")
_LOCALES = {
    "en_US": (-18_000_000, -28_800_000),
    "en_GB": (0,),
    "zh_CN": (28_800_000,),
    "de_DE": (3_600_000,),
    "ja_JP": (32_400_000,),
}
"""Locales and the time zones in which they are at home, ms east of UTC."""
_CATEGORIES = {
    "electronics": ("Headphones", "耳机"),
    "housewares": ("French Press", "咖啡壶"),
    "footwear": ("Running Shoes", "跑鞋"),
    "outdoors": ("Tent", "帐篷"),
    "beauty": ("Lipstick", "口红"),
}
"""Categories and what each sells, in English and Chinese."""
_STYLES = ("Classic", "Compact", "Modern", "Rustic", "Premium", "Everyday")


class Device(NamedTuple):
    """``agent`` is its User-Agent header, ``fields`` are the keys that it adds to every event."""

    agent: str
    fields: Json


@dataclass(frozen=True, slots=True)
class User:
    """A user of one device; ``addresses`` are values of X-Forwarded-For.

    ``known_ms`` is the time from the first touch to the first visit in the data, 0 for a new user.
    """

    unique_id: str
    device_id: str
    agent: str
    fields: Json
    addresses: tuple[str, ...]
    login: str | None
    known_ms: int
    visits_before: int

    @property
    def platform(self) -> str:
        """Android, iOS or Web."""
        return str(self.fields["platform"])


class Product(NamedTuple):
    """``item`` is as events send it, without a quantity."""

    item: Json
    chinese_name: str


@dataclass(frozen=True, slots=True)
class World:
    """All of it; an event's product and a visit's user are places in these."""

    users: tuple[User, ...]
    products: tuple[Product, ...]


@lru_cache(maxsize=1)
def make_world(users: int, seed: int) -> World:
    """The same world for the same arguments; a process makes it once."""
    rng = Random(f"world {seed}")
    agents = min(MOST_AGENTS, users // USERS_PER_AGENT)
    devices = {kind: _devices(_MAKERS[kind], max(1, agents * share // 100), rng) for kind, share in _SHARES.items()}
    kinds = rng.choices(list(_SHARES), list(_SHARES.values()), k=users)
    products = tuple(_product(number, rng) for number in range(PRODUCTS))
    return World(tuple(_user(number, kind, devices[kind], rng) for number, kind in enumerate(kinds)), products)


def uuid4(rng: Random) -> str:
    """A random UUID; :class:`uuid.UUID` takes several times as long, and every event needs one."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _devices(make: Callable[[Random], Device], count: int, rng: Random) -> list[Device]:
    """Devices with different agents."""
    devices: dict[str, Device] = {}
    while len(devices) < count:
        device = make(rng)
        devices[device.agent] = device
    return list(devices.values())


def _android(rng: Random) -> Device:
    brand, model, width, height = rng.choice(_PHONES)
    version = str(rng.randint(9, 14))
    build = f"TP1A.{rng.randint(220101, 241231)}.0{rng.randint(10, 30)}"
    agent = f"Dalvik/2.1.0 (Linux; U; Android {version}; {model} Build/{build})"
    return Device(agent, {"platform": "Android", "os_version": version, **_app(brand, model, width, height, rng)})


def _ios(rng: Random) -> Device:
    version = rng.choice(list(_DARWIN))
    agent = f"Shop/{rng.randint(1000, 4999)} CFNetwork/{_DARWIN[version]}"
    return Device(agent, {"platform": "iOS", "os_version": version, **_app("apple", *rng.choice(_IPHONES), rng)})


def _app(brand: str, model: str, width: int, height: int, rng: Random) -> Json:
    device = {"make": brand, "brand": brand, "model": model, "screen_width": width, "screen_height": height}
    network = {"carrier": rng.choice(_CARRIERS), "network_type": rng.choice(("WIFI", "WIFI", "Mobile"))}
    app = {"app_package_name": "com.example.shop", "app_version": f"3.{rng.randint(0, 12)}.0"}
    return {**device, **network, **app, "sdk_version": rng.choice(("0.12.1", "0.13.0", "0.13.1"))}


def _browser(rng: Random) -> Device:
    system, mobile, size = rng.choice(_DESKTOPS), "", rng.choice(_SCREENS)
    if rng.random() < 0.4:
        system, mobile, size = f"Linux; Android {rng.randint(10, 15)}; {rng.choice(_PHONES)[1]}", " Mobile", (412, 915)
    chrome = f"Chrome/{rng.randint(110, 131)}.0.{rng.randint(5000, 6900)}.{rng.randint(10, 200)}"
    return _web(f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) {chrome}{mobile} Safari/537.36", *size)


def _bot(rng: Random) -> Device:
    return _web(f"Mozilla/5.0 (compatible; {rng.choice(_BOTS).format(rng.randint(0, 99))})", 1024, 1024)


def _web(agent: str, width: int, height: int) -> Device:
    screen = {"screen_height": height, "screen_width": width, "viewport_height": height - 120, "viewport_width": width}
    return Device(agent, {"host_name": HOST, "make": "Gecko", "platform": "Web", **screen, "sdk_version": "0.12.6"})


_MAKERS: dict[str, Callable[[Random], Device]] = {"Android": _android, "iOS": _ios, "Web": _browser, "Bot": _bot}


def _user(number: int, kind: str, devices: list[Device], rng: Random) -> User:
    device = devices[int(len(devices) * rng.random() ** 1.3)]  # some are more popular than others
    locale = rng.choice(list(_LOCALES))
    language, country = locale.split("_")
    place = {"system_language": language, "country_code": country, "zone_offset": rng.choice(_LOCALES[locale])}
    shown = locale.replace("_", "-") if kind in ("Web", "Bot") else locale
    is_new = rng.random() < 0.3
    return User(
        unique_id=uuid4(rng),
        device_id=uuid4(rng),
        agent=device.agent,
        fields={**device.fields, "locale": shown, **place, "sdk_name": "aws-solution-clickstream-sdk"},
        addresses=tuple(_address(rng) for _ in range(rng.randint(1, 2))),
        login=f"u-{number:06d}" if kind != "Bot" and rng.random() < 0.4 else None,
        known_ms=0 if is_new else rng.randint(HOUR_MS, 300 * DAY_MS),
        visits_before=0 if is_new else rng.randint(1, 60),
    )


def _address(rng: Random) -> str:
    """A client, sometimes with the proxy that passed its requests on."""
    v6 = f"2001:db8:{rng.getrandbits(16):x}:{rng.getrandbits(16):x}::{rng.randint(1, 0xFFFF):x}"
    client = rng.choice((f"192.0.2.{rng.randint(1, 254)}", f"203.0.113.{rng.randint(1, 254)}", v6))
    return f"{client}, 198.51.100.{rng.randint(1, 254)}" if rng.random() < 0.15 else client


def _product(number: int, rng: Random) -> Product:
    category, (noun, chinese) = rng.choice(list(_CATEGORIES.items()))
    group = {"category": category, "category2": f"{category}-{rng.randint(1, 6)}", "brand": f"Brand-{rng.randint(1, 80)}"}
    name, price = f"{rng.choice(_STYLES)} {noun} {number}", round(rng.uniform(3, 400), 2)
    return Product({"id": f"sku-{number:05d}", "name": name, **group, "price": price, "currency": "USD"}, f"{chinese} {number}")
