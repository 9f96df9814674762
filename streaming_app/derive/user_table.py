"""Updates the ``user`` table with new aggregates."""

from __future__ import annotations

import pyarrow as pa

from streaming_app.derive import user_rows
from streaming_app.derive.aggregates import split_into_parts
from streaming_app.derive.isolate import SetAside, compute_isolated, failed_by_app
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.lake import Lake
from streaming_app.lake.upsert import exclude, find_matching_files, matching_rows, rows_with_key_in, upsert, values_by_app
from streaming_app.model.tables import USER

_KEY = "user_pseudo_id"


def upsert_users(lake: Lake, aggregates: pa.Table, job_id: str, created_ms: int, transaction: TransactionId) -> list[SetAside]:
    """Combine new aggregates with the stored rows of their users, and upsert these; returns the users that were set aside, whose
    rows are unchanged."""

    def compute_rows(new: pa.Table, known: pa.Table) -> pa.Table:
        return user_rows.rows_from_aggregates(user_rows.combine_aggregates(pa.concat_tables([new, known])), job_id, created_ms)

    matched = find_matching_files(lake, USER, (_KEY,), rows_with_key_in(values_by_app(aggregates, _KEY)))
    stored = user_rows.aggregates_of_rows(matching_rows(USER, matched))
    computed, failed = [USER.schema.empty_table()], []
    for part in split_into_parts(aggregates, stored):
        rows, aside = compute_isolated(compute_rows, *part)
        computed += rows
        failed += aside
    quarantine_keys(lake, failed, created_ms)
    upsert(lake, USER, exclude(matched, _KEY, failed_by_app(failed)), pa.concat_tables(computed), transaction)
    return failed
