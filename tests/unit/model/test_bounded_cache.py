"""What is remembered of clients' texts takes bounded memory: many entries, none of them long."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from itertools import count

import pyarrow as pa
import pytest

from streaming_app.enrichers.ip import Ip
from streaming_app.enrichers.traffic_source import TrafficSource
from streaming_app.enrichers.user_agent import UserAgent
from streaming_app.model.bounded_cache import bounded_cache
from streaming_app.plugins.urls import split_url
from streaming_app.privacy.addresses import AddressPrivacy
from streaming_app.storage.files import Storage
from streaming_app.transformers.gtm_server.hint_columns import read_hints

NUMBERS = count()
MANY, LONG = 100, 60_000


def enriching(kind: type, *columns: str) -> Callable[[str], object]:
    enricher = kind(kind.Options(), Storage())
    enricher.open()
    return lambda text: enricher.enrich(pa.table({name: [text] for name in columns}))


def from_text(look_up: Callable[[str], object], shape: str) -> Callable[[str], object]:
    return lambda text: look_up(shape.format(text))


LOOK_UPS: dict[str, Callable[[], Callable[[str], object]]] = {
    "URLs": lambda: from_text(split_url, "https://a.example/?{0}"),
    "hints": lambda: from_text(read_hints, '{{"platform":"{0}"}}'),
    "traffic": lambda: enriching(TrafficSource, "page_view_page_url", "page_view_latest_referrer", "traffic_source_source"),
    "campaigns": lambda: from_text(
        enriching(TrafficSource, "page_view_page_url"), "https://a.example/?utm_source={0}.example&utm_medium=b&utm_campaign={0}"
    ),
    "user agents": lambda: enriching(UserAgent, "ua", "client_hints"),
    "addresses": lambda: enriching(Ip, "ip"),
    "stored addresses": lambda: AddressPrivacy("hash", "key").apply,
}


@pytest.mark.parametrize("name", LOOK_UPS)
def test_long_texts_are_forgotten(name: str) -> None:
    look_up = LOOK_UPS[name]()
    look_up("x")
    tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(MANY):
            look_up(f"{next(NUMBERS)}" + "x" * LONG)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < MANY * LONG / 4


def test_short_ones_are_remembered() -> None:
    calls = []

    @bounded_cache(2, longest=5)
    def noted(*texts: str | tuple[str | None, ...] | None) -> int:
        """Its words."""
        calls.append(texts)
        return len(calls)

    short, long = ("abcde", None), ("abc", ("d", (None, "ef")))
    assert [noted(*short), noted(*short), noted(*long), noted(*long)] == [1, 1, 2, 3]
    assert (noted.cache_info().currsize, noted.__doc__) == (1, "Its words.")
    noted.cache_clear()
    assert noted(*short) == 4
