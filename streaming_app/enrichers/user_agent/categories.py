"""What kind of device a client is: an ordered table of rules over the user agent's text and its operating system."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Category = Literal["Desktop", "Mobile", "Tablet", "TV", "Console", "Bot", "Other"]


class Rule(NamedTuple):
    """Holds where ``agent`` is found in the user agent, or ``os`` is all of the operating system's family."""

    category: Category
    agent: re.Pattern[str] | None = None
    os: re.Pattern[str] | None = None


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

RULES: tuple[Rule, ...] = (
    Rule("Console", re.compile(_CONSOLES)),
    Rule("TV", re.compile(_TELEVISIONS), re.compile("ATV OS X|tvOS|webOS|Chromecast.*|FireHbbTV")),
    Rule("Mobile", re.compile("Windows Phone|WPDesktop|IEMobile"), re.compile("Windows (?:Phone|Mobile|CE)")),
    # Before the tablets: Windows says "Tablet PC" of any desktop with a pen driver. Mac apps by their network library.
    Rule("Desktop", re.compile(r"Windows|Chromebook|CFNetwork/.*\((?:x86_64|i386|Power)"), re.compile("Windows")),
    Rule("Tablet", re.compile(_TABLETS)),
    Rule("Mobile", re.compile(_PHONES, re.IGNORECASE)),
    # Browsers on Android phones say "Mobile", those on tablets do not; apps and their libraries never say it.
    Rule("Tablet", re.compile(r"^Mozilla/.*\bAndroid\b", re.IGNORECASE)),
    # Apps on iOS tell an iPad from an iPhone only if they want to.
    Rule("Mobile", re.compile(r"\bAndroid\b"), re.compile("iOS|Android|Firefox OS|Nokia .*|BlackBerry .*|Brew MP")),
    # A Macintosh may be an iPad whose Safari asks for desktop pages: nothing in its text tells.
    Rule(
        "Desktop",
        re.compile(r"Macintosh|\bX11\b|\bCrOS\b"),
        re.compile(_DESKTOPS),
    ),
)
"""The first that holds decides."""


def category_of(agent: str, system: str | None) -> Category:
    """The category of a client that is no bot, by its user agent ("" if there is none) and operating system's family.

    >>> category_of("Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15", "iOS")
    'Tablet'
    """
    for rule in RULES:
        if (rule.agent and rule.agent.search(agent)) or (rule.os and system and rule.os.fullmatch(system)):
            return rule.category
    return "Other"
