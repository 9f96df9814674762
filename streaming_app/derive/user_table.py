"""The ``user`` table: states of users in, rows out."""

from __future__ import annotations

import pyarrow as pa

from streaming_app.derive import user_rows
from streaming_app.derive.aggregates import split_into_parts
from streaming_app.derive.isolate import SetAside, compute_isolated, failed_by_app
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.lake import Lake
from streaming_app.lake.upsert import exclude, hold, one_of, replace, values_by_app, wanted_rows
from streaming_app.model.tables import USER

_KEY = "user_pseudo_id"


def upsert_users(lake: Lake, states: pa.Table, job_id: str, created_ms: int, transaction: TransactionId) -> list[SetAside]:
    """Combine new states with the rows that are there, and write the users that have news; returns those set aside, whose rows
    stay as they are."""

    def make(new: pa.Table, known: pa.Table) -> pa.Table:
        return user_rows.rows_from_aggregates(user_rows.combine_aggregates(pa.concat_tables([new, known])), job_id, created_ms)

    held = hold(lake, USER, (_KEY,), one_of(values_by_app(states, _KEY)))
    stored = user_rows.aggregates_of_rows(wanted_rows(USER, held))
    made, failed = [USER.schema.empty_table()], []
    for part in split_into_parts(states, stored):
        rows, aside = compute_isolated(make, *part)
        made += rows
        failed += aside
    quarantine_keys(lake, failed, created_ms)
    replace(lake, USER, exclude(held, _KEY, failed_by_app(failed)), pa.concat_tables(made), transaction)
    return failed
