"""Checks of ``user`` and ``session`` against the events and changes that they are computed from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.commands.check.check_context import (
    CheckContext,
    TableProblem,
    group_by_partition,
    hash_conditions,
    list_examples,
)
from streaming_app.derive.isolate import drop_failed
from streaming_app.lake.query import dataset
from streaming_app.model.arrow import to_rows
from streaming_app.model.tables import CHANGE, EVENT, SESSION, USER, Table

BEHIND = TableProblem(USER.name, "user and session lack some events and changes", "run the job: clickstream run")

_ID = "user_pseudo_id"
_LINEAGE = frozenset({"process_job_id", "process_time"})
"""Of process_info: which job wrote the row, and when."""

_SQL = {
    # Ids with events and no row, and rows of ids without events.
    "without": 'SELECT count(*) AS n, min({id}) AS example FROM (SELECT DISTINCT {id} FROM ({known}) '
    'WHERE coalesce({id}, \'\') <> \'\' AND {part}) ANTI JOIN "{table}" USING ({id})',
    "unfounded": 'SELECT count(*) AS n, min({id}) AS example FROM (SELECT DISTINCT {id} FROM "{table}" WHERE {part}) '
    "ANTI JOIN ({known}) USING ({id})",
}  # fmt: skip


def known_users(context: CheckContext) -> Iterator[TableProblem]:
    """Every user with events has rows in ``user`` and ``session``, and no other user has."""
    if context.derive_is_behind:
        yield BEHIND
        return
    events, changes = (group_by_partition(context.of(table), "app_id") for table in (EVENT, CHANGE))
    for table in (USER, SESSION):
        rows = group_by_partition(context.of(table), "app_id")
        for (app_id,) in sorted({*events, *changes, *rows}):
            files = {EVENT.name: events.get((app_id,), []), CHANGE.name: changes.get((app_id,), [])}
            yield from _compare_ids(context, table, app_id, {**files, table.name: rows.get((app_id,), [])})


def _compare_ids(context: CheckContext, table: Table, app_id: str, files: dict[str, Any]) -> Iterator[TableProblem]:
    of_changes = f"SELECT {_ID} FROM change WHERE starts_with(event_name, 'profile_')"
    known = {
        "without": f"SELECT {_ID} FROM event",
        "unfounded": f"SELECT {_ID} FROM event" + (f" UNION ALL {of_changes}" if table is USER else ""),
    }
    says = {"without": "ids with events have no row", "unfounded": "rows are of ids without events"}
    for case, sql in _SQL.items():
        found = [
            row
            for part in hash_conditions(max(1, sum(file.rows for file in files[table.name])))
            for row in context.query(sql.format(id=_ID, known=known[case], part=part.format(key=_ID), table=table.name), files)
            if row["n"]
        ]
        if found:
            number, examples = sum(row["n"] for row in found), list_examples(row["example"] for row in found)
            yield TableProblem(
                table.name,
                f"{app_id}: {number:,} {says[case]}, such as {examples}",
                f"clickstream rebuild {table.name}",
            )


def rebuilt_sample(context: CheckContext) -> Iterator[TableProblem]:
    """The rows of a sample of users equal those computed from their events and changes."""
    from streaming_app.derive.rebuild import compute_rows_of  # noqa: PLC0415 - PySpark takes half a second

    if context.derive_is_behind:
        yield BEHIND
        return
    picked = context.query(
        f'SELECT app_id, {_ID} FROM "user" ORDER BY random() LIMIT {context.sample}', {USER.name: context.of(USER)}
    )
    users = {(row["app_id"], row[_ID]) for row in picked}
    if not users:
        return
    wanted, failed = compute_rows_of(context.config, context.lake, "check", users)
    for table in (USER, SESSION):
        yield from _compare_rows(
            table, drop_failed(_read_stored(context, table, users), failed), drop_failed(wanted[table.name], failed)
        )


def _read_stored(context: CheckContext, table: Table, users: set[tuple[str, str]]) -> pa.Table:
    rows = dataset(context.lake, table, context.of(table))
    by_app = {app_id: [user for app, user in users if app == app_id] for app_id, _ in users}
    parts = [rows.to_table(filter=(pc.field("app_id") == app_id) & pc.field(_ID).isin(ids)) for app_id, ids in by_app.items()]
    return pa.concat_tables(parts)


def _compare_rows(table: Table, stored: pa.Table, wanted: pa.Table) -> Iterator[TableProblem]:
    there, due = _rows_by_key(table, stored), _rows_by_key(table, wanted)
    remedy = f"clickstream rebuild {table.name}"
    for says, keys in (("are missing", due.keys() - there.keys()), ("should not be", there.keys() - due.keys())):
        if keys:
            yield TableProblem(
                table.name, f"of a sample, {len(keys):,} rows {says}: {list_examples(sorted(map(_format_key, keys)))}", remedy
            )
    for name in table.schema.names:
        if wrong := sorted(_format_key(key) for key in there.keys() & due.keys() if there[key].get(name) != due[key].get(name)):
            yield TableProblem(table.name, f"of a sample, {len(wrong):,} rows differ in {name}: {list_examples(wrong)}", remedy)


def _rows_by_key(table: Table, rows: pa.Table) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Rows without the time and the job of their writing, by key."""
    found = {}
    for row in to_rows(rows.drop_columns(["created_time"])):
        info = msgspec.json.decode(row["process_info"] or "{}")
        row["process_info"] = {name: value for name, value in info.items() if name not in _LINEAGE}
        found[tuple(row[name] for name in table.key)] = row
    return found


def _format_key(key: tuple[Any, ...]) -> str:
    return " ".join(map(str, key))
