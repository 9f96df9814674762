"""Whatever an enricher does, no row is lost: what it fails on stays as it was and is counted; what it filters is in no table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import BaseModel, Field

from streaming_app.errors import ConfigError
from streaming_app.plugins.enricher import Files
from streaming_app.plugins.load_config import parse_config
from streaming_app.plugins.loading import open_enrichers
from streaming_app.storage.files import Storage
from tests.support.lake import LocalPipeline, balance, config_for
from tests.support.raw import NOW, event, line, write


def replaced(events: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return events.set_column(events.column_names.index(name), name, column)


class Enricher:
    def open(self) -> None: ...


class Raises(Enricher):
    """Fails on tables with an event called ``bad``; all others get a city."""

    def enrich(self, events: pa.Table) -> pa.Table:
        if pc.any(pc.equal(events["event_id"], "bad")).as_py():
            raise RuntimeError("no such place")
        return replaced(events, "geo_city", pa.repeat("Paris", len(events)))


class NoTable(Enricher):
    def enrich(self, events: pa.Table) -> Any:
        return events.to_pylist()


class LosesRows(Enricher):
    def enrich(self, events: pa.Table) -> pa.Table:
        return events.slice(1)


class LosesColumns(Enricher):
    def enrich(self, events: pa.Table) -> pa.Table:
        return pa.table({"geo_city": pa.repeat("Paris", len(events))})


class DoublesColumn(Enricher):
    def enrich(self, events: pa.Table) -> pa.Table:
        return events.append_column("geo_city", pa.repeat("Paris", len(events)))


class OtherOrder(Enricher):
    """Knows the cities, but gives the rows back in another order."""

    def enrich(self, events: pa.Table) -> pa.Table:
        return replaced(events, "geo_city", pa.repeat("Paris", len(events))).take(pa.array(range(len(events))[::-1]))


class ChangesId(Enricher):
    def enrich(self, events: pa.Table) -> pa.Table:
        return replaced(events, "event_id", pa.repeat("one and the same", len(events)))


class LosesTime(Enricher):
    def enrich(self, events: pa.Table) -> pa.Table:
        return replaced(events, "event_time_msec", pa.nulls(len(events), pa.int64()))


class NoJson(Enricher):
    """Longer than its column: it would have to be shortened as JSON."""

    def enrich(self, events: pa.Table) -> pa.Table:
        return replaced(events, "custom_parameters_json_str", pa.repeat("x" * 70_000, len(events)))


class NoAttributes(Enricher):
    """JSON, but not what ``user`` is made of."""

    def enrich(self, events: pa.Table) -> pa.Table:
        return replaced(events, "user_properties_json_str", pa.repeat('{"tier": "gold"}', len(events)))


class Miscounts(Enricher):
    failed = "many"

    def enrich(self, events: pa.Table) -> pa.Table:
        return events


class WrongType(Enricher):
    """Text where the contract has a number, but for the event called ``ok``."""

    def enrich(self, events: pa.Table) -> pa.Table:
        width = pc.if_else(pc.equal(events["event_id"], "ok"), "7", "wide")
        return replaced(events, "device_screen_width", width)


class Broken(Enricher):
    def open(self) -> None:
        raise ConfigError("first.json: is wrong\nsecond.json: is wrong too")

    def enrich(self, events: pa.Table) -> pa.Table:
        return events


class Surprised(Broken):
    def open(self) -> None:
        raise KeyError("first")


class Speechless(Broken):
    def open(self) -> None:
        raise ConfigError("")


class Missing(Enricher):
    def __init__(self, files: Files) -> None:
        self._files = files

    def open(self) -> None:
        self._files.local_copy("/nowhere/at.all")

    def enrich(self, events: pa.Table) -> pa.Table:
        return events


class Deep(BaseModel):
    level: int = 0


class Modelled(Enricher):
    class Options(BaseModel, extra="forbid"):
        colour: str
        depth: Deep | list[Deep] = Field(default_factory=Deep)

    FILLS = ("geo_metro",)

    def __init__(self, options: Options) -> None:
        self.options = options

    def enrich(self, events: pa.Table) -> pa.Table:
        return events


class Builds(Enricher):
    NEEDS: ClassVar[tuple[str, ...]] = ("geo_metro",)

    def enrich(self, events: pa.Table) -> pa.Table:
        return events


class Filters(Enricher):
    """Leaves out what a bot sent."""

    failed = 0

    def enrich(self, events: pa.Table) -> pa.Table:
        self.failed += 1
        return events.append_column("is_filtered", pc.match_substring(events["ua"], "bot"))

    def info(self) -> dict[str, Any]:
        return {"list": "mine"}


def entry(cls: type, options: str = "{}") -> str:
    return f"  - '{__name__}:{cls.__name__}': {options}\n"


def entries(*classes: type) -> str:
    return "enrichers:\n" + "".join(map(entry, classes))


NOTHING: dict[str, str | None] = {"bad": None, "ok": None, "other": None}
ATTRIBUTES = "{name: {value, set_time_msec}}"
FAILURES: dict[type, tuple[dict[str, str | None], int, str]] = {
    Raises: ({"bad": None, "ok": "Paris", "other": "Paris"}, 1, "RuntimeError: no such place"),
    NoTable: ({"bad": None, "ok": None, "other": None}, 3, "TypeError: enrich() returned a list, not a table"),
    LosesRows: ({"bad": None, "ok": None, "other": None}, 3, "ValueError: enrich() returned 0 rows for 1"),
    LosesColumns: ({"bad": "Paris", "ok": "Paris", "other": "Paris"}, 0, ""),
    DoublesColumn: ({"bad": None, "ok": None, "other": None}, 3, "ValueError: enrich() returned columns twice: geo_city"),
    OtherOrder: ({"bad": "Paris", "ok": "Paris", "other": "Paris"}, 0, ""),
    ChangesId: (NOTHING, 3, "ValueError: enrich() changed event_id, or the order of rows"),
    LosesTime: (NOTHING, 3, "ValueError: enrich() changed event_time_msec, or the order of rows"),
    NoJson: (NOTHING, 3, "ValueError: enrich() made events whose custom_parameters_json_str is no JSON object"),
    NoAttributes: (NOTHING, 3, f"ValueError: enrich() made events whose user_properties_json_str is no {ATTRIBUTES}"),
    Miscounts: (NOTHING, 0, ""),
}


@pytest.mark.parametrize("cls", FAILURES, ids=lambda cls: cls.__name__)
def test_a_failing_enricher_costs_its_values_only(cls: type, tmp_path: Path) -> None:
    cities, failed, error = FAILURES[cls]
    pipeline = LocalPipeline(tmp_path, entries(cls))
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("ok"), event("bad"), event("other"))))
    assert {row["event_id"]: row["geo_city"] for row in pipeline.rows("event")} == cities
    assert {row["user_pseudo_id"] for row in pipeline.rows("event")} == {"u-1"}
    [use] = json.loads(metrics["enrichers"]).values()
    assert (use["failed"], use["error"] or "") == (failed, error)


def test_a_value_of_a_wrong_type_is_one_events_problem(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, entries(WrongType))
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("ok"), event("bad", screen_width=5))))
    assert {row["event_id"]: row["device_screen_width"] for row in pipeline.rows("event")} == {"ok": 7, "bad": 5}
    [use] = json.loads(metrics["enrichers"]).values()
    assert use["failed"] == 1
    assert "wide" in use["error"]


def test_filtered_events_are_counted_and_in_no_table(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, entries(Filters))
    item = [{"id": "sku"}]
    metrics = pipeline.ingest(
        write(
            tmp_path / "raw",
            "a.gz",
            line(event("a", items=item), event("b", items=item), rid="1", ua="a bot"),
            line(event("c", items=item), event("d"), rid="2"),
        )
    )
    assert [row["event_id"] for row in pipeline.rows("event", "event_id")] == ["c", "d"]
    assert [row["event_id"] for row in pipeline.rows("item")] == ["c"]
    assert (metrics["filtered"], metrics["written"], *balance(metrics)) == (2, 2, 4, 4)
    [use] = json.loads(metrics["enrichers"]).values()
    assert (use["failed"], use["info"]) == (1, {"list": "mine"})


@pytest.mark.parametrize("files", [1, 2], ids=["one file", "two tasks"])
@pytest.mark.parametrize("bot_first", [True, False])
def test_a_filtered_copy_is_no_rival(files: int, bot_first: bool, tmp_path: Path) -> None:
    """The other copy stays, wherever the two meet."""
    pipeline = LocalPipeline(tmp_path, entries(Filters))
    copies = [
        line(event("a"), rid="1", ua="a bot", ingest_time=NOW + 1_000 * (not bot_first)),
        line(event("a"), rid="2", ingest_time=NOW + 1_000 * bot_first),
    ]
    parts = [copies] if files == 1 else [[copy] for copy in copies]
    metrics = pipeline.ingest(*(write(tmp_path / "raw", f"{n}.gz", *part) for n, part in enumerate(parts)), tasks=files)
    assert (metrics["written"], metrics["duplicate"], metrics["filtered"]) == (1, 0, 1)
    assert len(pipeline.rows("event")) == 1


def test_an_app_is_served_by_the_enrichers_that_it_names(tmp_path: Path) -> None:
    extra = "  blog: {transformer: clickstream_sdk, enrichers: []}\n  news: {transformer: clickstream_sdk, enrichers: ['%s:Raises']}\n"
    pipeline = LocalPipeline(tmp_path, extra % __name__ + entries(Raises, Filters))
    apps = ("shop", "blog", "news", "shop", "blog")
    events = [event(f"{number}-{app}", app_id=app) for number, app in enumerate(apps)]
    metrics = pipeline.ingest(
        write(tmp_path / "raw", "a.gz", line(*events), line(event("x", app_id="news"), rid="2", ua="a bot"))
    )
    assert {row["event_id"]: row["geo_city"] for row in pipeline.rows("event")} == {
        "0-shop": "Paris",
        "1-blog": None,
        "2-news": "Paris",
        "3-shop": "Paris",
        "4-blog": None,
        "x": "Paris",
    }
    assert (metrics["filtered"], metrics["written"]) == (0, 6)
    with pytest.raises(ConfigError, match=r"apps.blog.enrichers: ip: not among the enrichers configured here"):
        config_for(tmp_path, "  blog: {transformer: clickstream_sdk, enrichers: [ip]}\n")


def test_every_file_problem_at_once_before_any_data_is_touched(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        open_enrichers(config_for(tmp_path, entries(Broken, Raises, Missing, Surprised, Speechless)), Storage())
    assert str(caught.value).splitlines() == [
        f"enrichers.0.{__name__}:Broken: first.json: is wrong",
        f"enrichers.0.{__name__}:Broken: second.json: is wrong too",
        f"enrichers.2.{__name__}:Missing: /nowhere/at.all: there is no such file",
        f"enrichers.3.{__name__}:Surprised: KeyError: 'first'",
        f"enrichers.4.{__name__}:Speechless: ConfigError: ",
    ]


OPTIONS = {
    "{}": ["colour: is required"],
    "{colour: red, colours: blue}": ["colours: unknown key, did you mean 'colour'?"],
    "{colour: 1, depth: {level: deep}}": [
        "colour: Input should be a valid string (given: 1)",
        "depth.level: Input should be a valid integer, unable to parse string as an integer (given: 'deep')",
        "depth: Input should be a valid list",
    ],
}


@pytest.mark.parametrize("options", OPTIONS)
def test_options_are_checked_by_the_enrichers_own_model(options: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config_for(tmp_path, "enrichers:\n" + entry(Modelled, options))
    assert [each.partition(":Modelled.")[2] for each in str(caught.value).splitlines()] == OPTIONS[options]


ORDERS = {
    "after": ([Modelled, Builds], None),
    "before": ([Builds, Modelled], f"needs geo_metro: put it below {__name__}:Modelled"),
    "without": ([Builds], "needs geo_metro: no enricher here fills that"),
}


@pytest.mark.parametrize("case", ORDERS)
def test_the_order_of_enrichers_is_checked(case: str, tmp_path: Path) -> None:
    classes, problem = ORDERS[case]
    text = "enrichers:\n" + "".join(entry(cls, "{colour: red}" if cls is Modelled else "{}") for cls in classes)
    if problem is None:
        assert len(config_for(tmp_path, text).enrichers) == 2
        return
    with pytest.raises(ConfigError, match=problem):
        config_for(tmp_path, text)


PRIVACY = {
    "keep": "203.0.113.7, 10.1.2.3",
    "truncate": "203.0.113.0, 10.1.2.0",
    "drop": None,
}


@pytest.mark.parametrize("mode", [*PRIVACY, "hash"])
def test_addresses_are_private_in_lineage_and_quarantine(mode: str, tmp_path: Path) -> None:
    extra = f"privacy: {{ip: {mode}, hash_key: 'a key of 16 and more'}}\n"
    pipeline = LocalPipeline(tmp_path, extra)
    address = "203.0.113.7, 10.1.2.3"
    broken = line(event("x"), ip=address)[:-1]
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("a"), event("b", app_id="other"), "[]", ip=address), broken))
    info = json.loads(pipeline.query("SELECT process_info FROM event")["process_info"][0].as_py())
    rows = pipeline.rows("quarantine", "source_line, stage")
    envelopes = [json.loads(row["envelope"]).get("ip") for row in rows if row["envelope"]]
    assert len(envelopes) == 2
    assert {info.get("source_ip"), *envelopes} == ({PRIVACY[mode]} if mode in PRIVACY else {envelopes[0]})
    seen = json.dumps([info, rows], default=str)
    assert ("203.0.113.7" in seen) == (mode == "keep")
    if mode == "hash":
        assert len(envelopes[0].split(", ")) == 2


def test_hashing_needs_a_key() -> None:
    with pytest.raises(ConfigError, match="privacy: ip: hash needs a hash_key of 16 characters or more"):
        parse_config(
            "project_id: a\nsource: {uri: /a}\nsink: {uri: /b}\napps: {a: {transformer: clickstream_sdk}}\nprivacy: {ip: hash}\n"
        )
