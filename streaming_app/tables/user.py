"""The ``user`` table: states of users in, rows out."""

from __future__ import annotations

import pyarrow as pa

from streaming_app.derive import user_rows
from streaming_app.derive.states import in_parts
from streaming_app.model.tables import USER
from streaming_app.tables.delta import Sink
from streaming_app.tables.upsert import Transaction, hold, one_of, replace, values_by_app, wanted_rows

_KEY = "user_pseudo_id"


def upsert_users(sink: Sink, states: pa.Table, job_id: str, created_ms: int, transaction: Transaction) -> None:
    """Combine new states with the rows that are there, and write the users that have news."""
    held = hold(sink, USER, (_KEY,), one_of(values_by_app(states, _KEY)))
    stored = user_rows.as_states(wanted_rows(USER, held))
    combined = (user_rows.combine_states(pa.concat_tables(each)) for each in in_parts(states, stored))
    rows = [user_rows.rows_of(each, job_id, created_ms) for each in combined]
    replace(sink, USER, held, pa.concat_tables([USER.schema.empty_table(), *rows]), transaction)
