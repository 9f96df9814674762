"""The contract kit passes what keeps its promises; of what breaks one it says which, whose, how, and what to do."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from streaming_app import api
from streaming_app.config.model import AppSection, LimitsSection
from streaming_app.demo.geo import write_geo_database
from streaming_app.plugins.registry import make_enricher, make_transformer
from streaming_app.storage.files import Storage
from streaming_app.testing import assert_enricher_contract, assert_transformer_contract, sample_events, sample_requests
from tests.support.raw import NOW, line

REQUEST = line(json.dumps([{"id": "a", "tags": ["x"]}, {"id": "b"}]), appId="own")
BATCH = line(json.dumps({"events": [{"id": "a"}, {"id": "b"}]}), appId="own")


class Good:
    """A transformer that keeps every promise."""

    def transform(self, request: api.Request) -> Iterable[Any]:
        payload = api.payload_bytes(request.data, request.uri, 10**7)
        for position, element in enumerate(api.elements(payload, api.Limits()), request.first_position):
            if isinstance(element, api.InputError) or not isinstance(element.get("id"), str):
                yield api.Rejected(api.Reason.MALFORMED_EVENT, "no id", position)
            else:
                yield self.event(self.name_of(request, element["id"], position), position)

    def event(self, event_id: str, position: int) -> Any:
        return api.Event(app_id="own", event_id=event_id, event_name="own", event_time_msec=NOW, position=position)

    def name_of(self, request: api.Request, sent: str, position: int) -> str:
        return sent


class Silent(Good):
    def transform(self, request: api.Request) -> Iterable[Any]:
        return [each for each in super().transform(request) if isinstance(each, api.Rejected)]


class Refusing(Good):
    def event(self, event_id: str, position: int) -> Any:
        return api.Rejected(api.Reason.MALFORMED_EVENT, "not today", position)


class Mistyped(Good):
    def event(self, event_id: str, position: int) -> Any:
        return api.Event(app_id="own", event_id=event_id, event_name="own", event_time_msec="now")


class Naive:
    """Takes for granted that everything is as it should be: the pass can help where the payload is an array."""

    def transform(self, request: api.Request) -> Iterable[Any]:
        sent = json.loads(api.payload_bytes(request.data, request.uri, 10**7))
        found = sent.get("events", [sent]) if isinstance(sent, dict) else sent
        return [Good().event(each["id"], request.first_position + at) for at, each in enumerate(found)]


class NaiveButCareful(Naive):
    """Broken payloads are no surprise to it, broken elements are."""

    def transform(self, request: api.Request) -> Iterable[Any]:
        try:
            sent = json.loads(api.payload_bytes(request.data, request.uri, 10**7))
        except (ValueError, RecursionError):
            raise api.MalformedPayload("no JSON") from None
        return super().transform(request) if isinstance(sent, list | dict) else []


class AllOrNothing(Good):
    def transform(self, request: api.Request) -> Iterable[Any]:
        made = list(super().transform(request))
        return [] if any(isinstance(each, api.Rejected) for each in made) else made


class Counting(Good):
    def __init__(self) -> None:
        self._made = count()

    def name_of(self, request: api.Request, sent: str, position: int) -> str:
        return f"{sent}-{next(self._made)}"


class Grasping(Good):
    def transform(self, request: api.Request) -> Iterable[Any]:
        made = list(super().transform(request))
        request.data = None
        return made


class Positional(Good):
    def transform(self, request: api.Request) -> Iterable[Any]:
        for position, each in enumerate(super().transform(request)):
            yield self.event(f"{request.rid}-{position}", position) if isinstance(each, api.Event) else each


class Placed(Good):
    def name_of(self, request: api.Request, sent: str, position: int) -> str:
        return f"{request.source_file}:{request.source_line}:{sent}"


class Individual(Good):
    def __init__(self) -> None:
        self._me = random.random()

    def name_of(self, request: api.Request, sent: str, position: int) -> str:
        return f"{sent}-{self._me}"


class Unpicklable(Good):
    def __init__(self) -> None:
        self.key = lambda: "value"


# transformer or its class: (request, promise, problem)
TRANSFORMERS: dict[Any, tuple[bytes, str, str]] = {
    Silent: (REQUEST, "makes whole events", "it made none of 1 requests"),
    Refusing: (
        REQUEST,
        "makes whole events",
        "it made none of 1 requests, but rejected 2 elements, the first one because: not today",
    ),
    Mistyped: (REQUEST, "makes whole events", "Mistyped yielded an Event with a wrong value: Expected `int"),
    Naive: (REQUEST, "raises nothing but InputError", "given an array that is not closed it raised JSONDecodeError"),
    NaiveButCareful: (
        BATCH,
        "lets no bad element take its siblings along",
        "after null, 2 of 2 are missing, Event own/a for one",
    ),
    AllOrNothing: (REQUEST, "lets no bad element take its siblings along", "after null, 2 of 2 are missing"),
    Counting: (REQUEST, "makes the same again of the same request", "event_id 'a-2' became 'a-4'"),
    Grasping: (REQUEST, "leaves the request as it is", "it changed data"),
    Positional: (REQUEST, "makes the same ids of a payload handed over in parts", "element by element, 1 ids are others"),
    Placed: (REQUEST, "makes the same ids wherever", "read from another file, 4 ids are others"),
    Individual: (REQUEST, "can be made in each worker, and", "event_id 'a-0"),
    Unpicklable(): (REQUEST, "can be made in each worker, and", "it cannot be pickled ("),
}


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda each: getattr(each, "__name__", type(each).__name__))
def test_a_transformer_that_breaks_a_promise(transformer: Any) -> None:
    request, promise, problem = TRANSFORMERS[transformer]
    with pytest.raises(AssertionError) as caught:
        assert_transformer_contract(transformer, [request])
    name = getattr(transformer, "__name__", type(transformer).__name__)
    first, remedy = str(caught.value).splitlines()
    assert first.startswith(f"{name} breaks its contract ({promise}")
    assert f"): {problem}" in first
    assert remedy.startswith("what to do: ")


@pytest.mark.parametrize("transformer", [Good, Good(), Unpicklable], ids=["class", "instance", "unpicklable"])
def test_a_transformer_that_keeps_its_promises(transformer: Any) -> None:
    assert_transformer_contract(transformer, [REQUEST, line(json.dumps({"id": "alone"}), packed=True)])


def test_elements_may_raise_where_the_pass_can_hand_them_over_one_by_one() -> None:
    assert_transformer_contract(NaiveButCareful, [REQUEST])


GTM = {
    "event_name": "page_view",
    "client_id": "c-1",
    "ga_session_id": 7,
    "x-sst-system_properties": {"request_start_time_ms": NOW},
}
TRACK = {
    "type": "track",
    "event": "ViewProduct",
    "distinct_id": "u-1",
    "time": NOW,
    "properties": {"$url": "https://shop.example/"},
}
PROFILE = {"type": "profile_set", "distinct_id": "u-1", "time": NOW, "properties": {"tier": "gold"}}
BUILT_IN: dict[str, list[Any]] = {
    "clickstream_sdk": sample_requests(),
    "gtm_server": [line(json.dumps([GTM, {**GTM, "event_name": "purchase"}])), line(json.dumps(GTM), packed=True)],
    "sensors_data": [line(json.dumps([TRACK, PROFILE]), packed=True), line(json.dumps(TRACK))],
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_built_in_transformers(name: str) -> None:
    assert_transformer_contract(lambda: make_transformer(AppSection(transformer=name), LimitsSection()), BUILT_IN[name])


@pytest.mark.parametrize("name", ["ip", "user_agent", "traffic_source"])
def test_the_built_in_enrichers(name: str, tmp_path: Path) -> None:
    write_geo_database(tmp_path / "geo.mmdb")
    options = {"database": str(tmp_path / "geo.mmdb")} if name == "ip" else {}
    assert_enricher_contract(lambda: make_enricher(name, options, Storage()))


def test_sample_events_are_what_enrichers_get() -> None:
    events = sample_events()
    assert set(events.column_names) >= {"ua", "ip", "event_id", "custom_parameters_json_str", "process_info"}
    for name in ("ua", "ip", "user_id", "session_id", "traffic_source_source"):
        values = events[name].to_pylist()
        assert None in values
        assert len(set(values)) > 1
    with pytest.raises(ValueError, match="clickstream_sdk makes no event of the 1 requests"):
        sample_events([line("[]")])


class City:
    """An enricher that keeps every promise, but for what a test changes."""

    def __init__(self, enrich: Callable[[pa.Table], Any] | None = None, fills: tuple[str, ...] = ("geo_city",)) -> None:
        self._enrich, self.FILLS, self.opened = enrich or self.with_city, fills, 0

    def open(self) -> None:
        self.opened += 1

    def enrich(self, events: pa.Table) -> Any:
        return self._enrich(events)

    def with_city(self, events: pa.Table) -> pa.Table:
        return with_city(events, pc.utf8_upper(text(events, "platform")))


class Shut(City):
    def open(self) -> None:
        raise api.ConfigError("city.csv: there is no such file")


class Reopened(City):
    def with_city(self, events: pa.Table) -> pa.Table:
        return with_city(events, pa.repeat(str(self.opened), len(events)))


class Moody(City):
    def with_city(self, events: pa.Table) -> pa.Table:
        return with_city(events, pa.repeat(f"{id(self)}", len(events)))


def text(events: pa.Table, name: str) -> pa.ChunkedArray:
    return api.column(events, name, pa.string())


def with_city(events: pa.Table, values: Any) -> pa.Table:
    return api.with_column(events, "geo_city", values)


def grown(events: pa.Table) -> pa.Table:
    return with_city(events, pc.binary_join_element_wise(pc.fill_null(text(events, "geo_city"), ""), "x", ""))


# case: (what makes the enricher, promise, problem)
ENRICHERS: dict[str, tuple[Callable[[], City], str, str]] = {
    "does not open": (Shut, "opens", "it raised ConfigError: city.csv: there is no such file"),
    "no table": (
        lambda: City(lambda events: events.to_pylist()),
        "returns the same rows",
        "enrich() returned a list, not a table",
    ),
    "loses rows": (
        lambda: City(lambda events: events.slice(1)),
        "returns the same rows",
        "enrich() returned 8 rows for 9",
    ),
    "turns rows": (
        lambda: City(lambda events: events.take(pa.array(range(len(events))[::-1]))),
        "returns the same rows in the same order",
        "event_id is another, or in another order",
    ),
    "loses columns": (lambda: City(lambda events: events.drop_columns(["ua"])), "returns the same rows", "columns are lost: ua"),
    "a text for a number": (
        lambda: City(lambda events: api.with_column(events, "device_screen_width", pa.repeat("wide", len(events)))),
        "makes values that fit",
        "it raised ArrowInvalid",
    ),
    "no JSON": (
        lambda: City(lambda events: api.with_column(events, "device_ua", pa.repeat("Mozilla", len(events)))),
        "makes values that fit",
        "it raised ValueError: enrich() made events whose device_ua is no JSON object",
    ),
    "names no column": (lambda: City(fills=("geo_citty",)), "fills the columns that it names", "FILLS names geo_citty"),
    "fills what it does not name": (lambda: City(fills=("geo_metro",)), "fills the columns", "it also fills geo_city"),
    "builds on itself": (lambda: City(grown), "makes the same of what it made", "enriched twice, it makes others of geo_city"),
    "numbers rows": (
        lambda: City(lambda events: with_city(events, pa.array(range(len(events))).cast(pa.string()))),
        "makes the same of a table and of its parts",
        "in parts of 1 rows, it makes others of geo_city",
    ),
    "another when opened again": (
        Reopened,
        "makes the same when it is opened again",
        "opened again, it makes others of geo_city",
    ),
    "needs a row": (
        lambda: City(lambda events: with_city(events, pa.repeat(text(events, "app_id")[0].as_py(), len(events)))),
        "works on a table without rows",
        "it raised IndexError",
    ),
    "needs a value": (
        lambda: City(
            lambda events: with_city(events, pa.array([each[:3] for each in text(events, "platform").to_pylist()], pa.string()))
        ),
        "works on columns of nulls",
        "where every column is null it raised TypeError",
    ),
    "another in each worker": (Moody, "can be made in each worker, and", "made again, it makes others of geo_city"),
}


@pytest.mark.parametrize("case", ENRICHERS)
def test_an_enricher_that_breaks_a_promise(case: str) -> None:
    make, promise, problem = ENRICHERS[case]
    with pytest.raises(AssertionError) as caught:
        assert_enricher_contract(make)
    first, remedy = str(caught.value).splitlines()
    assert first.startswith(f"{make().__class__.__name__} breaks its contract ({promise}")
    assert f"): {problem}" in first
    assert remedy.startswith("what to do: ")


def test_an_enricher_that_keeps_its_promises() -> None:
    assert_enricher_contract(City)
    assert_enricher_contract(City, sample_events().slice(0, 0))
    assert_enricher_contract(lambda: City(grown), idempotent=False)
