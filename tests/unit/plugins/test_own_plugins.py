"""A user's own transformer and enricher run like the built-in ones: what is wrong with one element costs that element only, and
what an enricher makes is kept where the contract has a column for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from streaming_app.errors import MalformedPayload, Reason
from streaming_app.model.columns import columns_of
from streaming_app.model.event import Event
from streaming_app.model.item import Item
from streaming_app.model.lineage import LINEAGE
from streaming_app.model.request import Request
from streaming_app.plugins.payload import payload_bytes
from streaming_app.plugins.transformer import Limits, Rejected
from tests.support.lake import LocalPipeline, balance
from tests.support.raw import NOW, event, line, write


class Generator:
    """A transformer of one's own: yields one event after the other, and fails on demand."""

    def __init__(self, limits: Limits, name: str = "own") -> None:
        self._max_bytes, self._name = limits.max_payload_bytes, name

    def transform(self, request: Request) -> Iterable[Event | Rejected]:
        for position, element in enumerate(self.elements(request), request.first_position):
            yield self.event(request, element, position)

    def elements(self, request: Request) -> list[dict[str, Any]]:
        payload = json.loads(payload_bytes(request.data, request.uri, self._max_bytes))
        if payload == []:
            raise MalformedPayload("nothing to see")
        return payload if isinstance(payload, list) else [payload]

    def event(self, request: Request, element: dict[str, Any], position: int) -> Event | Rejected:
        if "reject" in element:
            return Rejected(Reason.MALFORMED_EVENT, element["reject"], position)
        return Event(
            app_id="own",
            event_id=f"{request.rid}/{element['id']}",
            event_name=self._name,
            event_time_msec=NOW - element.get("age", 0),
            event_value=1 / element.get("divisor", 1),
            items=[Item(item_id=each) for each in element.get("items", ())],
            position=position,
        )


class Mapped(Generator):
    """The same by ``map``: an element is read when the pass asks for it."""

    def transform(self, request: Request) -> Iterable[Event | Rejected]:
        elements = self.elements(request)
        return map(self.event, [request] * len(elements), elements, count(request.first_position))


class Eager(Generator):
    """The same as a list."""

    def transform(self, request: Request) -> Iterable[Event | Rejected]:
        return list(super().transform(request))


A, B, BAD, OLD = {"id": "a", "items": ["i", "j"]}, {"id": "b"}, {"id": "x", "divisor": 0}, {"id": "o", "age": 10**9}
REJECTED = {"reject": "no"}
DIVISION = ("transformer_error", "{}: ZeroDivisionError: division by zero")
NO_ID = ("transformer_error", "{}: KeyError: 'id'")
LATE = ("too_late", f"event time {NOW - 10**9} is {10**9} ms before ingest time {NOW}")
WHOLE = "the payload as it was sent"

# name: (payload, ids written, (reason, message naming the class, raw text as JSON) of what is quarantined)
CASES: dict[str, tuple[Any, list[str], list[tuple[str, str, Any]]]] = {
    "all are good": ([A, B], ["a", "b"], []),
    "one fails": ([A, BAD, B], ["a", "b"], [(*DIVISION, BAD)]),
    "the first fails": ([BAD, A], ["a"], [(*DIVISION, BAD)]),
    "the last fails": ([A, BAD], ["a"], [(*DIVISION, BAD)]),
    "two fail, each in its way": ([BAD, A, {"x": 1}], ["a"], [(*DIVISION, BAD), (*NO_ID, {"x": 1})]),
    "all fail": ([BAD, {}], [], [(*DIVISION, BAD), (*NO_ID, {})]),
    "the only one fails": ([BAD], [], [(*DIVISION, WHOLE)]),
    "one object": (A, ["a"], []),
    "one object fails": (BAD, [], [(*DIVISION, WHOLE)]),
    "one is rejected": ([REJECTED, A], ["a"], [("malformed_event", "no", REJECTED)]),
    "one is rejected, one fails": ([REJECTED, BAD, A], ["a"], [("malformed_event", "no", REJECTED), (*DIVISION, BAD)]),
    "one is too late": ([A, OLD], ["a"], [(*LATE, OLD)]),
    "one fails, one is too late": ([BAD, A, OLD], ["a"], [(*DIVISION, BAD), (*LATE, OLD)]),
    "the payload is refused": ([], [], [("malformed_payload", "nothing to see", WHOLE)]),
}


def requested(case: str, packed: bool) -> bytes:
    return line(json.dumps(CASES[case][0]), packed=packed, appId="own", rid=f"{case}/{packed}")


@dataclass(frozen=True)
class Done:
    """What a run over all cases, plain and packed, wrote."""

    transformer: str
    events: list[dict[str, Any]]
    items: list[dict[str, Any]]
    quarantined: list[dict[str, Any]]


