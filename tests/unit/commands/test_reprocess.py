"""Reprocessed raw files are in the tables as if today's rules had read them from the start, and all other raw files as they were."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from streaming_app.commands.days import Days
from streaming_app.commands.operation import stored_rows
from streaming_app.commands.reprocess import affected_rows as affected_module
from streaming_app.commands.reprocess import day_swap
from streaming_app.commands.reprocess import shadow as shadow_module
from streaming_app.config.model import AppSection, Config, RulesSection
from streaming_app.derive.rebuild import rebuild_stale_users, rebuild_users
from streaming_app.errors import BalanceError
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.lake import Lake, live_files
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.model.tables import EVENT, ITEM, TABLES, Table
from streaming_app.plugins.transformer import Rejected
from streaming_app.transformers.clickstream_sdk import ClickstreamSdk
from tests.support.again import open_shadow, reprocess_here, swap_here, with_config
from tests.support.killed import life_of
from tests.support.lake import LocalPipeline
from tests.support.raw import event, line, write
from tests.support.sources import APPS

HOUR = 3_600_000
MIDNIGHT = 1_779_926_400_000
"""2026-05-28, UTC."""
DAYS = Days(date(2026, 5, 27), date(2026, 5, 27))
OPEN = "SELECT reason, source_line, raw FROM quarantine WHERE resolved_time IS NULL ORDER BY ALL"
COMPARED = ("event", "item", "change", "user", "session")


class Later(ClickstreamSdk):
    """A transformer that was changed: events are two hours later, and some of them no events at all."""

    def transform(self, request: Request) -> Iterator[Event | Rejected]:
        for made in super().transform(request):
            if isinstance(made, Event):
                made.event_time_msec = (made.event_time_msec or 0) + 2 * HOUR
                if made.event_id == "e-1":
                    continue
            yield made


RULES = {
    "as ever": {},
    "no correction": {"clock_correction": False},
    "a day": {"freshness_hours": 24},
    "an hour": {"freshness_hours": 1},
    "any clock": {"clock_threshold_minutes": 10_000},
    "nothing is fresh": {"always_fresh": (), "freshness_hours": 1},
}


@dataclass(frozen=True)
class Sent:
    """A request in raw file number ``file``: a line."""

    file: int
    line: bytes


@st.composite
def sendings(draw: st.DrawFn) -> list[Sent]:
    """Requests around a midnight, sent once or more, by clients with right and wrong clocks.

    The times that one event can get, by whatever rules, lie within a day: what becomes of copies further apart depends on the
    order in which they come, which is another test's matter.
    """
    sent = []
    for number in range(draw(st.integers(1, 5))):
        happened = MIDNIGHT + draw(st.integers(-6, 6)) * HOUR
        skew = draw(st.sampled_from([0, 0, 20 * HOUR, -20 * HOUR]))
        names = draw(st.sampled_from(["_page_view", "_first_open", "purchase"]))
        fields = {"timestamp": happened + skew, "unique_id": f"u-{number % 3}", "event_type": names}
        items = [{"id": "i"}] if names == "purchase" else None
        for copy in range(draw(st.integers(1, 3))):
            received = happened + draw(st.integers(0, 8)) * HOUR + 1_000
            own = event(f"e-{number}", items=items, **fields)
            shared = event("shared", **fields | {"timestamp": MIDNIGHT + skew - HOUR}) if draw(st.booleans()) else None
            envelope = {"rid": f"r-{number}-{copy}", "ingest_time": received, "client_timestamp": received + skew}
            events = [own, *([shared] if shared else []), *([{"bad": 1}] if draw(st.booleans()) else [])]
            sent.append(Sent(draw(st.integers(0, 3)), line(*events, **envelope)))
        if draw(st.booleans()):
            profile = {"type": "profile_increment", "distinct_id": f"u-{number % 3}", "properties": {"n": 1}}
            told = {**profile, "time": happened + skew, "_track_id": 100 + number}
            sent.append(Sent(draw(st.integers(0, 3)), line(told, appId="sensors", rid=f"c-{number}", ingest_time=happened)))
    return sent


def configured(config: Config, rules: str, *, later: bool) -> Config:
    apps = config.apps | ({"shop": AppSection(transformer=f"{__name__}:Later")} if later else {})
    return with_config(config, rules=config.rules.model_copy(update=RULES[rules]), apps=apps)


def files_of(sent: list[Sent], folder: Path) -> list[Path]:
    lines = [[each.line for each in sent if each.file == number] for number in range(4)]
    return [write(folder / "raw", f"{number}.gz", b"broken", *some) for number, some in enumerate(lines)]


def without_discarded(sent: list[Sent], pipeline: LocalPipeline) -> list[Sent]:
    """The same without copies that lost to a stored one: of raw files that are not read again these stay lost."""
    rows = pipeline.query(
        "SELECT event_id, process_info FROM event UNION ALL SELECT event_id, process_info FROM change"
    ).to_pylist()
    stored = {(row["event_id"], json.loads(row["process_info"])["rid"]) for row in rows}
    known = {event_id for event_id, _ in stored}
    refused = pipeline.query("SELECT raw, envelope FROM quarantine WHERE stage = 'rules'").to_pylist()
    stored |= {
        (json.loads(row["raw"])["event_id"], json.loads(row["envelope"])["rid"]) for row in refused if "event_id" in row["raw"]
    }

    def stays(element: dict[str, Any], rid: str) -> bool:
        event_id = element.get("event_id")
        return event_id not in known or (event_id, rid) in stored

    def left(each: Sent) -> Sent:
        request = json.loads(each.line)
        elements = [element for element in json.loads(request["data"]) if stays(element, request["rid"])]
        return Sent(each.file, json.dumps({**request, "data": json.dumps(elements)}).encode())

    return [left(each) for each in sent]


def rebuild_all(pipeline: LocalPipeline) -> None:
    told = pipeline.query(
        "SELECT DISTINCT app_id, user_pseudo_id FROM event UNION SELECT DISTINCT app_id, user_pseudo_id FROM change"
    )
    if users := {(row["app_id"], row["user_pseudo_id"]) for row in told.to_pylist()}:
        rebuild_users(pipeline.config, pipeline.lake, "all", users)


def state(pipeline: LocalPipeline) -> str:
    tables: dict[str, Any] = {name: pipeline.rows(name) for name in COMPARED}
    return json.dumps(tables | {"open": pipeline.query(OPEN).to_pylist()}, default=str, indent=1)


def story(data: st.DataObject, folder: Path) -> tuple[LocalPipeline, LocalPipeline, list[Path]]:
    """A lake that is to be reprocessed, what it is to be like then, and the affected raw files."""
    sent = data.draw(sendings(), label="sent")
    names = st.tuples(st.sampled_from(sorted(RULES)), st.booleans())
    before, after = data.draw(names, label="before"), data.draw(names, label="after")
    affected = data.draw(st.sets(st.integers(0, 3), min_size=1), label="affected")
    order = data.draw(st.permutations(range(4)), label="order")
    pipeline = LocalPipeline(folder / "lake", APPS)
    old, new = (configured(pipeline.config, rules, later=later) for rules, later in (before, after))
    paths, pipeline.config = files_of(sent, pipeline.folder), old
    for number in order:
        pipeline.ingest(paths[number])
    wanted = LocalPipeline(folder / "wanted", APPS)
    left = without_discarded(sent, pipeline)
    kept = files_of(
        [each for each in sent if each.file in affected] + [each for each in left if each.file not in affected], wanted.folder
    )
    for number in order:
        wanted.config = with_config(new if number in affected else old, sink=wanted.config.sink)
        wanted.ingest(kept[number])
    pipeline.config = new
    return pipeline, wanted, [paths[number] for number in sorted(affected)]


def reprocess_and_compare(data: st.DataObject, folder: Path) -> None:
    pipeline, wanted, affected = story(data, folder)
    rebuild_all(pipeline)
    rebuild_all(wanted)
    done = reprocess_here(pipeline, affected, DAYS).result
    assert state(pipeline) == state(wanted)
    assert stored_rows(pipeline.lake) == counted(done)


# To shrink a failure takes many minutes: add Phase.shrink while you look for one.
LOOK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=(Phase.explicit, Phase.reuse, Phase.generate))


@settings(LOOK, max_examples=4)
@given(data=st.data())
def test_as_if_read_by_todays_rules(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    reprocess_and_compare(data, tmp_path_factory.mktemp("story"))


@pytest.mark.exhaustive
@settings(LOOK, max_examples=int(os.environ.get("EXAMPLES", "150")))
@given(data=st.data())
def test_as_if_read_by_todays_rules_at_length(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    reprocess_and_compare(data, tmp_path_factory.mktemp("story"))


def counted(done: dict[str, Any]) -> int:
    """The rows that a reprocessing says it left."""
    return int(done["stored_before"] - done["taken_out"] - done["replaced"] + done["put_in"])


def near_midnight(folder: Path) -> list[Path]:
    """``a.gz`` is to be reprocessed: of the event ``moved`` and its items the day depends on the rules, ``strict`` is too late for
    some. ``b.gz`` is not: its copies of ``first`` and ``second`` have lost, those of ``ahead`` and ``behind`` are stored; today the
    former loses to that of ``a.gz``, which was in the future without correction, and the latter does not."""
    behind, items = 3 * HOUR, [{"id": "i"}, {"id": "j"}]
    at = {"ingest_time": MIDNIGHT + HOUR, "client_timestamp": MIDNIGHT + HOUR - behind}

    def sent(name: str, hours: float, **fields: Any) -> dict[str, Any]:
        return event(name, timestamp=MIDNIGHT + int(hours * HOUR), **fields)

    a = line(
        sent("moved", -2.5, items=items, unique_id="u-m"), sent("first", -3), sent("second", -2.6, items=items), rid="r-a", **at
    )
    strict = line(sent("strict", -4, unique_id="u-s"), rid="r-s", ingest_time=MIDNIGHT + HOUR, client_timestamp=None)
    fast = {"ingest_time": MIDNIGHT + HOUR, "client_timestamp": MIDNIGHT + 4 * HOUR}
    future = line(sent("ahead", 2.5, items=items, unique_id="u-f"), sent("behind", 3.9, items=items), rid="r-f", **fast)
    copies = [sent("first", 0.2), sent("second", 0.3, items=items[:1]), sent("own", 0.5)]
    rivals = [sent("ahead", 0.3, items=items[:1]), sent("behind", 0.4, items=items[:1])]
    b = line(*copies, *rivals, rid="r-b", ingest_time=MIDNIGHT + HOUR, client_timestamp=None)
    return [write(folder / "raw", "a.gz", a, strict, future), write(folder / "raw", "b.gz", b)]


def strict(pipeline: LocalPipeline) -> None:
    pipeline.config = with_config(pipeline.config, rules=pipeline.config.rules.model_copy(update={"freshness_hours": 3}))


def uncorrected(pipeline: LocalPipeline) -> None:
    pipeline.config = with_config(pipeline.config, rules=pipeline.config.rules.model_copy(update={"clock_correction": False}))


def lake_before(folder: Path) -> tuple[LocalPipeline, Path]:
    """Ingested without clock correction; with it, an event moves over midnight. And the raw file that is to be reprocessed."""
    pipeline = LocalPipeline(folder)
    todays = pipeline.config
    uncorrected(pipeline)
    paths = near_midnight(folder)
    for path in paths:
        pipeline.ingest(path)
    rebuild_all(pipeline)
    pipeline.config = todays
    return pipeline, paths[0]


def days_of(pipeline: LocalPipeline) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row in pipeline.query("SELECT event_id, day FROM event ORDER BY ALL").to_pylist():
        found.setdefault(row["event_id"], []).append(row["day"])
    return found


BEFORE = {"ahead": [28], "behind": [28], "first": [27], "moved": [27], "own": [28], "second": [27], "strict": [27]}
AFTER = BEFORE | {"ahead": [27], "first": [28], "moved": [28], "second": [28]}


def test_an_event_moves_over_midnight(tmp_path: Path) -> None:
    pipeline, path = lake_before(tmp_path)
    assert days_of(pipeline) == BEFORE
    done = reprocess_here(pipeline, [path], DAYS).result
    assert days_of(pipeline) == AFTER
    assert [row["event_timestamp"].hour for row in pipeline.rows("event", where="event_id = 'second'")] == [0]
    items = pipeline.query("SELECT event_id, day, count(*) AS n FROM item GROUP BY ALL ORDER BY ALL").to_pylist()
    assert [(row["event_id"], row["day"], row["n"]) for row in items] == [
        ("ahead", 27, 2),
        ("behind", 28, 1),
        ("moved", 28, 2),
        ("second", 28, 2),
    ]
    assert done["days"] == 2
    assert (done["stored_before"], done["taken_out"], done["replaced"], done["put_in"]) == (7, 4, 1, 5)


def test_what_todays_rules_refuse_is_open_in_quarantine(tmp_path: Path) -> None:
    """Also where an earlier replay had brought it in, and the other way round."""
    pipeline, path = lake_before(tmp_path)
    lenient = pipeline.config
    open_events = "SELECT raw ->> 'event_id' AS id FROM quarantine WHERE resolved_time IS NULL"
    for _ in range(2):
        strict(pipeline)
        reprocess_here(pipeline, [path], DAYS)
        assert "strict" not in days_of(pipeline)
        assert pipeline.query(open_events).to_pylist() == [{"id": "strict"}]
        pipeline.config = lenient
        assert reprocess_here(pipeline, [path], DAYS).result["resolved"] == 1
        assert days_of(pipeline)["strict"] == [27]
        assert pipeline.query(open_events).to_pylist() == []
    assert len(pipeline.rows("quarantine")) == 3  # with the two that were in the future without correction


def test_swap_is_idempotent(tmp_path: Path) -> None:
    """A file of the shadow is known by its name; only one that lost a row to another raw file's copy is written again."""
    pipeline, path = lake_before(tmp_path)
    this = reprocess_here(pipeline, [path], DAYS)
    expected, tables = state(pipeline), [TABLES[name] for name in ("event", "item", "change", "quarantine")]
    versions = [pipeline.lake.open(table).version() for table in tables]
    again = swap_here(pipeline, LocalPipeline(tmp_path / "shadow"), [path], DAYS)
    counts = [again.result[name] for name in ("taken_out", "replaced", "put_in")]
    assert state(pipeline) == expected
    assert this.result["after"] == again.result["before"] == again.result["after"]
    assert counts == [3, 0, 3]
    assert [
        after - before for before, after in zip(versions, [pipeline.lake.open(each).version() for each in tables], strict=True)
    ] == [1, 1, 0, 0]


