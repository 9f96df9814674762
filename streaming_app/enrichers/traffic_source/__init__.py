"""The traffic source enricher: source, medium, campaign, channel and the rest for every event that came from somewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from streaming_app.enrichers.traffic_source.infer import Visit, infer
from streaming_app.enrichers.traffic_source.load import RuleLoader
from streaming_app.enrichers.traffic_source.options import TrafficSourceOptions
from streaming_app.enrichers.traffic_source.rules import Rules
from streaming_app.enrichers.traffic_source.traffic import Place, Traffic
from streaming_app.model.remember import remember_short
from streaming_app.plugins.columns import column, with_column
from streaming_app.plugins.distinct import distinct, distinct_rows
from streaming_app.plugins.enricher import Files, Info

_COLUMNS = tuple(f"traffic_source_{field}" for field in Traffic._fields)
_URLS = (
    "page_view_page_url",
    "page_view_page_referrer",
    "page_view_latest_referrer",
    "page_view_hostname",
    "page_view_latest_referrer_host",
)
_BROKEN = Place("", "", "")
# Different visits that a worker remembers, and the characters of one: a bound on its memory.
_CACHED, _LONGEST = 16_384, 2_048


class TrafficSource:
    """Fills the ten ``traffic_source_*`` columns of events with a page URL, a referrer, or traffic fields of the client."""

    Options = TrafficSourceOptions
    FILLS = _COLUMNS

    def __init__(self, options: TrafficSourceOptions, files: Files) -> None:
        self._loader = RuleLoader(options, files)
        self._apps: dict[str | None, _App] = {}

    def open(self) -> None:
        """Read the rule files.

        Raises:
            ConfigError: with every problem in them.
        """
        self._apps = {app: _App(rules) for app, rules in self._loader.load().items()}

    def info(self) -> Info:
        """The rule files in use."""
        return {"rules": self._loader.used}

    def enrich(self, events: pa.Table) -> pa.Table:
        ids, which = distinct(column(events, "app_id", pa.string()))
        if len(ids) <= 1:
            return self._enriched(ids[0] if ids else None, events)
        rows = which.to_numpy()
        places = [np.flatnonzero(rows == number) for number in range(len(ids))]
        parts = [self._enriched(app_id, events.take(pa.array(place))) for app_id, place in zip(ids, places, strict=True)]
        return pa.concat_tables(parts).take(pa.array(np.argsort(np.concatenate(places))))

    def _enriched(self, app_id: str | None, events: pa.Table) -> pa.Table:
        app = self._apps.get(app_id) or self._apps["*"]
        places, codes = zip(*(_coded(column(events, name, pa.string()), app.place) for name in _URLS), strict=True)
        visits, which = distinct_rows([*codes, *(column(events, name, pa.string()) for name in _COLUMNS)])
        count = len(_URLS)
        traffics = [
            app.traffic(*(known[code] for known, code in zip(places, visit[:count], strict=True)), Traffic(*visit[count:]))
            for visit in visits
        ]
        for position, name in enumerate(_COLUMNS):
            values = pa.array([traffic[position] for traffic in traffics], pa.string()).take(which)
            events = with_column(events, name, values)
        return events


class _App:
    """The inference for one app; its caches change no result."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.traffic = remember_short(_CACHED, _LONGEST)(self._traffic)

    def place(self, url: str | None) -> Place | None:
        """None where there is no address."""
        return (self._rules.place(url) or _BROKEN) if url else None

    def _traffic(
        self,
        page: Place | None,
        page_referrer: Place | None,
        latest_referrer: Place | None,
        host: Place | None,
        latest_host: Place | None,
        client: Traffic,
    ) -> Traffic:
        if not (page or page_referrer or latest_referrer or any(client)):
            return client
        sound = [None if place is _BROKEN else place for place in (page, page_referrer, latest_referrer, host, latest_host)]
        page, page_referrer, latest_referrer, host, latest_host = sound
        if page and host and not page.host:
            page = page._replace(host=host.host, site=host.site)
        return infer(Visit(client, page or host, page_referrer, latest_referrer or latest_host), self._rules)


def _coded(urls: pa.ChunkedArray, place: Callable[[str | None], Place | None]) -> tuple[list[Any], pa.Array]:
    """The different places of a column of addresses, and for each row the number of its own."""
    values, which = distinct(urls)
    numbers: dict[Place | None, int] = {}
    codes = np.array([numbers.setdefault(place(url), len(numbers)) for url in values], dtype=np.int32)
    return list(numbers), pa.array(codes).take(which)
