"""Computes the rows of ``user`` that new aggregates change."""

from __future__ import annotations

import pyarrow as pa

from streaming_app.derive import user_rows
from streaming_app.derive.aggregates import Aggregates, split_into_parts
from streaming_app.derive.isolate import SetAside, compute_isolated, drop_failed, failed_by_app
from streaming_app.derive.new_changes import aggregate_new_changes
from streaming_app.derive.shares import Share
from streaming_app.lake.commit import TableChange
from streaming_app.lake.lake import Lake
from streaming_app.lake.upsert import (
    exclude,
    find_matching_files,
    matching_rows,
    rows_with_key_in,
    values_by_app,
    write_upsert,
)
from streaming_app.model.tables import USER

_KEY = "user_pseudo_id"


def write_users(lake: Lake, share: Share, new: Aggregates, job_id: str, created_ms: int) -> tuple[TableChange, list[SetAside]]:
    """Combine new aggregates and changes of a share's users with their stored rows, and write these; nothing is committed.

    Returns the change of the table, and the users that were set aside, whose rows are unchanged.
    """

    def compute_rows(new: pa.Table, known: pa.Table) -> pa.Table:
        return user_rows.rows_from_aggregates(user_rows.combine_aggregates(pa.concat_tables([new, known])), job_id, created_ms)

    # 1. Read the stored rows of the users.
    matched = find_matching_files(lake, USER, share.users, (_KEY,), rows_with_key_in(values_by_app(new.all_users, _KEY)))
    stored = user_rows.aggregates_of_rows(matching_rows(USER, matched))
    # 2. Aggregate the changes, which depend on what is stored.
    of_changes, failed = aggregate_new_changes(lake, new.changes, stored)
    aggregates = drop_failed(pa.concat_tables([new.users, *of_changes]), failed)
    # 3. Compute the rows, and write them in place of the stored ones.
    computed = [USER.schema.empty_table()]
    for part in split_into_parts(aggregates, stored):
        rows, aside = compute_isolated(compute_rows, *part)
        computed += rows
        failed += aside
    to_replace = exclude(matched, _KEY, failed_by_app(failed))
    return write_upsert(lake, USER, share.users, to_replace, pa.concat_tables(computed), share.bucket), failed