def killed_lake(folder: Path, base: LocalPipeline, changes: int | str, path: Path, new: Path) -> tuple[LocalPipeline, int]:
    """A copy of a lake with its shadow: the exchange dies after some changes, an ordinary run follows, then the command again,
    which goes on with its shadow and reads the new file into it."""
    shutil.copytree(base.folder, folder)
    pipeline, shadow = LocalPipeline(folder, stream_id="later"), LocalPipeline(folder / "shadow", stream_id="shadow, later")
    with life_of(changes) as life:
        swap_here(pipeline, shadow, [path], DAYS)
    pipeline.ingest(new)
    rebuild_users(pipeline.config, pipeline.lake, "derive", {("shop", "u-1")})
    rebuild_stale_users(pipeline.config, pipeline.lake, "derive")
    shadow.ingest(new)
    swap_here(pipeline, shadow, [path, new], DAYS)
    return pipeline, len(life.changes)


def die_after(every: int, folder: Path) -> None:
    base, path = lake_before(folder / "base")
    open_shadow(base, [path])
    sent = event("new", timestamp=MIDNIGHT - HOUR), event("moved", timestamp=MIDNIGHT + 1_000)
    new = write(folder / "raw", "c.gz", line(*sent, rid="r-0", ingest_time=MIDNIGHT + HOUR, client_timestamp=None))
    calm, made = killed_lake(folder / "calm", base, "", path, new)
    assert days_of(calm) == AFTER | {"new": [27]}
    assert made > 6
    for changes in range(made % every, made, every):
        pipeline, _ = killed_lake(folder / str(changes), base, changes, path, new)
        assert state(pipeline) == state(calm), f"killed after {changes} of {made} changes"


