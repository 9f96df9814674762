"""Whether a user agent is a bot's, and which source says so."""

from __future__ import annotations

import re
from functools import cache

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from ua_parser import DefaultedResult

from streaming_app.enrichers.user_agent.bot_signals import looks_automated
from streaming_app.enrichers.user_agent.pattern_lists import PatternList, Patterns

UA_PARSER, CRAWLERS, SIGNALS, LIST = "ua-parser", "crawler-user-agents", "signals", "list"
"""The sources, in the order in which ``bot_source`` names them."""

_SPIDER = "Spider"
"""ua-parser's device family of bots."""

TOO_WIDE: dict[str, str | None] = {
    # What people use, or the software that their devices and apps are made of.
    "okhttp": None,  # the network library of Android apps
    r"AP3A\.240617\.008": None,  # the build of Android 15 on very many phones
    "MetaIAB Facebook": None,  # Facebook's in-app browser
    "Fluid": None,  # a browser
    "Sogou": "Sogou[a-zA-Z -]*[Ss]pider",  # Sogou's browsers
    r"Freespoke\/": "compatible; Freespoke/",  # Freespoke's browser
    "Viber": "^Viber$",  # Viber's in-app browser
    "Blackboard": "Blackboard Safeassign",  # Blackboard's app
    r"Notion\/": "^Notion/",  # Notion's desktop app, which shows embedded pages
    r"Code\/1\.": None,  # the editor Visual Studio Code, which shows pages
    r"PocketCasts\/": r"^PocketCasts/1\.0 \(",  # Pocket Casts' desktop app
    r"Overcast\/": "^Overcast/.*Podcast Sync",  # Overcast's app
    "WhatsApp": r"^\w*WhatsApp(?:/[\d.]+[ /]?\w?)?$",  # WhatsApp's apps; those that fetch previews name no device
    "coccoc": "compatible; coccoc|coccocbot",  # Coc Coc's browser
    # Short words that are found in names of devices and apps.
    "Sonic": "RankSonic|compatible; Sonic/",  # ViewSonic
    "Butterfly": "compatible; Butterfly/",  # HTC Butterfly
    "Fever": "^Fever/",  # Fever Plus
    "Expanse": "^Expanse,",  # a phone
    "Chirp|gotosocial": "gotosocial",  # GoogleChirp, a loudspeaker
    r"008\/": "^008/",  # any version or build that ends so
    r"RED\/": "^RED/",  # WIRED
    "speedy": "(?i)^speedy|speedy ?spider",  # Sprint's HTC Speedy
}
"""Patterns of crawler-user-agents that genuine clients match, and what stands for them; found with public collections of the
user agents of browsers, devices and apps. ``python -m benchmarks.bots`` shows what this costs."""

_APPS = re.compile(r"\bCFNetwork/\d|^Dalvik/\d", re.IGNORECASE)
"""Agents that iOS, macOS and Android make up for apps that give none: whatever the app is called, a person's device sent it."""

_PROGRAMS = re.compile(r"\bMSIE \d|\bTrident/|^Opera/|Amiga|\bElectron/\d", re.IGNORECASE)
"""Browsers and desktop apps in which ua-parser finds the name of a bot: "bot" in the name of a bank's Internet Explorer (Caboto),
a messenger's app by the name of its link previews (WhatsApp). They are bots only where something else says so too."""


@cache
def crawlers() -> Patterns:
    """The patterns of the installed crawler-user-agents, :data:`TOO_WIDE` ones narrowed or left out."""
    patterns = (TOO_WIDE.get(each["pattern"], each["pattern"]) for each in CRAWLER_USER_AGENTS_DATA)
    return Patterns(pattern for pattern in patterns if pattern)


def bot_source(
    agent: str, parsed: DefaultedResult, bots: PatternList | None = None, exceptions: PatternList | None = None
) -> str | None:
    """The sources that take the user agent for a bot, joined by ``", "``; None if none does.

    Signals are looked for where no public list knows the agent. A user's ``exceptions`` are stronger than every source, a user's
    ``bots`` stronger than the rule that apps are no bots.
    """
    if exceptions and exceptions.patterns.found_in(agent):
        return None
    found = [] if _APPS.search(agent) else _public_sources(agent, parsed)
    if bots and bots.patterns.found_in(agent):
        found.append(LIST)
    return ", ".join(found) or None


def _public_sources(agent: str, parsed: DefaultedResult) -> list[str]:
    found = [UA_PARSER] if parsed.device.family == _SPIDER else []
    found += [CRAWLERS] if crawlers().found_in(agent) else []
    if found and not (found == [UA_PARSER] and _PROGRAMS.search(agent)):
        return found
    return [*found, SIGNALS][:1] if looks_automated(agent, parsed.os.family, parsed.device.family) else []
