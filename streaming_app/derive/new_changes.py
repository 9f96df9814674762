"""Aggregates new changes of users: onto what is stored of them, or again from all of their changes where one came late."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from streaming_app.derive import user_rows
from streaming_app.derive.attributes import FoldedSoFar
from streaming_app.derive.changes import read_changes
from streaming_app.derive.isolate import USER, SetAside, compute_isolated, ids_by_app, split_by_ids
from streaming_app.lake.lake import Lake
from streaming_app.lake.upsert import values_by_app

_KEYS = ["app_id", USER]


def aggregate_new_changes(lake: Lake, changes: pa.Table, stored: pa.Table) -> tuple[list[pa.Table], list[SetAside]]:
    """Aggregate the new changes of users; ``stored`` are aggregates of the stored rows of these users.

    Returns aggregates, and the users whose changes cannot be aggregated.

    Grows with the new changes, and with the table ``change`` where one came late: its column of users is read.
    """
    if not len(changes):
        return [], []
    # 1. Find the users of whom a new change is not later than what is stored, or of whom that cannot be continued.
    so_far = _folded_so_far(split_by_ids(stored, USER, values_by_app(changes, USER))[0])
    first = changes.group_by(_KEYS).aggregate([("event_time_msec", "min")])
    late: set[tuple[str, str]] = set()
    for app_id, user, msec in zip(*(first[name].to_pylist() for name in (*_KEYS, "event_time_msec_min")), strict=True):
        known = so_far.get((app_id, user), FoldedSoFar())
        if user is not None and (known is None or msec <= known.last_msec):
            late.add((app_id, user))
    # 2. Fold the new changes of all others onto what is stored.
    ids = ids_by_app(sorted(late))
    on_time = split_by_ids(changes, USER, ids)[1]
    continued = {user: known for user, known in so_far.items() if known is not None and user not in late}
    aggregates, failed = compute_isolated(partial(user_rows.aggregate_changes, so_far=continued), on_time)
    # 3. Fold all changes of these users again.
    if late:
        again, further = compute_isolated(user_rows.aggregate_changes, read_changes(lake, ids, USER))
        return aggregates + again, failed + further
    return aggregates, failed


def _folded_so_far(stored: pa.Table) -> dict[tuple[str, str], FoldedSoFar | None]:
    """What the changes of each stored user made."""
    columns = (stored[name].to_pylist() for name in (*_KEYS, "changed_properties_json_str", "changed_as_of"))
    return {(app_id, user): user_rows.folded_so_far(text, as_of) for app_id, user, text, as_of in zip(*columns, strict=True)}
