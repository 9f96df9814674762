"""Checks of what runs have set aside, which a replay processes again."""

from __future__ import annotations

from collections.abc import Iterator

from streaming_app.commands.check.check_context import MAX_EXAMPLES, CheckContext, TableNote, TableProblem, list_examples
from streaming_app.derive.set_aside import unresolved_keys
from streaming_app.errors import Reason
from streaming_app.model.tables import QUARANTINE


def set_aside(context: CheckContext) -> Iterator[TableProblem]:
    """The rows of all users, sessions and items can be computed; files that could not be read are named."""
    yield from _list_unreadable_files(context)
    waiting = [row.key for file in context.of(QUARANTINE) for row in unresolved_keys(context.lake, file)]
    if waiting:
        named = list_examples(f"{key.column} {key.id} of {key.app_id}" for key in waiting)
        yield TableProblem(
            QUARANTINE.name,
            f"rows of user, session or item_attributes that cannot be computed: {len(waiting):,}: {named}",
            f"quarantine says why; then: clickstream replay --reason {Reason.DERIVE_ERROR}",
        )


def _list_unreadable_files(context: CheckContext) -> Iterator[TableNote]:
    found = context.query(
        "SELECT source_file, message, count(*) OVER () AS files FROM quarantine "
        f"WHERE reason = '{Reason.UNREADABLE_FILE}' AND resolved_time IS NULL "
        f"ORDER BY created_time, source_file LIMIT {MAX_EXAMPLES}",
        {QUARANTINE.name: context.of(QUARANTINE)},
    )
    if found:
        named = "; ".join(f"{row['source_file']} ({row['message']})" for row in found)
        more = "; …" if found[0]["files"] > len(found) else ""
        yield TableNote(
            QUARANTINE.name,
            f"raw files that are set aside: {found[0]['files']:,}: {named}{more}",
            f"when they can be read: clickstream replay --reason {Reason.UNREADABLE_FILE}",
        )
