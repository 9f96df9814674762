"""Measures how many bots are found, and how many people are taken for bots: ``python -m benchmarks.bots [BOTS PEOPLE]``.

Bots are the user agents that crawler-user-agents lists as examples; real browsers those that fake-useragent collected. The
first list favours the source that it comes with: what the signals find of it without the lists, and how few browsers all of them
take for bots, say more. Other collections can be given as two files with an agent a line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from rich.console import Console
from rich.table import Table

from streaming_app.enrichers.user_agent.bot_signals import looks_automated
from streaming_app.enrichers.user_agent.bots import CRAWLERS, SIGNALS, TOO_WIDE, UA_PARSER, bot_source
from streaming_app.enrichers.user_agent.client import parse
from streaming_app.enrichers.user_agent.pattern_lists import Patterns

SHOWN = 12
"""So many misses and false positives are listed."""

APPS = (
    "okhttp/4.9.2",
    "okhttp/5.0.0-alpha.2",
    "Dalvik/2.1.0 (Linux; U; Android 13; Pixel 6 Build/TQ3A.230805.001)",
    "Dalvik/1.6.0 (Linux; U; Android 4.4.2; GT-I9505 Build/KOT49H)",
    "Shop/1.0 CFNetwork/1496.0.7 Darwin/23.5.0",
    "com.example.shop/3.2.1 CFNetwork/1240.0.4 Darwin/20.6.0",
    "Feedly/87 CFNetwork/1410.0.3 Darwin/22.6.0",
    "Shop/5.1 (iPhone; iOS 16.2; Scale/3.00)",
    "Shop/1.0 (com.example.Shop; build:1; iOS 17.5.1) Alamofire/5.9.1",
    "Dart/3.4 (dart:io)",
    "UnityPlayer/2022.3.20f1 (UnityWebRequest/1.0, libcurl/8.5.0-DEV)",
    "ktor-client",
    "Mozilla/5.0 (Linux; Android 15; CPH2581 Build/AP3A.240617.008; wv) Chrome/131.0.6778.135 Mobile Instagram 361.0.0.46.88",
    "Mozilla/5.0 (Linux; Android 16; Pixel 10; wv) Version/4.0 Chrome/146.0.7680.174 Mobile Safari/537.36 MetaIAB Facebook",
    "Mozilla/5.0 (Linux; Android 6.0.1; OPPO R9s) Chrome/68.0.3440.106 Mobile Safari/537.36 SogouMSE,SogouMobileBrowser/5.28.7",
    "Mozilla/5.0 (Linux; Android 4.4.2; HTC Butterfly Build/KOT49H) Chrome/41.0.2272.96 Mobile Safari/537.36",
)
"""What genuine apps send: by the libraries they are made with, and by the browsers inside them."""


def by_source(agent: str) -> set[str]:
    """The sources that take a user agent for a bot."""
    return set((bot_source(agent, parse(agent)) or "").split(", ")) - {""}


def by_signals(agent: str) -> bool:
    """Whether the signals alone, without the lists, take a user agent for a bot."""
    parsed = parse(agent)
    return looks_automated(agent, parsed.os.family, parsed.device.family)


def bots() -> list[str]:
    return sorted({agent for each in CRAWLER_USER_AGENTS_DATA for agent in each["instances"]})


def browsers() -> list[str]:
    lines = files("fake_useragent").joinpath("data/browsers.jsonl").read_text(encoding="utf-8").splitlines()
    return sorted({json.loads(line)["useragent"] for line in lines})


def rows() -> Iterable[tuple[str, Callable[[str], bool]]]:
    """Each way to recognise a bot, by its name."""
    everything = Patterns(each["pattern"] for each in CRAWLER_USER_AGENTS_DATA)
    yield f"{UA_PARSER} alone", lambda agent: UA_PARSER in by_source(agent)
    yield f"{CRAWLERS} alone", lambda agent: CRAWLERS in by_source(agent)
    yield f"{CRAWLERS} with its patterns as they are", everything.found_in
    yield f"{SIGNALS} alone", by_signals
    yield "all, as the enricher does", lambda agent: bool(by_source(agent))


def main(paths: list[str]) -> None:
    corpora = {"bots": bots(), "browsers": browsers(), "apps": list(APPS)}
    if paths:
        lists = [Path(path).read_text(encoding="utf-8").splitlines() for path in paths]
        corpora = dict(zip(("bots", "people"), lists, strict=True)) | {"apps": list(APPS)}
    grid = Table("taken for bots by", *(f"{name} ({len(agents):,})" for name, agents in corpora.items()))
    for name, is_bot in rows():
        found = [(sum(map(is_bot, agents)), len(agents)) for agents in corpora.values()]
        grid.add_row(name, *(f"{count:,} ({count / total:.1%})" for count, total in found))
    console = Console(width=130)
    console.print(grid)
    console.print(f"patterns of {CRAWLERS}: {len(CRAWLER_USER_AGENTS_DATA):,}, of them too wide: {len(TOO_WIDE)}")
    print_list(console, "Bots that are missed", [agent for agent in corpora["bots"] if not by_source(agent)])
    people = [agent for name, agents in corpora.items() if name != "bots" for agent in agents]
    wrong = [f"{agent}  ({bot_source(agent, parse(agent))})" for agent in people]
    print_list(console, "People taken for bots", [line for line in wrong if not line.endswith("(None)")])


def print_list(console: Console, title: str, agents: list[str]) -> None:
    console.print(f"\n{title}: {len(agents):,}", style="bold")
    for agent in agents[:: max(1, -(-len(agents) // SHOWN))]:
        console.print(f"  {agent}", markup=False, highlight=False, overflow="ellipsis", no_wrap=True)


if __name__ == "__main__":
    main(sys.argv[1:])