def test_killed_in_between(tmp_path: Path) -> None:
    die_after(2, tmp_path)


@pytest.mark.exhaustive
def test_killed_after_every_change(tmp_path: Path) -> None:
    die_after(1, tmp_path)


def test_a_file_that_was_copied_in_part(tmp_path: Path) -> None:
    """The process died while it copied."""
    pipeline, path = lake_before(tmp_path)
    shadow = open_shadow(pipeline, [path])
    for table in (EVENT, ITEM):
        for file in live_files(shadow.lake.open(table)):
            target = tmp_path / "lake" / table.name / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((tmp_path / "shadow/lake" / table.name / file.path).read_bytes()[:99])
    swap_here(pipeline, shadow, [path], DAYS)
    assert days_of(pipeline) == AFTER


def test_incomplete_shadow_is_not_swapped(tmp_path: Path) -> None:
    pipeline, path = lake_before(tmp_path)
    before = state(pipeline)

    def lose(shadow: LocalPipeline) -> None:
        [file, *_] = live_files(shadow.lake.open(EVENT))
        commit(shadow.lake, EVENT, TableChange([], [file], []), TransactionId.unique("lost"))

    with pytest.raises(BalanceError, match="the shadow's batches wrote 6 events and changes, its tables have"):
        reprocess_here(pipeline, [path], DAYS, lose)
    assert state(pipeline) == before