@pytest.fixture(scope="module", params=[Generator, Mapped, Eager], ids=lambda each: each.__name__)
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """All cases are in one file, with a request of the built-in transformer before and after them."""
    folder = tmp_path_factory.mktemp("plugins")
    pipeline = LocalPipeline(folder, f"  own: {{transformer: '{__name__}:{request.param.__name__}', options: {{name: mine}}}}\n")
    own = [requested(case, packed) for case in CASES for packed in (False, True)]
    metrics = pipeline.ingest(write(folder / "raw", "a.gz", line(event("first")), *own, line(event("last"))))
    received, accounted_for = balance(metrics)
    assert received == accounted_for == 2 + 2 * sum(len(ids) + len(bad) for _, ids, bad in CASES.values())
    assert [row["event_id"] for row in pipeline.rows("event", where="app_id = 'shop'")] == ["first", "last"]
    return Done(request.param.__name__, pipeline.rows("event"), pipeline.rows("item"), pipeline.rows("quarantine"))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("case", CASES)
def test_one_bad_element_takes_none_along(case: str, packed: bool, done: Done) -> None:
    _, ids, quarantined = CASES[case]
    rid, data = f"{case}/{packed}", json.loads(requested(case, packed))["data"]
    rows = [row for row in done.quarantined if json.loads(row["envelope"])["rid"] == rid]
    raws = [WHOLE if row["raw"] == data else json.loads(row["raw"]) for row in rows]
    found = [(row["reason"], row["message"], raw) for row, raw in zip(rows, raws, strict=True)]
    wanted = [(reason, message.format(done.transformer), raw) for reason, message, raw in quarantined]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    written = [row for row in done.events if row["event_id"].startswith(f"{rid}/")]
    assert [(row["event_id"], row["event_name"]) for row in written] == [(f"{rid}/{each}", "mine") for each in ids]
    items = [row["item_id"] for row in done.items if row["event_id"].startswith(f"{rid}/")]
    assert items == (["i", "j"] if "a" in ids else [])


class OwnEvent(Event):
    more: str | None = None


class OwnItem(Item):
    more: str | None = None


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


TEXT_TIME = '{"tier":{"value":"gold","set_time_msec":"yesterday"}}'


class Careless:
    """A transformer that yields what is no event, or no whole one, beside a good one."""

    GOOD: ClassVar[dict[str, Any]] = {"app_id": "own", "event_id": "good", "event_name": "own", "event_time_msec": NOW}
    YIELDS: ClassVar[dict[str, Any]] = {
        "None": None,
        "a dictionary": GOOD,
        "no id": Event(**{**GOOD, "event_id": None}),
        "no name": Event(**{**GOOD, "event_id": "x", "event_name": None}),
        "no time": Event(**{**GOOD, "event_id": "x", "event_time_msec": None}),
        "no app": Event(**{**GOOD, "event_id": "x", "app_id": None}),
        "an app that is a list": Event(**{**GOOD, "event_id": "x", "app_id": ["own"]}),
        "a time that is text": Event(**{**GOOD, "event_id": "x", "event_time_msec": "once"}),
        "a name that is no value of JSON": Event(**{**GOOD, "event_id": "x", "event_name": object()}),
        "items that are dictionaries": Event(**GOOD | {"event_id": "x"}, items=[{"item_id": "i"}]),
        "notes that are no dictionary": Event(**GOOD | {"event_id": "x"}, notes=["note"]),
        "parameters that are not JSON": Event(**GOOD | {"event_id": "x"}, custom_parameters_json_str="x" * 70_000),
        "a reason of its own": Rejected("my_reason", "no"),
        "a reason that is a list": Rejected(["no"], "no"),
        "an error for a message": Rejected(Reason.MALFORMED_EVENT, ValueError("no")),
        "a position that is text": Rejected(Reason.MALFORMED_EVENT, "no", "first"),
        "a position beyond the payload": Rejected(Reason.MALFORMED_EVENT, "no", 99),
        "a position before the payload": Rejected(Reason.MALFORMED_EVENT, "no", -99),
        "an event of a class of its own": OwnEvent(**{**GOOD, "event_id": "x"}),
        "an item of a class of its own": Event(**GOOD | {"event_id": "x"}, items=[OwnItem(item_id="i")]),
        "a late event before the payload": Event(**{**GOOD, "event_id": "x", "event_time_msec": 1}, position=-99),
        "a lone surrogate in notes": Event(**GOOD | {"event_id": "x"}, notes={"a": "\ud800"}),
        "a lone surrogate in parameters": Event(**GOOD | {"event_id": "x", "custom_parameters_json_str": '{"a":"\ud800"}'}),
        "an item's parameters that are no object": Event(
            **GOOD | {"event_id": "x"}, items=[Item(custom_parameters_json_str="[]")]
        ),
        "attributes without their values' form": Event(**GOOD | {"event_id": "x", "user_properties_json_str": '{"tier":"gold"}'}),
        "a set time that is text": Event(**GOOD | {"event_id": "x", "user_properties_json_str": TEXT_TIME}),
        "a message that cannot be text": Rejected(Reason.MALFORMED_EVENT, Unspeakable()),
    }

    def __init__(self, limits: Limits, yields: str) -> None:
        self._limits, self._yields = limits, yields

    def transform(self, _: Request) -> Iterable[Any]:
        yield Event(**self.GOOD)
        yield self.YIELDS[self._yields]


