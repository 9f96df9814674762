"""Merges client hints into a parsed user agent, which is frozen: thousands of phones send Chrome, Android 10 and model K.

Names and versions are in ua-parser's form, so that one browser has one name whether it sends hints or not.
"""

from __future__ import annotations

from streaming_app.enrichers.user_agent.client import Client, parse
from streaming_app.enrichers.user_agent.client_hints import Hints, leading_numbers, platform_version
from streaming_app.enrichers.user_agent.device_categories import DeviceCategory, category_of
from streaming_app.enrichers.user_agent.hint_names import FROZEN_BROWSERS, FROZEN_SYSTEMS, GENERIC, SPECIFIC, SYSTEMS


def with_hints(client: Client, hints: Hints) -> Client:
    """The client as its user agent and its hints together describe it."""
    browser, browser_version = _browser(client, hints)
    system, system_version = _system(client, hints)
    family, brand, model = _device(client, hints)
    return Client(browser, browser_version, system, system_version, family, brand, model)


def category_with_hints(agent: str, client: Client, hints: Hints) -> DeviceCategory:
    """The category of a client after :func:`with_hints`; ``agent`` is "" where it sent none."""
    category = category_of(agent, client.device_ua_os)
    if category in {"TV", "Console"}:
        return category
    if hints.model:
        # As the browser would have said it before user agents were frozen.
        unfrozen = f"Mozilla/5.0 (Linux; Android 10; {hints.model}) {'' if hints.mobile is False else 'Mobile'}"
        category = category_of(unfrozen, client.device_ua_os)
    if hints.mobile and category in {"Desktop", "Other"}:
        return "Mobile"
    is_tablet = hints.mobile is False and category == "Mobile" and client.device_ua_os == "Android"
    return "Tablet" if is_tablet else category


def _browser(client: Client, hints: Hints) -> tuple[str | None, str | None]:
    known, known_version = client.device_ua_browser, client.device_ua_browser_version
    if not hints.brands:
        return known, known_version
    brand = min(hints.brands, key=_rank)
    families = (GENERIC | SPECIFIC).get(brand, (brand, brand))
    is_mobile = known == families[1] if hints.mobile is None else hints.mobile
    family = families[1] if is_mobile else families[0]
    if brand in GENERIC and known not in FROZEN_BROWSERS | {family}:
        return known, known_version
    return family, _finer(known_version if known == family else None, leading_numbers(hints.brands[brand]))


def _rank(brand: str) -> tuple[int, str]:
    """Known browsers, then unknown ones, then what they are made of; browsers shuffle their lists, so order says nothing."""
    return (2 + list(GENERIC).index(brand) if brand in GENERIC else 0 if brand in SPECIFIC else 1, brand)


def _system(client: Client, hints: Hints) -> tuple[str | None, str | None]:
    known, known_version = client.device_ua_os, client.device_ua_os_version
    if not hints.platform:
        return known, known_version
    family = SYSTEMS.get(hints.platform.lower(), hints.platform)
    if family != known and known not in FROZEN_SYSTEMS.get(family, {known}):
        return known, known_version
    return family, _finer(known_version if known == family else None, platform_version(family, hints.platform_version))


def _device(client: Client, hints: Hints) -> tuple[str | None, str | None, str | None]:
    if not hints.model:
        return client.device_ua_device, client.device_ua_device_brand, client.device_ua_device_model
    if hints.platform not in {None, "Android"}:
        return hints.model, None, hints.model
    # As the phone's apps would say it: ua-parser knows the makers of more models by that than by browsers.
    device = parse(f"Dalvik/2.1.0 (Linux; U; Android 10; {hints.model} Build/X)").device
    return device.family, device.brand, device.model


def _finer(known: str | None, told: str | None) -> str | None:
    """The hinted version, unless it is the known one with fewer parts (``124`` of ``124.0.6367``)."""
    return known if told is None or (known or "").startswith(f"{told}.") else told
