"""Checks that need no row of the large tables: their logs, their folders, and the table ``operation``."""

from __future__ import annotations

from collections.abc import Iterator

from streaming_app.commands.check.check_context import CheckContext, TableNote, TableProblem, list_examples
from streaming_app.commands.interrupted import find_interrupted
from streaming_app.errors import SinkError
from streaming_app.lake.fill import find_older_files
from streaming_app.lake.lake import Lake
from streaming_app.lake.layout import LAYOUT_VERSION, layout_of
from streaming_app.lake.maintenance import list_table_files
from streaming_app.lake.older_rows import day_column
from streaming_app.model.tables import OPERATION, TABLES


def layouts(lake: Lake) -> Iterator[TableProblem]:
    """All tables exist, in this version's layout."""
    for table in TABLES.values():
        try:
            opened = lake.open(table)
        except SinkError as error:
            yield TableProblem(table.name, str(error), error.hint)
            continue
        found = layout_of(opened)
        missing = sorted(set(table.schema.names) - {field.name for field in opened.schema().fields})
        if found != LAYOUT_VERSION or missing:
            lacking = f", without {list_examples(missing)}" if missing else ""
            yield TableProblem(
                table.name,
                f"has layout {found} of {LAYOUT_VERSION}{lacking}",
                "the next run brings it up to date: clickstream run",
            )


def older_files(context: CheckContext) -> Iterator[TableProblem]:
    """Every file has the columns of this version's layout, so that a query in Athena may filter by each; a note where not."""
    for table in TABLES.values():
        if older := find_older_files(context.lake, table):
            number, day = sum(len(each.files) for each in older), day_column(table)
            yield TableNote(
                table.name,
                f"{number:,} files of an older layout have no {day}: a condition on it leaves their rows out in Athena and Spark",
                f"clickstream optimize --table {table.name}",
            )


def files(context: CheckContext) -> Iterator[TableProblem]:
    """Every file that a table's log has is in its folder, with the size that the log says."""
    remedy = "restore it from the bucket's older versions or a copy; else reprocess its days: clickstream reprocess"
    for table in TABLES.values():
        stored = {file.path: file.size for file in list_table_files(context.lake, table)}
        live = context.of(table)
        if missing := [file.path for file in live if file.path not in stored]:
            yield TableProblem(table.name, f"files are missing: {len(missing):,}: {list_examples(missing)}", remedy)
        if cut := [file.path for file in live if stored.get(file.path, file.size) != file.size]:
            yield TableProblem(table.name, f"files of another size than the log says: {len(cut):,}: {list_examples(cut)}", remedy)


def operations(context: CheckContext) -> Iterator[TableProblem]:
    """Every command that began has ended."""
    active = context.active.purpose if context.active else None
    for each in find_interrupted(context.lake):
        if each.operation != active:
            yield TableProblem(
                OPERATION.name, f"was interrupted: {each}", f"repeat it: clickstream {each.operation}, with the same options"
            )