def test_lost_row_after_commit_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, path = lake_before(tmp_path)

    def careless(lake: Lake, table: Table, change: TableChange, transaction: TransactionId) -> None:
        commit(lake, table, replace(change, added=change.added[1:], rewritten=change.rewritten[1:]), transaction)

    monkeypatch.setattr(day_swap, "commit", careless)
    with pytest.raises(BalanceError, match=r"(item|event): has \d rows, \d of them from these raw files; there should be"):
        reprocess_here(pipeline, [path], DAYS)


NAMES = ["a b.gz", 'a"b.gz', "a\\b.gz", "a\nb.gz", "\u00e4{1,2}.gz", "a:b%20.gz"]


@pytest.mark.parametrize("name", NAMES)
def test_raw_files_of_any_name(name: str, tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    path = write(tmp_path / "raw", name, line(event("a"), event("b", items=[{"id": "i"}])), line({"bad": 1}))
    pipeline.ingest(path)
    done = reprocess_here(pipeline, [path], Days(date(2026, 5, 28), date(2026, 5, 28))).result
    assert (done["taken_out"], done["put_in"], done["quarantined"]) == (2, 2, 0)
    assert [len(pipeline.rows(table)) for table in ("event", "item", "quarantine")] == [2, 1, 1]


def test_only_files_with_rows_of_that_time_are_asked_for_their_lineage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row may lie on any day: of an event that is always fresh, or that was let in by other rules."""
    pipeline = LocalPipeline(tmp_path)
    years = [MIDNIGHT - number * 24 * HOUR for number in range(40, 0, -1)]
    for number, time in enumerate(years):
        pipeline.ingest(
            write(
                tmp_path / "raw",
                f"old-{number}.gz",
                line(event(f"o-{number}", timestamp=time), rid=f"o-{number}", ingest_time=time),
            )
        )
    late = event("late", event_type="_first_open", timestamp=years[0] - 300 * 24 * HOUR)
    path = write(
        tmp_path / "raw",
        "a.gz",
        line(event("a", timestamp=MIDNIGHT + HOUR), late, rid="r-a", ingest_time=MIDNIGHT + HOUR, client_timestamp=None),
    )
    pipeline.ingest(path)
    asked: list[str] = []
    real = affected_module._mask
    monkeypatch.setattr(affected_module, "_mask", lambda file, *rest: asked.append(file.uri) or real(file, *rest))
    done = reprocess_here(pipeline, [path], Days(date(2026, 5, 28), date(2026, 5, 28))).result
    assert (done["taken_out"], done["put_in"]) == (2, 2)
    assert len(set(asked)) == 4  # the two files that go, and the two that have come


@pytest.mark.parametrize("change", [{"rules": RulesSection(freshness_hours=1)}, {"project_id": "other"}, {}], ids=str)
def test_a_shadow_made_by_other_rules_is_begun_again(change: dict[str, Any], tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    folder = f"{tmp_path}/lake/_checkpoints/reprocess/x"
    _, shadow = shadow_module.open_shadow(pipeline.config, pipeline.lake, folder)
    pipeline.lake.storage.write_text(f"{folder}/ingest/commits/0", "v1")
    shadow.open(EVENT).alter.set_table_name("mine")
    _, shadow = shadow_module.open_shadow(with_config(pipeline.config, **change), pipeline.lake, folder)
    assert (shadow.open(EVENT).metadata().name == "mine") == (change == {})
    assert pipeline.lake.storage.exists(f"{folder}/ingest/commits/0") == (change == {})