@pytest.mark.parametrize("yields", Careless.YIELDS)
def test_what_is_no_whole_event_costs_no_other(yields: str, tmp_path: Path) -> None:
    """Mended or quarantined, but never an event without its keys, and never the end of the batch."""
    pipeline = LocalPipeline(
        tmp_path, f"  own: {{transformer: '{__name__}:Careless', options: {json.dumps({'yields': yields})}}}\n"
    )
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("sdk")), line({}, appId="own")))
    assert balance(metrics) == (3, 3)
    assert set(json.loads(metrics["quarantined_by_reason"])) <= set(Reason)
    refused = pipeline.rows("quarantine", where="reason = 'transformer_error'")
    assert all("Careless yielded a" in row["message"] for row in refused if row["error_class"] == "TypeError")
    written = pipeline.query("SELECT event_id, app_id, event_name, event_time_msec FROM event").to_pylist()
    assert {"good", "sdk"} <= {row["event_id"] for row in written}
    assert all(all(row.values()) for row in written)


class Place:
    """An enricher: fills columns, writes over one, and adds one that the contract does not have."""

    def __init__(self, country: str = "DE") -> None:
        self._country, self.opened = country, 0
        self.given: list[str] = []

    def open(self) -> None:
        self.opened += 1
        OPENED.append(self)

    def enrich(self, events: pa.Table) -> pa.Table:
        self.given = events.column_names
        country = pa.repeat(self._country, events.num_rows)
        events = replaced(events, "geo_country", pc.binary_join_element_wise(country, events["ip"], events["ua"], "|"))
        events = replaced(events, "platform", pc.utf8_upper(events["platform"]))
        events = replaced(events, "geo_city", pa.repeat(str(self.opened), events.num_rows))
        return events.append_column("my_own_column", country)


class Region(Place):
    """An enricher that builds on what the one before it made."""

    def enrich(self, events: pa.Table) -> pa.Table:
        return replaced(events, "geo_region", pc.utf8_lower(events["geo_country"]))


class Wordy(Place):
    """An enricher whose values are longer than their columns, and of other types that mean the same."""

    def enrich(self, events: pa.Table) -> pa.Table:
        rows = events.num_rows
        events = replaced(events, "device_ua_browser", pa.array(["a"] * rows).dictionary_encode())
        events = replaced(events, "device_ua_device", pa.array(["b"] * rows, pa.large_string()))
        events = replaced(events, "device_screen_width", pa.array([7] * rows, pa.int64()))
        events = replaced(events, "bot_source", pa.nulls(rows))
        return replaced(events, "geo_city", pa.array(["ü" * 200] * rows))


OPENED: list[Place] = []


def replaced(events: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return events.set_column(events.column_names.index(name), name, column)


def enriched_by(*names: str) -> str:
    return "enrichers:\n" + "".join(f"  - '{__name__}:{name}': {{}}\n" for name in names)


def test_an_enricher_fills_columns_of_the_contract(tmp_path: Path) -> None:
    extra = f"enrichers:\n  - '{__name__}:Place': {{country: FR}}\n  - '{__name__}:Region': {{}}\n"
    pipeline = LocalPipeline(tmp_path, extra)
    pipeline.ingest(
        write(tmp_path / "raw", "a.gz", line(event("a"), event("b", platform="iOS")), line(event("c"), ip=None, rid="r-2"))
    )
    rows = pipeline.rows("event", "event_id")
    assert [(row["event_id"], row["platform"], row["geo_country"], row["geo_region"]) for row in rows] == [
        ("a", "WEB", "FR|203.0.113.7|Mozilla/5.0", "fr|203.0.113.7|mozilla/5.0"),
        ("b", "IOS", "FR|203.0.113.7|Mozilla/5.0", "fr|203.0.113.7|mozilla/5.0"),
        ("c", "WEB", None, None),
    ]
    assert not {"my_own_column", "ip", "ua"} & rows[0].keys()
    assert set(OPENED[-2].given) == {column.name for column in columns_of(Event)} | {*LINEAGE, "ua", "ip", "client_hints"}


def test_an_enricher_is_opened_once_in_each_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tasks and tables it is given: here two tasks of four requests, one a table."""
    monkeypatch.setattr("streaming_app.ingest.write.event_rows.FLUSH_ROWS", 1)
    pipeline = LocalPipeline(tmp_path, enriched_by("Place"))
    before = len(OPENED)
    pipeline.ingest(
        *(write(tmp_path / "raw", f"{n}.gz", *(line(event(f"{n}-{m}"), rid=f"{n}-{m}") for m in "ab")) for n in range(4)), tasks=2
    )
    assert [row["geo_city"] for row in pipeline.rows("event")] == ["1"] * 8
    assert len(OPENED) - before == 1


def test_what_an_enricher_makes_fits_its_column(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, enriched_by("Wordy"))
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("a"), event("b"))))
    for row in pipeline.rows("event"):
        assert (row["device_ua_browser"], row["device_ua_device"], row["device_screen_width"]) == ("a", "b", 7)
        assert (row["geo_city"], row["bot_source"]) == ("ü" * 127, None)
