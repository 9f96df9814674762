"""Parses a user agent into browser, operating system and device, by ua-parser's rules."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import msgspec
from ua_parser import DefaultedResult, Parser, load_lazy_builtins
from ua_parser.regex import Resolver

OTHER = "Other"
"""ua-parser's family of what it does not know."""


class Client(NamedTuple):
    """The columns that describe a client, in the order of the table; all None where nothing is known of it."""

    device_ua_browser: str | None = None
    device_ua_browser_version: str | None = None
    device_ua_os: str | None = None
    device_ua_os_version: str | None = None
    device_ua_device: str | None = None
    device_ua_device_brand: str | None = None
    device_ua_device_model: str | None = None


@cache
def parser() -> Parser:
    """ua-parser with its fast resolver and the rules of the installed ua-parser-builtins; 0.15 s once per process."""
    return Parser(Resolver(load_lazy_builtins()))


def parse(agent: str) -> DefaultedResult:
    """All that the rules find; families are :data:`OTHER` where they find nothing."""
    return parser().parse(agent).with_defaults()


def client_of(parsed: DefaultedResult) -> Client:
    """The columns of a parsed user agent: families as ua-parser names them, versions as major[.minor[.patch]]."""
    browser, system, device = parsed.user_agent, parsed.os, parsed.device
    return Client(
        browser.family,
        version(browser.major, browser.minor, browser.patch),
        system.family,
        version(system.major, system.minor, system.patch),
        device.family,
        device.brand,
        device.model,
    )


def version(*parts: str | None) -> str | None:
    """The leading parts that are there.

    >>> version("16", "6", None), version("16", None, "1"), version(None, "6", "1")
    ('16.6', '16', None)
    """
    known = parts[: parts.index(None)] if None in parts else parts
    return ".".join(part for part in known if part is not None) or None


def as_json(agent: str, parsed: DefaultedResult) -> str:
    """The text and every part that was read from it, unknown ones as null: the value of ``device_ua``."""
    browser, system, device = parsed.user_agent, parsed.os, parsed.device
    document = {
        "string": agent,
        "userAgent": _parts(browser, "major", "minor", "patch"),
        "os": {**_parts(system, "major", "minor", "patch"), "patchMinor": system.patch_minor},
        "device": _parts(device, "brand", "model"),
    }
    return msgspec.json.encode(document).decode()


def _parts(found: object, *names: str) -> dict[str, str | None]:
    return {name: getattr(found, name) for name in ("family", *names)}
