"""Rows of user and session do not depend on the order, grouping or repetition of the aggregates."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.config.model import SessionsSection
from streaming_app.derive import session_rows, user_rows
from streaming_app.model.tables import EVENT
from tests.support.examples import costly

MINUTE, DAY = 60_000, 86_400_000
START = 1_780_000_000_000
SESSIONS = SessionsSection()


def events(*rows: dict[str, Any]) -> pa.Table:
    """Rows of ``event`` with only some columns set."""
    basis = {"app_id": "shop", "user_pseudo_id": "u", "event_name": "_page_view", "process_info": '{"rid":"r"}'}
    return pa.Table.from_pylist([{**basis, "event_id": f"e{n}", **row} for n, row in enumerate(rows)], schema=EVENT.schema)


def at(minutes: float, **columns: Any) -> dict[str, Any]:
    return {"event_time_msec": START + int(minutes * MINUTE), **columns}


def profile(minutes: float, properties: str) -> dict[str, Any]:
    """A ``_profile_set`` event with user properties."""
    return at(minutes, event_name="_profile_set", user_properties_json_str=properties)


def stored(rows: pa.Table) -> pa.Table:
    """Rows of ``session`` as the states that they are (what tables/session.py does in Spark)."""
    made = [
        {
            **row,
            **row["merge_state"],
            "first_msec": int(row["event_timestamp"].timestamp() * 1000),
            "last_msec": int(row["session_end"].timestamp() * 1000),
            "stored_id": row["session_id"],
            "stored_msec": int(row["event_timestamp"].timestamp() * 1000),
            "session_id": None if row["is_inferred"] else row["session_id"],
        }
        for row in rows.to_pylist()
    ]
    return pa.Table.from_pylist(made, schema=session_rows.STORED_SCHEMA)


def upsert(table: pa.Table, changes: pa.Table) -> pa.Table:
    """What the MERGE does."""
    kept = {(row["user_pseudo_id"], row["session_id"], row["event_timestamp"]): row for row in table.to_pylist()}
    for change in changes.to_pylist():
        kept.pop((change["user_pseudo_id"], change["match_id"], change["match_start"]), None)
    written = [row for row in changes.to_pylist() if not row["is_gone"]]
    rows = [{name: row[name] for name in session_rows.SESSION.schema.names} for row in [*kept.values(), *written]]
    return pa.Table.from_pylist(rows, schema=session_rows.SESSION.schema)


def sessions_of(*batches: pa.Table) -> list[dict[str, Any]]:
    """The session table after some batches."""
    table = session_rows.SESSION.schema.empty_table()
    for batch in batches:
        new = session_rows.mark_as_new(session_rows.aggregate_events(batch, SESSIONS))
        table = upsert(table, session_rows.rows_from_aggregates(pa.concat_tables([stored(table), new]), SESSIONS, 0))
    return sorted(table.to_pylist(), key=lambda row: (row["user_pseudo_id"], row["event_timestamp"], row["session_id"]))


def users_of(*batches: pa.Table) -> list[dict[str, Any]]:
    """The user table after some batches."""
    state = user_rows.AGGREGATE_SCHEMA.empty_table()
    for batch in batches:
        state = user_rows.combine_aggregates(pa.concat_tables([state, user_rows.aggregate_events(batch)]))
    return sorted(user_rows.rows_from_aggregates(state, "job", 0).to_pylist(), key=lambda row: row["user_pseudo_id"])


# What some events must make of the session table: (events, expected columns of each session).
SESSION_CASES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "one client session": (
        [at(0, session_id="s"), at(50, session_id="s", event_name="_scroll"), at(70, session_id="s")],
        [{"session_id": "s", "event_count": 3, "page_view_count": 2, "duration_msec": 70 * MINUTE, "is_inferred": False}],
    ),
    "client's earlier start wins": (
        [at(5, session_id="s", session_start_time_msec=START)],
        [{"session_start_time_msec": START, "duration_msec": 5 * MINUTE}],
    ),
    "client's later start does not": (
        [at(5, session_id="s", session_start_time_msec=START + 6 * MINUTE)],
        [{"session_start_time_msec": START + 5 * MINUTE}],
    ),
    "inferred by a pause": (
        [at(0), at(30), at(61)],
        [{"event_count": 2, "is_inferred": True, "session_id": "u-20260528-202640000"}, {"event_count": 1}],
    ),
    "empty session id is none": ([at(0, session_id="")], [{"is_inferred": True}]),
    "events without a user have no session": ([at(0, user_pseudo_id=None), at(0, user_pseudo_id="")], []),
    "first source that is not direct": (
        [
            at(0, session_id="s", traffic_source_source="Direct", traffic_source_medium="none"),
            at(1, session_id="s"),
            at(2, session_id="s", traffic_source_source="google", traffic_source_term="mug"),
            at(3, session_id="s", traffic_source_source="bing"),
        ],
        [{"session_source": "google", "session_medium": None, "session_term": "mug"}],
    ),
    "else the earliest event": (
        [at(1, session_id="s", traffic_source_source="direct"), at(0, session_id="s", traffic_source_medium="x")],
        [{"session_source": None, "session_medium": "x"}],
    ),
    "entry and exit": (
        [
            at(0, session_id="s", event_name="_click", page_view_page_url="no view"),
            at(1, session_id="s", page_view_page_url="first"),
            at(2, session_id="s", event_name="_screen_view", screen_view_screen_name="last"),
        ],
        [{"entry_page_url": "first", "exit_page_url": "last", "page_view_count": 2, "is_bounce": False}],
    ),
    "bounce": (
        [at(0, session_id="s"), at(1, session_id="s", event_name="_user_engagement", user_engagement_time_msec=9_999)],
        [{"is_bounce": True, "engagement_time_msec": 9_999}],
    ),
    "engaged": (
        [at(0, session_id="s"), at(1, session_id="s", event_name="_user_engagement", user_engagement_time_msec=10_000)],
        [{"is_bounce": False}],
    ),
    "latest login": (
        [at(0, session_id="s", user_id="a"), at(2, session_id="s"), at(1, session_id="s", user_id="b")],
        [{"user_id": "b"}],
    ),
    "an id that comes back after days": (
        [at(0, session_id="s"), at(60 * 24 * 3 + 1, session_id="s")],
        [{"session_id": "s", "event_count": 1}] * 2,
    ),
}


@pytest.mark.parametrize("case", SESSION_CASES, ids=str)
def test_sessions_follow_the_merge_rules(case: str) -> None:
    rows, expected = SESSION_CASES[case]
    whole = events(*rows)
    one_by_one = [whole.slice(number, 1) for number in range(len(whole))]
    for found in (sessions_of(whole), sessions_of(*one_by_one), sessions_of(*reversed(one_by_one))):
        assert [{key: row[key] for key in want} for row, want in zip(found, expected, strict=True)] == expected


def test_a_late_event_joins_two_inferred_sessions() -> None:
    assert [row["event_count"] for row in sessions_of(events(at(0), at(50)))] == [1, 1]
    later = events(at(25, event_id="late"))
    [joined] = sessions_of(events(at(0), at(50)), later)
    assert (joined["event_count"], joined["duration_msec"]) == (3, 50 * MINUTE)


USER_CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "latest login": ([at(1, user_id="new"), at(0, user_id="old"), at(2, user_id="")], {"user_id": "new"}),
    "smallest first touch": (
        [at(0, user_first_touch_time_msec=5), at(1, user_first_touch_time_msec=3)],
        {"first_touch_time_msec": 3},
    ),
    "earliest event with a referrer": (
        [at(0, page_view_page_referrer=""), at(2, page_view_page_referrer="b"), at(1, page_view_page_referrer="a")],
        {"first_referrer": "a"},
    ),
    "earliest event with a source, as a unit": (
        [
            at(0, traffic_source_medium="m"),
            at(1, traffic_source_source="s1"),
            at(2, traffic_source_source="s2", traffic_source_medium="x"),
        ],
        {"first_traffic_source": "s1", "first_traffic_medium": None},
    ),
    "same millisecond: the smaller event id": (
        [at(0, event_id="b", traffic_source_source="b"), at(0, event_id="a", traffic_source_source="a")],
        {"first_traffic_source": "a"},
    ),
    "properties: the newest of each": (
        [
            profile(1, '{"x":{"value":1,"set_time_msec":9},"y":{"value":1,"set_time_msec":5}}'),
            profile(0, '{"x":{"value":"2","set_time_msec":8},"y":{"value":2,"set_time_msec":6}}'),
            at(5, user_properties_json_str='{"x":{"value":"not a profile event","set_time_msec":99}}'),
        ],
        {"user_properties_json_str": '{"x":{"value":1,"set_time_msec":9},"y":{"value":2,"set_time_msec":6}}'},
    ),
    "a property without a time was set at its event": (
        [profile(0, '{"x":{"value":1,"set_time_msec":null}}')],
        {"user_properties_json_str": f'{{"x":{{"value":1,"set_time_msec":{START}}}}}'},
    ),
}


@pytest.mark.parametrize("case", USER_CASES, ids=str)
def test_users_follow_the_merge_rules(case: str) -> None:
    rows, expected = USER_CASES[case]
    whole = events(*rows)
    one_by_one = [whole.slice(number, 1) for number in range(len(whole))]
    for found in (users_of(whole), users_of(*one_by_one), users_of(*reversed(one_by_one))):
        assert [{key: row[key] for key in expected} for row in found] == [expected]


@st.composite
def _many(draw: st.DrawFn) -> pa.Table:
    optional = st.sampled_from([None, "", "a", "b"])
    rows = [
        {
            "event_id": f"e{number}",
            "event_time_msec": START + draw(st.integers(0, 300)) * MINUTE * 17,
            "event_name": draw(st.sampled_from(["_page_view", "_profile_set", "_user_engagement"])),
            "user_pseudo_id": draw(st.sampled_from(["u1", "u2"])),
            "session_id": draw(st.sampled_from([None, "s1", "s2"])),
            "traffic_source_source": draw(st.sampled_from([None, "Direct", "google"])),
            "user_id": draw(optional),
            "page_view_page_referrer": draw(optional),
            "page_view_page_url": draw(optional),
            "user_first_touch_time_msec": draw(st.sampled_from([None, 5, 7])),
            "user_properties_json_str": draw(
                st.sampled_from([None, '{"x":{"value":1,"set_time_msec":4}}', '{"x":{"value":2,"set_time_msec":null}}'])
            ),
        }
        for number in range(draw(st.integers(1, 25)))
    ]
    return events(*rows)


@costly(8)
@given(table=_many(), seed=st.integers(0, 2**32))
def test_any_grouping_and_order_gives_the_same_rows(table: pa.Table, seed: int) -> None:
    dice = random.Random(seed)
    order = dice.sample(range(len(table)), len(table))
    cuts = sorted({0, len(table), *(dice.randrange(len(table) + 1) for _ in range(4))})
    parts = [table.take(order[start:end]) for start, end in pairwise(cuts)]
    assert sessions_of(table) == sessions_of(*parts)
    assert users_of(table) == users_of(*parts)
