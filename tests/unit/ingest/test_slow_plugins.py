"""A plugin that takes too long costs what it is slow with, and nothing else; the message names it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from streaming_app.ingest.transform.time_budget import TooSlowError, time_limit
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from tests.support.lake import LocalPipeline, balance
from tests.support.raw import NOW, event, line, write

LIMIT = "limits: {max_plugin_seconds: 0.5}\n"
LONG = 600


class Slow:
    """A transformer that hangs at elements called slow; one that it cannot be stopped at, by its own lights, is stubborn."""

    def transform(self, request: Request) -> Iterable[Event]:
        sent = json.loads(request.data or "[]")
        for name in sent if isinstance(sent, list) else [sent]:
            while name == "stubborn":
                try:
                    time.sleep(LONG)
                except Exception:
                    break
            if name == "slow":
                time.sleep(LONG)
            yield Event(event_id=name, app_id="own", event_name="x", event_time_msec=NOW - 1_000, user_pseudo_id="u")


class SlowPlace:
    """An enricher that hangs at tables with the event called slow."""

    def open(self) -> None: ...

    def enrich(self, events: pa.Table) -> pa.Table:
        if pc.any(pc.equal(events["event_id"], "slow")).as_py():
            time.sleep(LONG)
        return events.set_column(events.column_names.index("geo_city"), "geo_city", pa.repeat("Paris", len(events)))


class Hangs(SlowPlace):
    def enrich(self, events: pa.Table) -> pa.Table:
        time.sleep(LONG)
        return events


@pytest.mark.parametrize(
    ("sent", "written", "refused"),
    [
        (["a", "slow", "b"], ["a", "b"], ['"slow"']),
        (["slow"], [], ['["slow"]']),
        (["slow", "a", "slow"], ["a"], ['"slow"', '"slow"']),
        (["a", "stubborn", "slow"], ["a", "stubborn"], ['"slow"']),
    ],
)
def test_elements_that_a_transformer_is_slow_with(
    sent: list[str], written: list[str], refused: list[str], tmp_path: Path
) -> None:
    pipeline = LocalPipeline(tmp_path, f"  own: {{transformer: '{__name__}:Slow'}}\n{LIMIT}")
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("first")), line(json.dumps(sent), appId="own")))
    assert balance(metrics) == (1 + len(sent), 1 + len(sent))
    assert [row["event_id"] for row in pipeline.rows("event", where="app_id = 'own'")] == written
    rows = pipeline.rows("quarantine")
    assert [row["raw"] for row in rows] == refused
    assert all(row["message"].startswith("Slow: TooSlowError: took longer than 0.") for row in rows)
    assert {row["reason"] for row in rows} <= {"transformer_error"}


def test_values_that_an_enricher_is_slow_with(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, f"{LIMIT}enrichers: [{{'{__name__}:SlowPlace': {{}}}}]\n")
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", line(*(event(name) for name in ("a", "slow", "b", "c")))))
    found = {row["event_id"]: row["geo_city"] for row in pipeline.rows("event")}
    assert found == {"a": "Paris", "slow": None, "b": "Paris", "c": "Paris"}
    use = json.loads(metrics["enrichers"])[f"{__name__}:SlowPlace"]
    assert (use["failed"], use["error"]) == (1, "TooSlowError: took longer than 0.125 seconds")


def test_an_enricher_that_is_always_slow_is_given_up(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, f"{LIMIT}enrichers: [{{'{__name__}:Hangs': {{}}}}]\n")
    sent = [line(*(event(f"{request}-{number}") for number in range(50)), rid=str(request)) for request in range(10)]
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", *sent))
    assert len(pipeline.rows("event")) == 500
    assert json.loads(metrics["enrichers"])[f"{__name__}:Hangs"]["failed"] == 500


def test_the_alarm_of_others_goes_on() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: heard.append(number))
    others = signal.setitimer(signal.ITIMER_REAL, LONG)
    try:
        with pytest.raises(TooSlowError), time_limit(0.05):
            time.sleep(LONG)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left <= LONG
        signal.raise_signal(signal.SIGALRM)
        assert heard == [signal.SIGALRM]
    finally:
        signal.setitimer(signal.ITIMER_REAL, *others)
        signal.signal(signal.SIGALRM, before)
