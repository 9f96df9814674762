"""The browsers of the demo's users: of a phone the one on the phone that runs the shop's app, else one of a desktop.

Chromium froze its User-Agent header: the system's version and the phone are only in the client hints
(https://www.chromium.org/updates/ua-reduction/).
"""

from __future__ import annotations

import re
from random import Random
from typing import NamedTuple

from streaming_app.demo.world import Json, User

_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_CHROMIUM = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0{} Safari/537.36"
_ANDROID = re.compile(r"Android (\d+); ([^)]+)\)")
_DESKTOPS = {
    "Windows": ("Windows NT 10.0; Win64; x64", ("10.0.0", "15.0.0", "19.0.0")),
    "Macintosh": ("Macintosh; Intel Mac OS X 10_15_7", ("13.6.9", "14.5.0", "15.1.0")),
    "Linux": ("X11; Linux x86_64", ("6.5.0", "6.8.0")),
}
"""System, as it is called in the agents of :mod:`world`, to its part of a frozen agent and the versions it may have."""
_SYSTEMS = {"Macintosh": "macOS"}
"""Systems that hints call otherwise."""


class Browser(NamedTuple):
    """``agent`` is its User-Agent header, ``hints`` what it says where a site asks for it."""

    agent: str
    hints: Json | None = None


def browser_of(user: User) -> Browser:
    """The browser of a user, always the same; not every site asks it for all client hints."""
    rng = Random(f"browser {user.unique_id}")
    browser = _browser_of(user, rng)
    return browser._replace(hints=_unasked(browser.hints)) if browser.hints and rng.random() < 0.2 else browser


def _unasked(hints: Json) -> Json:
    """What a browser says of itself anyway, as the headers spell it."""
    return {"brands": hints["brands"], "mobile": hints["mobile"], "platform": f'"{hints["platform"]}"'}


def _browser_of(user: User, rng: Random) -> Browser:
    if "compatible;" in user.agent:  # a bot
        return Browser(user.agent)
    if user.platform == "iOS":
        return _safari_phone(str(user.fields["os_version"]))
    if user.platform == "Android":
        return _chrome_phone(str(user.fields["os_version"]), str(user.fields["model"]), rng)
    if phone := _ANDROID.search(user.agent):
        return _chrome_phone(phone[1], phone[2], rng)
    return _desktop(next(name for name in _DESKTOPS if name in user.agent), rng)


def _safari_phone(version: str) -> Browser:
    system = f"iPhone; CPU iPhone OS {version.replace('.', '_')} like Mac OS X"
    return Browser(f"Mozilla/5.0 ({system}) {_WEBKIT} Version/{version} Mobile/15E148 Safari/604.1")


def _chrome_phone(version: str, model: str, rng: Random) -> Browser:
    major = rng.randint(120, 131)
    hints = _hints("Google Chrome", major, "Android", f"{version}.0.0", rng) | {"mobile": True, "model": model}
    agent = f"Mozilla/5.0 (Linux; Android 10; K) {_CHROMIUM.format(major, ' Mobile')}"
    return Browser(agent, hints | {"architecture": "", "bitness": ""})


def _desktop(name: str, rng: Random) -> Browser:
    system, versions = _DESKTOPS[name]
    chance, major = rng.random(), rng.randint(120, 131)
    if chance < 0.12:
        return Browser(f"Mozilla/5.0 ({system}; rv:{major}.0) Gecko/20100101 Firefox/{major}.0")
    if chance < 0.4 and name == "Macintosh":
        version = rng.choice(("16.6", "17.5", "18.1"))
        return Browser(f"Mozilla/5.0 ({system}) {_WEBKIT} Version/{version} Safari/605.1.15")
    is_edge = chance < 0.4 and name == "Windows"
    agent = f"Mozilla/5.0 ({system}) {_CHROMIUM.format(major, '')}{f' Edg/{major}.0.0.0' if is_edge else ''}"
    brand, version = "Microsoft Edge" if is_edge else "Google Chrome", rng.choice(versions)
    return Browser(agent, _hints(brand, major, _SYSTEMS.get(name, name), version, rng))


def _hints(brand: str, major: int, system: str, version: str, rng: Random) -> Json:
    full = f"{major}.0.{rng.randint(6000, 6800)}.{rng.randint(40, 200)}"
    exact = {"Chromium": full, "Not)A;Brand": "24.0.0.0", brand: full}
    return {
        "architecture": "x86",
        "bitness": "64",
        "full_version_list": [{"brand": name, "version": each} for name, each in exact.items()],
        "mobile": False,
        "model": "",
        "platform": system,
        "platform_version": version,
        "wow64": False,
        "brands": [{"brand": name, "version": each.partition(".")[0]} for name, each in exact.items()],
    }
