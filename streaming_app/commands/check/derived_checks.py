"""Checks of ``user`` and ``session`` against what they are made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.commands.check.context import CheckContext, TableProblem, buckets, by_partition, list_examples
from streaming_app.derive.isolate import drop_failed
from streaming_app.lake.query import dataset
from streaming_app.model.arrow import to_rows
from streaming_app.model.tables import CHANGE, EVENT, SESSION, USER, Table

BEHIND = TableProblem(USER.name, "user and session do not know all events and changes yet", "run the job: clickstream run")

_ID = "user_pseudo_id"
_LINEAGE = frozenset({"process_job_id", "process_time"})
"""Of process_info: which job wrote the row, and when."""

_SQL = {
    # Ids with events and no row, and rows of ids without events.
    "without": 'SELECT count(*) AS n, min({id}) AS example FROM (SELECT DISTINCT {id} FROM ({told}) '
    'WHERE coalesce({id}, \'\') <> \'\' AND {part}) ANTI JOIN "{table}" USING ({id})',
    "unfounded": 'SELECT count(*) AS n, min({id}) AS example FROM (SELECT DISTINCT {id} FROM "{table}" WHERE {part}) '
    "ANTI JOIN ({told}) USING ({id})",
}  # fmt: skip


def known_users(context: CheckContext) -> Iterator[TableProblem]:
    """Everybody of whom there is an event is in ``user`` and in ``session``, and no other."""
    if context.derive_is_behind:
        yield BEHIND
        return
    events, changes = (by_partition(context.of(table), "app_id") for table in (EVENT, CHANGE))
    for table in (USER, SESSION):
        rows = by_partition(context.of(table), "app_id")
        for (app_id,) in sorted({*events, *changes, *rows}):
            files = {EVENT.name: events.get((app_id,), []), CHANGE.name: changes.get((app_id,), [])}
            yield from _unknown(context, table, app_id, {**files, table.name: rows.get((app_id,), [])})


def _unknown(context: CheckContext, table: Table, app_id: str, files: dict[str, Any]) -> Iterator[TableProblem]:
    of_changes = f"SELECT {_ID} FROM change WHERE starts_with(event_name, 'profile_')"
    told = {
        "without": f"SELECT {_ID} FROM event",
        "unfounded": f"SELECT {_ID} FROM event" + (f" UNION ALL {of_changes}" if table is USER else ""),
    }
    says = {"without": "ids with events have no row", "unfounded": "rows are of ids without events"}
    for case, sql in _SQL.items():
        found = [
            row
            for part in buckets(max(1, sum(file.rows for file in files[table.name])))
            for row in context.ask(sql.format(id=_ID, told=told[case], part=part.format(key=_ID), table=table.name), files)
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
    """The rows of some users are what their events and changes make of them."""
    from streaming_app.derive.rebuild import rebuilt_rows  # noqa: PLC0415 - PySpark takes half a second

    if context.derive_is_behind:
        yield BEHIND
        return
    picked = context.ask(
        f'SELECT app_id, {_ID} FROM "user" ORDER BY random() LIMIT {context.sample}', {USER.name: context.of(USER)}
    )
    users = {(row["app_id"], row[_ID]) for row in picked}
    if not users:
        return
    wanted, failed = rebuilt_rows(context.config, context.lake, "check", users)
    for table in (USER, SESSION):
        yield from _differing(table, drop_failed(_stored(context, table, users), failed), drop_failed(wanted[table.name], failed))


def _stored(context: CheckContext, table: Table, users: set[tuple[str, str]]) -> pa.Table:
    rows = dataset(context.lake, table, context.of(table))
    by_app = {app_id: [user for app, user in users if app == app_id] for app_id, _ in users}
    parts = [rows.to_table(filter=(pc.field("app_id") == app_id) & pc.field(_ID).isin(ids)) for app_id, ids in by_app.items()]
    return pa.concat_tables(parts)


def _differing(table: Table, stored: pa.Table, wanted: pa.Table) -> Iterator[TableProblem]:
    there, due = _by_key(table, stored), _by_key(table, wanted)
    remedy = f"clickstream rebuild {table.name}"
    for says, keys in (("are missing", due.keys() - there.keys()), ("should not be", there.keys() - due.keys())):
        if keys:
            yield TableProblem(
                table.name, f"of a sample, {len(keys):,} rows {says}: {list_examples(sorted(map(_format_key, keys)))}", remedy
            )
    for name in table.schema.names:
        if wrong := sorted(_format_key(key) for key in there.keys() & due.keys() if there[key].get(name) != due[key].get(name)):
            yield TableProblem(table.name, f"of a sample, {len(wrong):,} rows differ in {name}: {list_examples(wrong)}", remedy)


def _by_key(table: Table, rows: pa.Table) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Rows without what says when and by which job they were written."""
    found = {}
    for row in to_rows(rows.drop_columns(["created_time"])):
        info = msgspec.json.decode(row["process_info"] or "{}")
        row["process_info"] = {name: value for name, value in info.items() if name not in _LINEAGE}
        found[tuple(row[name] for name in table.key)] = row
    return found


def _format_key(key: tuple[Any, ...]) -> str:
    return " ".join(map(str, key))
