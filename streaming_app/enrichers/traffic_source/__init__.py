"""The ``traffic_source`` enricher: source, medium, campaign, channel group and category of each event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from streaming_app.enrichers.traffic_source.infer import EventContext, infer
from streaming_app.enrichers.traffic_source.load_rules import RuleLoader
from streaming_app.enrichers.traffic_source.options import TrafficSourceOptions
from streaming_app.enrichers.traffic_source.rules import TrafficRules
from streaming_app.enrichers.traffic_source.traffic import PageInfo, Traffic
from streaming_app.model.bounded_cache import bounded_cache
from streaming_app.plugins.arrow_columns import column, distinct, distinct_rows, with_column
from streaming_app.plugins.enricher import EnricherInfo, Files

_COLUMNS = tuple(f"traffic_source_{field}" for field in Traffic._fields)
_URLS = (
    "page_view_page_url",
    "page_view_page_referrer",
    "page_view_latest_referrer",
    "page_view_hostname",
    "page_view_latest_referrer_host",
)
_BROKEN = PageInfo("", "", "")
# Distinct combinations of inputs that a worker caches, and the most characters of one: a bound on its memory.
_CACHED, _LONGEST = 16_384, 2_048


class TrafficSource:
    """Fills the ten ``traffic_source_*`` columns of events with a page URL, a referrer, or traffic fields of the client."""

    Options = TrafficSourceOptions
    FILLS = _COLUMNS

    def __init__(self, options: TrafficSourceOptions, files: Files) -> None:
        self._loader = RuleLoader(options, files)
        self._apps: dict[str | None, _AppInference] = {}

    def open(self) -> None:
        """Read the rule files.

        Raises:
            ConfigError: with every problem in them.
        """
        self._apps = {app: _AppInference(rules) for app, rules in self._loader.load().items()}

    def info(self) -> EnricherInfo:
        """The rule files in use."""
        return {"rules": self._loader.used}

    def enrich(self, events: pa.Table) -> pa.Table:
        # Apps without rules of their own, which may be thousands, are one part.
        ids, which = distinct(column(events, "app_id", pa.string()))
        of_ids = [self._apps.get(app_id) or self._apps["*"] for app_id in ids]
        inferences = list(dict.fromkeys(of_ids))
        if len(inferences) <= 1:
            return _enrich_apps(inferences[0] if inferences else self._apps["*"], events)
        rows = np.array([inferences.index(each) for each in of_ids])[which.to_numpy()]
        parts = [np.flatnonzero(rows == number) for number in range(len(inferences))]
        enriched = [_enrich_apps(app, events.take(pa.array(own))) for app, own in zip(inferences, parts, strict=True)]
        return pa.concat_tables(enriched).take(pa.array(np.argsort(np.concatenate(parts))))


def _enrich_apps(app: _AppInference, events: pa.Table) -> pa.Table:
    """Enrich the events of apps with the same rules."""
    # 1. Each column of URLs as numbers of distinct pages. 2. The inference once for each distinct combination of inputs.
    # 3. Each column of results by one take.
    pages, codes = zip(*(_encode_pages(column(events, name, pa.string()), app.read_page) for name in _URLS), strict=True)
    combinations, which = distinct_rows([*codes, *(column(events, name, pa.string()) for name in _COLUMNS)])
    count = len(_URLS)
    traffics = [
        app.traffic(*(known[code] for known, code in zip(pages, each[:count], strict=True)), Traffic(*each[count:]))
        for each in combinations
    ]
    for position, name in enumerate(_COLUMNS):
        values = pa.array([traffic[position] for traffic in traffics], pa.string()).take(which)
        events = with_column(events, name, values)
    return events


class _AppInference:
    """The inference with one app's rules, cached; the caches change no result."""

    def __init__(self, rules: TrafficRules) -> None:
        self._rules = rules
        self.traffic = bounded_cache(_CACHED, _LONGEST)(self._traffic)

    def read_page(self, url: str | None) -> PageInfo | None:
        """What the URL says; None where there is no URL."""
        return (self._rules.read_page(url) or _BROKEN) if url else None

    def _traffic(
        self,
        page: PageInfo | None,
        page_referrer: PageInfo | None,
        latest_referrer: PageInfo | None,
        host: PageInfo | None,
        latest_host: PageInfo | None,
        client: Traffic,
    ) -> Traffic:
        if not (page or page_referrer or latest_referrer or any(client)):
            return client
        valid = [None if each is _BROKEN else each for each in (page, page_referrer, latest_referrer, host, latest_host)]
        page, page_referrer, latest_referrer, host, latest_host = valid
        if page and host and not page.host:
            page = page._replace(host=host.host, site=host.site)
        return infer(EventContext(client, page or host, page_referrer, latest_referrer or latest_host), self._rules)


def _encode_pages(urls: pa.ChunkedArray, read_page: Callable[[str | None], PageInfo | None]) -> tuple[list[Any], pa.Array]:
    """The distinct pages in a column of URLs, and for each row the number of its page."""
    values, which = distinct(urls)
    numbers: dict[PageInfo | None, int] = {}
    codes = np.array([numbers.setdefault(read_page(url), len(numbers)) for url in values], dtype=np.int32)
    return list(numbers), pa.array(codes).take(which)
