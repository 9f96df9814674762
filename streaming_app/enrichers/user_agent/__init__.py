"""The ``user_agent`` enricher: browser, operating system, device and bots from user agents and client hints."""

from __future__ import annotations

from importlib.metadata import version

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.enrichers.user_agent.apply_hints import category_with_hints, with_hints
from streaming_app.enrichers.user_agent.bots import bot_source, crawlers
from streaming_app.enrichers.user_agent.client import Client, as_json, client_of, parse, parser
from streaming_app.enrichers.user_agent.client_hints import Hints, read_hints
from streaming_app.enrichers.user_agent.device_categories import category_of
from streaming_app.enrichers.user_agent.options import UserAgentOptions
from streaming_app.enrichers.user_agent.pattern_lists import PatternList, read_lists
from streaming_app.model.bounded_cache import bounded_cache
from streaming_app.plugins.arrow_columns import column, distinct_rows, with_column
from streaming_app.plugins.enricher import EnricherInfo, Files

KEPT = 8_192
"""So many pairs of user agent and hints are remembered, the latest ones, unless they are long: about 2 kB each, 4 kB at most."""

_LONGEST = 2_048
"""Characters that are looked at of a user agent or of hints, which are no JSON then; real ones have a few hundred."""

COLUMNS = (*Client._fields, "device_ua_device_category", "device_ua", "is_bot", "bot_source")

ClientValues = tuple[str | bool | None, ...]
"""Values of :data:`COLUMNS`."""


class UserAgent:
    """Fills :data:`COLUMNS` where an event has a user agent or client hints, as a whole: nothing older is mixed in.

    Without a user agent ``device_ua``, ``is_bot`` and ``bot_source`` are null: unknown.
    """

    Options = UserAgentOptions
    FILLS = COLUMNS

    def __init__(self, options: UserAgentOptions, files: Files) -> None:
        self.failed = 0  # client hints that are no JSON object: they are ignored
        self._options, self._files = options, files
        self._bots: PatternList | None = None
        self._exceptions: PatternList | None = None
        self._values = bounded_cache(KEPT)(self._look_up)

    def open(self) -> None:
        """Load ua-parser's rules, crawler-user-agents' patterns and the user's lists.

        Raises:
            ConfigError: of the user's lists one cannot be read, or has lines that are no patterns; a message line for each.
        """
        parser()
        crawlers()
        self._bots, self._exceptions = read_lists((self._options.bot_patterns, self._options.not_bots), self._files)
        self._values.cache_clear()
        self.failed = 0

    def info(self) -> EnricherInfo:
        """Versions of the data, and the user's lists with the number of their patterns."""
        return {
            "ua-parser-builtins": version("ua-parser-builtins"),
            "crawler-user-agents": version("crawler-user-agents"),
            "bot_patterns": self._bots and self._bots.info(),
            "not_bots": self._exceptions and self._exceptions.info(),
        }

    def enrich(self, events: pa.Table) -> pa.Table:
        pairs, which = distinct_rows([column(events, name, pa.string()) for name in ("ua", "client_hints")])
        clients = [self._values(*(text and text.strip()[:_LONGEST] for text in pair)) for pair in pairs]
        known = pa.array([each is not None for each in clients], pa.bool_()).take(which)
        for position, name in enumerate(COLUMNS):
            kind = pa.bool_() if name == "is_bot" else pa.string()
            values = pa.array([each and each[position] for each in clients], kind).take(which)
            events = with_column(events, name, pc.if_else(known, values, column(events, name, kind)))
        return _with_bots_filtered(events) if self._options.bots == "drop" else events

    def _look_up(self, agent: str | None, hints_text: str | None) -> ClientValues | None:
        hints = self._hints(hints_text) if hints_text else None
        if not agent:
            return _by_hints(hints) if hints else None
        parsed = parse(agent)
        source = bot_source(agent, parsed, self._bots, self._exceptions)
        client = with_hints(client_of(parsed), hints) if hints else client_of(parsed)
        category = category_with_hints(agent, client, hints) if hints else category_of(agent, client.device_ua_os)
        return (*client, "Bot" if source else category, as_json(agent, parsed), source is not None, source)

    def _hints(self, text: str) -> Hints | None:
        try:
            return read_hints(text)
        except ValueError:
            self.failed += 1
            return None


def _by_hints(hints: Hints) -> ClientValues:
    client = with_hints(Client(), hints)
    return (*client, category_with_hints("", client, hints), None, None, None)


def _with_bots_filtered(events: pa.Table) -> pa.Table:
    """The transient ``is_filtered`` is true where it was, and where ``is_bot`` is."""
    either = pc.or_kleene(column(events, "is_filtered", pa.bool_()), events.column("is_bot"))
    return with_column(events, "is_filtered", pc.fill_null(either, False))
