"""Attributes after all changes depend on the changes only, not on the order of their arrival."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.derive import user_rows
from streaming_app.derive.attributes import ALL, LOG_COLUMNS, FoldedSoFar, fold, merge_attributes, remaining
from streaming_app.model.tables import CHANGE

Message = tuple[int, str, Any]
"""Time, kind without ``profile_``, properties."""

CASES: dict[str, tuple[list[Message], dict[str, Any]]] = {
    "nothing": ([(1, "set", {})], {}),
    "set": ([(1, "set", {"a": 1, "b": "x"}), (2, "set", {"a": 2})], {"a": 2, "b": "x"}),
    "set to null takes away": ([(1, "set", {"a": 1}), (2, "set", {"a": None})], {}),
    "once never overwrites": (
        [(1, "set", {"a": 1}), (2, "set_once", {"a": 2, "b": 3}), (3, "set_once", {"b": 4})],
        {"a": 1, "b": 3},
    ),
    "the earliest first value": ([(3, "set_once", {"a": 3}), (1, "set_once", {"a": 1}), (2, "set_once", {"a": 2})], {"a": 1}),
    "once after unset": ([(1, "set", {"a": 1}), (2, "unset", {"a": True}), (3, "set_once", {"a": 3})], {"a": 3}),
    "increment": ([(1, "increment", {"n": 2}), (2, "increment", {"n": 3}), (3, "increment", {"n": -1})], {"n": 4}),
    "increment of what was set": ([(2, "increment", {"n": 5}), (1, "set", {"n": 10})], {"n": 15}),
    "set after increment": ([(1, "increment", {"n": 5}), (2, "set", {"n": 1})], {"n": 1}),
    "increment by a fraction": ([(1, "increment", {"n": 0.5}), (2, "increment", {"n": 1})], {"n": 1.5}),
    "increment by no number": ([(1, "increment", {"n": "5", "m": True, "k": 1})], {"k": 1}),
    "increment of text": ([(1, "set", {"n": "many"}), (2, "increment", {"n": 2})], {"n": 2}),
    "append": ([(1, "append", {"l": ["a"]}), (2, "append", {"l": ["b", "a"]})], {"l": ["a", "b", "a"]}),
    "append one element": ([(1, "append", {"l": "a"}), (2, "append", {"l": None})], {"l": ["a"]}),
    "append to text": ([(1, "set", {"l": "a"}), (2, "append", {"l": ["b"]})], {"l": ["b"]}),
    "unset": ([(1, "set", {"a": 1, "b": 2}), (2, "unset", {"a": True, "c": True})], {"b": 2}),
    "delete": ([(1, "set", {"a": 1}), (2, "increment", {"n": 1}), (3, "delete", {}), (4, "set", {"b": 2})], {"b": 2}),
    "a late one": ([(9, "set", {"a": 9}), (2, "set", {"a": 2}), (1, "delete", {})], {"a": 9}),
    "not an object": ([(1, "set", [1]), (2, "set", "x"), (3, "set", None)], {}),
}


def log(messages: list[Message], user: str = "u", prefix: str = "profile_", **key: Any) -> pa.Table:
    rows = [
        {
            "app_id": "shop",
            "event_id": f"{number:03d}",
            "event_name": prefix + kind,
            "event_time_msec": time,
            "user_pseudo_id": user,
            "properties_json_str": json.dumps(properties),
            **key,
        }
        for number, (time, kind, properties) in enumerate(messages)
    ]
    return pa.Table.from_pylist(rows, pa.schema([CHANGE.schema.field(name) for name in ("app_id", *LOG_COLUMNS)]))


def values(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: each["value"] for name, each in remaining(attributes).items()}


@pytest.mark.parametrize("case", CASES)
def test_fold_applies_changes_in_order_of_time(case: str) -> None:
    messages, expected = CASES[case]
    [whole] = fold(log(messages), "app_id", "user_pseudo_id")
    assert values(whole.attributes) == expected
    rows = log(messages)
    for order in itertools.islice(itertools.permutations(range(len(messages))), 24):
        assert list(fold(rows.take(pa.array(order)), "app_id", "user_pseudo_id")) == [whole]


KINDS = ("set", "set_once", "increment", "append", "unset", "delete")
NAMES = st.sampled_from(["a", "b", "c", ALL])
SENT = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(-1e15, 1e15),
    st.text("xy", max_size=2),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.sampled_from("xy"), st.integers(0, 3), max_size=2),
)
MESSAGES = st.tuples(st.integers(0, 9), st.sampled_from(KINDS), st.dictionaries(NAMES, SENT, max_size=3))


def plainly(messages: list[Message]) -> dict[str, Any]:
    """What the messages mean, written for reading: each makes a new state of all attributes."""
    known: dict[str, dict[str, Any]] = {}
    for time, kind, sent in sorted(messages, key=lambda message: message[0]):  # of equal times the smaller id is first
        held = {name: each["value"] for name, each in known.items()}
        numbers = {name: each for name, each in held.items() if isinstance(each, int | float) and not isinstance(each, bool)}
        lists = {name: each for name, each in held.items() if isinstance(each, list)}
        made = {
            "set": sent,
            "set_once": {name: each for name, each in sent.items() if held.get(name) is None},
            "increment": {
                name: numbers.get(name, 0) + each
                for name, each in sent.items()
                if isinstance(each, int | float) and not isinstance(each, bool)
            },
            "append": {
                name: [*lists.get(name, []), *(each if isinstance(each, list) else [] if each is None else [each])]
                for name, each in sent.items()
            },
            "unset": {name: None for name in sent if name in held},
            "delete": dict.fromkeys((*held, ALL)),
        }[kind]
        known |= {name: {"value": each, "set_time_msec": time} for name, each in made.items()}
    return known


@given(st.lists(MESSAGES, min_size=1, max_size=12))
def test_fold_equals_a_plain_implementation(messages: list[Message]) -> None:
    [whole] = fold(log(messages), "app_id", "user_pseudo_id")
    assert whole.attributes == plainly(messages)


EXTREMES = [0, 1, -1, 2**53, 2**63 - 1, -(2**63), 2**63, 2**64, -(2**64), 10**30, -(10**400), 10**400, 1e308, -1e308, 5e-324, 0.5]


@given(st.lists(st.tuples(st.sampled_from(["set", "set_once", "increment"]), st.sampled_from(EXTREMES)), min_size=1, max_size=12))
def test_sums_saturate(changes: list[tuple[str, Any]]) -> None:
    """Nothing raises, and what is stored is a number to every reader."""
    [whole] = fold(log([(time, kind, {"n": value}) for time, (kind, value) in enumerate(changes)]), "app_id", "user_pseudo_id")
    [stored] = values(json.loads(msgspec.json.encode(whole.attributes))).values()
    assert -(2**63) <= stored < 2**64 if isinstance(stored, int) else math.isfinite(stored)


SUMS: dict[str, tuple[list[Any], Any]] = {
    "beyond integers": ([2**64 - 1, 1], 2.0**64),
    "beyond integers, below": ([-(2**63), -1], -(2.0**63)),
    "beyond floats": ([1.7e308, 1.7e308], 1.7976931348623157e308),
    "and back": ([1.7e308, 1.7e308, -1.7976931348623157e308], 0.0),
    "an integer beyond floats": ([10**400, 1], 1.7976931348623157e308),
    "and a fraction": ([10**400, 0.5], 1.7976931348623157e308),
}


@pytest.mark.parametrize("case", SUMS)
def test_increments_add_numbers_only(case: str) -> None:
    amounts, expected = SUMS[case]
    [whole] = fold(log([(time, "increment", {"n": each}) for time, each in enumerate(amounts)]), "app_id", "user_pseudo_id")
    assert values(whole.attributes) == {"n": expected}
    assert type(values(whole.attributes)["n"]) is type(expected)


def test_keys_are_kept_apart_and_later_states_are_larger() -> None:
    both = pa.concat_tables([log([(1, "set", {"a": 1}), (2, "set", {"a": 2})]), log([(1, "set", {"a": 3})], user="v")])
    folded = {each.key: each for each in fold(both, "app_id", "user_pseudo_id")}
    assert {key: values(each.attributes) for key, each in folded.items()} == {("shop", "u"): {"a": 2}, ("shop", "v"): {"a": 3}}
    assert (folded["shop", "u"].count, folded["shop", "v"].count) == (2, 1)
    states = user_rows.aggregate_changes(both)["changed_as_of"].to_pylist()
    assert max(states).startswith("000000000000002")


@given(
    st.lists(
        st.one_of(
            MESSAGES, st.tuples(st.integers(0, 9), st.just("increment"), st.sampled_from([{"n": each} for each in EXTREMES]))
        )
    ),
    st.integers(0, 9),
)
def test_new_changes_are_folded_onto_what_is_stored(messages: list[Message], until: int) -> None:
    """As if all had been folded at once, if the new ones are later."""
    messages = sorted(messages, key=lambda message: message[0])
    rows = log(messages)
    earlier, later = (
        rows.filter(mask) for mask in (pc.less(rows["event_time_msec"], until), pc.greater_equal(rows["event_time_msec"], until))
    )
    if not len(earlier) or not len(later):
        return
    [stored], [whole] = (user_rows.aggregate_changes(each).to_pylist() for each in (earlier, rows))
    so_far = user_rows.folded_so_far(stored["changed_properties_json_str"], stored["changed_as_of"])
    assert so_far is not None
    [continued] = user_rows.aggregate_changes(later, {("shop", "u"): so_far}).to_pylist()
    for name in ("changed_properties_json_str", "changed_as_of"):
        assert continued[name] == whole[name]


def test_shortened_attributes_are_not_continued() -> None:
    """What was left out is missing in the next fold."""
    [stored] = user_rows.aggregate_changes(log([(1, "append", {"l": ["x" * 70_000]}), (1, "set", {"a": 1})])).to_pylist()
    assert user_rows.folded_so_far(stored["changed_properties_json_str"], stored["changed_as_of"]) is None
    older = "000000000000006\t001773476906000"
    assert user_rows.folded_so_far("{}", older) is None
    assert user_rows.folded_so_far(None, None) == FoldedSoFar()


def test_fold_gives_the_rows_of_items() -> None:
    messages = [(1, "set", {"price": 1, "name": "Mug"}), (2, "set", {"price": 2}), (3, "delete", {})]
    expected = [{"price": 1, "name": "Mug"}, {"price": 2, "name": "Mug"}, {}]
    for count, wanted in enumerate(expected, 1):
        [item] = fold(log(messages[:count], prefix="item_", item_type="t", item_id="i"), "item_type", "item_id")
        assert values(item.attributes) == wanted


APPLIED = {
    "both": ({"a": (1, 5)}, {"b": (2, 1)}, {"a": 1, "b": 2}),
    "the newer": ({"a": (1, 5), "b": (1, 1)}, {"a": (2, 4), "b": (2, 2)}, {"a": 1, "b": 2}),
    "equally new": ({"a": (1, 5)}, {"a": (2, 5)}, {"a": 2}),
    "taken away later": ({"a": (1, 5)}, {"a": (None, 6)}, {}),
    "taken away before": ({"a": (1, 5)}, {"a": (None, 4)}, {"a": 1}),
    "all deleted": ({"a": (1, 5), "b": (2, 7)}, {"*": (None, 6)}, {"b": 2}),
}


@pytest.mark.parametrize("case", APPLIED)
def test_the_newer_of_event_and_change_attributes_wins(case: str) -> None:
    from_events, from_changes = (
        {name: {"value": value, "set_time_msec": time} for name, (value, time) in each.items()} for each in APPLIED[case][:2]
    )
    assert values(merge_attributes(from_events, from_changes)) == APPLIED[case][2]


def test_states_of_users_combine_in_any_order() -> None:
    """A user's row, its new events and its new changes: the larger log wins, what events set stays beside it."""
    early, late = log([(1, "increment", {"n": 1})]), log([(1, "increment", {"n": 1}), (2, "increment", {"n": 1})])
    states = [user_rows.aggregate_changes(each) for each in (early, late)]
    from_events = states[0].set_column(
        states[0].column_names.index("user_properties_json_str"),
        "user_properties_json_str",
        pa.array(['{"tier":{"value":"gold","set_time_msec":5}}']),
    )
    nothing = pa.array([None], pa.string())
    for name in ("changed_properties_json_str", "changed_as_of"):
        from_events = from_events.set_column(from_events.column_names.index(name), name, nothing)
    expected = {"n": {"value": 2, "set_time_msec": 2}, "tier": {"value": "gold", "set_time_msec": 5}}
    for order in itertools.permutations([*states, from_events]):
        state = order[0]
        for each in order[1:]:  # each time by way of a stored row
            stored = user_rows.aggregates_of_rows(user_rows.rows_from_aggregates(user_rows.combine_aggregates(state), "job", 0))
            state = pa.concat_tables([stored, each])
        [row] = user_rows.rows_from_aggregates(user_rows.combine_aggregates(state), "job", 0).to_pylist()
        assert json.loads(row["user_properties_json_str"]) == expected
