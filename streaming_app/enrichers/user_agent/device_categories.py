"""What kind of device a client is: an ordered table of rules over the user agent's text and its operating system."""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

from streaming_app.enrichers.user_agent.pattern_lists import Patterns

DeviceCategory = Literal["Desktop", "Mobile", "Tablet", "TV", "Console", "Bot", "Other"]


class DeviceRule(NamedTuple):
    """Holds where the pattern (RE2) is found in the user agent, or in the operating system's family."""

    category: DeviceCategory
    where: Literal["agent", "os"]
    pattern: str


_CONSOLES = r"PlayStation|PLAYSTATION|Playstation|\bX(?:box|BOX)|Nintendo"
# "DTV" is no television: phones with a digital TV receiver have it in their names.
_TELEVISIONS = (
    r"(?:\b|_|[a-z])TV(?:\b|_|Store)|SMARTTV|[Ss]mart[Tt]v|SmartHub|Web0S|NetCast|CE-HTML|BRAVIA|\bVIERA|VIDAA"
    r"|CrKey|\bRoku|\bAFT[A-Z0-9]{1,9}\b|MIBOX|MiBOX|TVBOX|TV ?[Bb]ox|SHIELD Android|\bOMI/|[Ss]et-?[Tt]op"
)
# By model where it matters: apps say nothing else, and some browsers on tablets say "Mobile".
_TABLETS = (
    r"\b(?:i|Media|Mate|Mi)?[Pp]ad\b|\bPAD\b|/apad\b|Tablet|\bTAB(?:LET)?(?:\b|[ _-]?\d)|[Tt]ab(?:\b|[ _-]?[A-Z0-9])"
    r"|Kindle|\bSilk/|\bKF[A-Z]{2,6}\b|\bNexus (?:7|9|10)\b|\bPixel C\b"
    r"|\bSM-[PTX]\d{3}|\bGT-[PN][58]\d{3}|\bTB-?[A-Z0-9]\d{3}|\bYT-[A-Z]\d{3}|\bSGP\d{3}"
    r"|\b(?:AGS|BAH|SCM|MRX|DBY|BTV|CMR|SHT|JDN|KOB|BZT|BZK)\d?-[A-Z]{1,2}\d"
)
_PHONES = (
    r"iPhone|iPod|Mobi|KaiOS|BlackBerry|BB10|Symb(?:ian|OS)|Series ?[346]0|Opera Mini|MIDP|UCWEB|UP\.Browser|Phone\b"
    r"|\bokhttp\b"  # the network library of Android apps
)
_DESKTOPS = "Mac OS X?|Chrome OS|Linux|Ubuntu|Debian|Fedora|Red Hat|Gentoo|.*BSD|Solaris"

RULES: tuple[DeviceRule, ...] = (
    DeviceRule("Console", "agent", _CONSOLES),
    DeviceRule("TV", "agent", _TELEVISIONS),
    DeviceRule("TV", "os", "^(?:ATV OS X|tvOS|webOS|Chromecast.*|FireHbbTV)$"),
    DeviceRule("Mobile", "agent", "Windows Phone|WPDesktop|IEMobile"),
    DeviceRule("Mobile", "os", "^Windows (?:Phone|Mobile|CE)$"),
    # Before the tablets: Windows says "Tablet PC" of any desktop with a pen driver. Mac apps by their network library.
    DeviceRule("Desktop", "agent", r"Windows|Chromebook|CFNetwork/.*\((?:x86_64|i386|Power)"),
    DeviceRule("Desktop", "os", "^Windows$"),
    DeviceRule("Tablet", "agent", _TABLETS),
    DeviceRule("Mobile", "agent", f"(?i){_PHONES}"),
    # Browsers on Android phones say "Mobile", those on tablets do not; apps and their libraries never say it.
    DeviceRule("Tablet", "agent", r"(?i)^Mozilla/.*\bAndroid\b"),
    # Apps on iOS tell an iPad from an iPhone only if they want to.
    DeviceRule("Mobile", "agent", r"\bAndroid\b"),
    DeviceRule("Mobile", "os", "^(?:iOS|Android|Firefox OS|Nokia .*|BlackBerry .*|Brew MP)$"),
    # A Macintosh may be an iPad whose Safari asks for desktop pages: nothing in its text tells.
    DeviceRule("Desktop", "agent", r"Macintosh|\bX11\b|\bCrOS\b"),
    DeviceRule("Desktop", "os", f"^(?:{_DESKTOPS})$"),
)
"""The first that holds decides."""


def category_of(agent: str, system: str | None) -> DeviceCategory:
    """The category of a client that is no bot, by its user agent ("" if there is none) and operating system's family.

    >>> category_of("Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15", "iOS")
    'Tablet'
    """
    numbers, patterns = _rules("agent")
    holding = [numbers[place] for place in patterns.find_positions(agent)]
    numbers, patterns = _rules("os")
    holding += [numbers[place] for place in patterns.find_positions(system or "")]
    return RULES[min(holding)].category if holding else "Other"


@cache
def _rules(where: str) -> tuple[list[int], Patterns]:
    """The numbers of the rules that look there, and their patterns."""
    numbers = [number for number, rule in enumerate(RULES) if rule.where == where]
    return numbers, Patterns(RULES[number].pattern for number in numbers)
