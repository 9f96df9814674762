"""Finds IP addresses in free text (URLs, user agents, titles, JSON), by their form or because they are known to be a client's."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import unquote

from streaming_app.privacy.scrub import KEYS

_HEX, _COLON = "[0-9A-Fa-f]", "(?::|%3[aA])"
_V4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_V6 = rf"{_HEX}{{0,4}}(?:{_COLON}{_HEX}{{0,4}}){{2,7}}"
_AFTER_ESCAPE = rf"(?<=%{_HEX}{{2}})|(?<=\\u{_HEX}{{4}})|(?<=\\[nrtbf])"
_ADDRESS = re.compile(
    rf"(?:{_AFTER_ESCAPE}|(?<![0-9])(?<![0-9]\.))(?P<v4>{_V4})(?![0-9]|\.[0-9])"
    rf"|(?:{_AFTER_ESCAPE}|(?<![\w:.%]))(?P<v6>{_V6})(?![\w:]|\.[0-9])"
)
MAYBE = rf"[0-9]\.[0-9]{{1,3}}\.(?:[1-9][0-9]{{0,2}}\.[0-9]|0{{1,3}}\.[1-9])|{_HEX}{_COLON}{_HEX}{{0,4}}{_COLON}"
"""RE2 pattern of a text that may contain an address; most versions in user agents, such as 124.0.0.0, do not match."""
_NAMES = "|".join(re.escape(key).replace(r"\$", r"(?:\$|%24)") for key in KEYS)
_PARAMETER = re.compile(rf"""(?P<name>(?<![\w$])(?:{_NAMES})=)(?P<value>[^&#\s"'\\<>]*)""")
_VERSION = re.compile(r"""(?:[vV]er(?:sion)?["\\:=\s]{0,12}|(?<![A-Za-z])[vV])$""")
_PRODUCT = re.compile(r"(?:^|[\s\"(;])[A-Za-z][\w.-]*/$")
_HOST = re.compile(r"//\[?$")
_CONTEXT = 32
_LARGEST_MAJOR_VERSION, _LARGEST_OF_A_PRODUCT = 99, 31
"""Largest first part of a version number, and largest part of a product's version: anything larger is an address."""
VERSION, HOST = "version:", "//"
_FEWEST_GROUPS = 3
"""Minimum number of groups of an IPv6 address in a text; anything shorter is more likely a name with two colons."""


def replace_any_address(text: str, replace: Callable[[str], str], known: Collection[str] = (), lead: str = "") -> str:
    """Replace each address in a text, and the values of URL parameters named like one of
    :data:`~streaming_app.privacy.scrub.KEYS`.

    Version numbers and hosts of URLs are kept, unless they are ``known`` client addresses (in canonical form). ``lead`` is the
    context before the text: :data:`VERSION` if it may be a version, :data:`HOST` if it may be a host.

    >>> replace_any_address("/?ip=x&q=203.0.113.7 Chrome/124.0.0.0 //192.0.2.1/ v1.2.3.4", lambda value: "*")
    '/?ip=*&q=* Chrome/124.0.0.0 //192.0.2.1/ v1.2.3.4'
    """

    def parameter(found: re.Match[str]) -> str:
        return found["name"] + replace(unquote(found["value"].replace("+", " ")))

    def address(found: re.Match[str]) -> str:
        sent = found["v4"] or unquote(found["v6"])
        canonical = _canonical(sent)
        before = lead + text[max(0, found.start() - _CONTEXT) : found.start()]
        if canonical is None or (canonical not in known and _is_no_client(canonical, before)):
            return found[0]
        return replace(canonical)

    text = _PARAMETER.sub(parameter, text)
    return _ADDRESS.sub(address, text)


def _canonical(sent: str) -> str | None:
    if ":" not in sent:
        octets = [int(part) for part in sent.split(".")]
        return ".".join(map(str, octets)) if max(octets) <= 255 else None
    try:
        return str(IPv6Address(sent))
    except AddressValueError:
        return None


def _is_no_client(address: str, before: str) -> bool:
    """Whether an address is not a client's, by its own form and by the text before it."""
    if ":" in address:
        return len(list(filter(None, address.split(":")))) < _FEWEST_GROUPS or bool(_HOST.search(before))
    if address.endswith(".0.0") or _HOST.search(before):
        return True
    octets = [int(part) for part in address.split(".")]
    if _VERSION.search(before):
        return octets[0] <= _LARGEST_MAJOR_VERSION
    return bool(_PRODUCT.search(before)) and max(octets) <= _LARGEST_OF_A_PRODUCT
