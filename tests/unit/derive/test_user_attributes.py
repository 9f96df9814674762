"""Attributes of a user beyond all limits: which ones are kept does not depend on the order or grouping of the events."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.derive import user_rows
from streaming_app.derive.user_rows import MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES
from streaming_app.model.tables import EVENT, MERGED_BYTES
from tests.support.examples import costly

START = 1_780_000_000_000
LIMIT = 65_535


def profile(number: int, attributes: dict[str, Any]) -> dict[str, Any]:
    """A row of ``event`` that tells attributes, {name: (value, set time)}."""
    text = json.dumps({name: {"value": value, "set_time_msec": time} for name, (value, time) in attributes.items()})
    basis = {
        "app_id": "shop",
        "user_pseudo_id": "u",
        "event_name": "_profile_set",
        "event_id": f"e{number}",
        "process_info": "{}",
    }
    return {**basis, "event_time_msec": START + number, "user_properties_json_str": text}


def stored_after(batches: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The row of the user after some micro-batches, each combined with the row that is stored."""
    rows = user_rows.rows_from_aggregates(user_rows.AGGREGATE_SCHEMA.empty_table(), "job", 0)
    for batch in batches:
        states = user_rows.aggregate_events(pa.Table.from_pylist(batch, schema=EVENT.schema))
        combined = user_rows.combine_aggregates(pa.concat_tables([states, user_rows.aggregates_of_rows(rows)]))
        rows = user_rows.rows_from_aggregates(combined, "job", 0)
    [row] = rows.to_pylist()
    return dict(row)


SIZES = st.sampled_from([1, 100, 9_000, MAX_ATTRIBUTE_BYTES - 2, MAX_ATTRIBUTE_BYTES - 1, 30_000])
ATTRIBUTES = st.dictionaries(
    st.sampled_from([f"name-{number}" for number in range(12)]),
    st.tuples(
        st.builds(lambda size, text: text * size, SIZES, st.sampled_from("xy")), st.sampled_from([None, START, 5, -1, 10**17])
    ),
    max_size=4,
)


@given(sent=st.lists(ATTRIBUTES, min_size=1, max_size=6), data=st.data())
@costly(5)
def test_which_attributes_stay_depends_on_no_order(sent: list[dict[str, Any]], data: st.DataObject) -> None:
    events = [profile(number, attributes) for number, attributes in enumerate(sent)]
    shuffled = data.draw(st.permutations(events))
    cut = data.draw(st.integers(0, len(events)))
    whole, parts = stored_after([events]), stored_after([batch for batch in (shuffled[:cut], shuffled[cut:]) if batch])
    one_by_one = stored_after([[each] for each in shuffled])
    assert whole == parts == one_by_one
    assert len((whole["user_properties_json_str"] or "").encode()) <= LIMIT


def test_an_attribute_that_shrinks_makes_room_for_another_in_any_order() -> None:
    """The reported case: 40 kB, then 30 kB of another, then 5 kB in place of the 40."""
    a, b, smaller = ({"a": ("x" * 16_000, START)}, {f"b{n}": ("y" * 15_000, START) for n in range(4)}, {"a": ("z", START + 1)})
    events = [profile(number, each) for number, each in enumerate((a, b, smaller))]
    rows = [stored_after([[events[at]] for at in order]) for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1))]
    assert all(row == rows[0] for row in rows)
    assert set(json.loads(rows[0]["user_properties_json_str"])) == {"a", "b0", "b1", "b2", "b3"}


@pytest.mark.parametrize("names", [MAX_ATTRIBUTES, MAX_ATTRIBUTES + 1, 1_000])
def test_the_number_of_attributes_is_bounded(names: int) -> None:
    events = [profile(at, {f"n{number:04}": ("v", None) for number in range(at, names, 7)}) for at in range(7)]
    kept = json.loads(stored_after([[each] for each in reversed(events)])["user_properties_json_str"])
    assert sorted(kept) == [f"n{number:04}" for number in range(min(names, MAX_ATTRIBUTES))]


def test_attributes_kept_for_merging_are_bounded() -> None:
    events = [
        profile(at, {f"n{at}-{number}": ("v" * (MAX_ATTRIBUTE_BYTES - 2), None) for number in range(3)}) for at in range(120)
    ]
    row = stored_after([events])
    assert LIMIT < len(row["merge_state"]["event_properties_json_str"]) <= MERGED_BYTES + 64 * MAX_ATTRIBUTES
    assert len(row["user_properties_json_str"]) <= LIMIT
