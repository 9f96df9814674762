"""Checks that need no row of the large tables: their logs, their folders, and the table ``operation``."""

from __future__ import annotations

from collections.abc import Iterator

from streaming_app.commands.check.facts import Facts, Problem, shown
from streaming_app.commands.interrupted import interrupted
from streaming_app.commands.maintain.expired import files_below
from streaming_app.errors import SinkError
from streaming_app.lake.lake import Lake
from streaming_app.lake.layout import LAYOUT_VERSION, layout_of
from streaming_app.model.tables import OPERATION, TABLES


def layouts(lake: Lake) -> Iterator[Problem]:
    """All tables are there, in this version's layout."""
    for table in TABLES.values():
        try:
            found = layout_of(lake.open(table))
        except SinkError as error:
            yield Problem(table.name, str(error), error.hint)
            continue
        if found != LAYOUT_VERSION:
            yield Problem(
                table.name, f"has layout {found} of {LAYOUT_VERSION}", "the next run brings it up to date: clickstream run"
            )


def files(facts: Facts) -> Iterator[Problem]:
    """Every file that a table's log has is in its folder, with the size that the log says."""
    remedy = "restore it from the bucket's older versions or a copy; else reprocess its days: clickstream reprocess"
    for table in TABLES.values():
        stored = {file.path: file.size for file in files_below(facts.lake, table)}
        live = facts.of(table)
        if missing := [file.path for file in live if file.path not in stored]:
            yield Problem(table.name, f"files are missing: {len(missing):,}: {shown(missing)}", remedy)
        if cut := [file.path for file in live if stored.get(file.path, file.size) != file.size]:
            yield Problem(table.name, f"files of another size than the log says: {len(cut):,}: {shown(cut)}", remedy)


def operations(facts: Facts) -> Iterator[Problem]:
    """Every command that began has ended."""
    active = facts.active.what if facts.active else None
    for each in interrupted(facts.lake):
        if each.operation != active:
            yield Problem(
                OPERATION.name, f"was interrupted: {each}", f"repeat it: clickstream {each.operation}, with the same options"
            )
