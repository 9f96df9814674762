"""Checks that keys are unique."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from streaming_app.commands.check.check_context import (
    MAX_EXAMPLES,
    CheckContext,
    TableProblem,
    group_by_partition,
    hash_conditions,
)
from streaming_app.lake.files import DataFile
from streaming_app.model.tables import TABLES, Table

_REMEDY = {
    "event": "reprocess the days: clickstream reprocess",
    "item": "reprocess the days: clickstream reprocess",
    "change": "reprocess the days: clickstream reprocess",
    "item_attributes": "reprocess the days of its changes: clickstream reprocess",
}


def unique_keys(context: CheckContext) -> Iterator[TableProblem]:
    """Each key is once in its table; of ``event``, ``item`` and ``change`` in a day and those that dedupe compares it with."""
    for table in TABLES.values():
        if table.key:
            spans = _days(context, table) if "day" in table.partition_by else _partitions(context, table)
            for where, files, first in spans:
                yield from _find_repeated(context, table, where, files, first)


_Span = tuple[str, list[DataFile], str]
"""What to call it, its files, and a condition on the group of one key."""


def _partitions(context: CheckContext, table: Table) -> Iterator[_Span]:
    for partition, files in group_by_partition(context.of(table), *table.partition_by).items():
        yield " ".join(partition), files, "true"


def _days(context: CheckContext, table: Table) -> Iterator[_Span]:
    """Each day with the days after it: a key is checked on its first day."""
    days = {
        (app_id, date(int(year), int(month), int(day))): files
        for (app_id, year, month, day), files in group_by_partition(context.of(table), "app_id", "year", "month", "day").items()
    }
    for (app_id, day), files in days.items():
        later = (day + timedelta(days=number + 1) for number in range(context.config.dedupe.neighbour_days))
        near = [file for other in later for file in days.get((app_id, other), ())]
        yield f"{app_id} {day}", [*files, *near], f"min(make_date(year, month, day)) = DATE '{day}'"


def _find_repeated(context: CheckContext, table: Table, where: str, files: list[DataFile], first: str) -> Iterator[TableProblem]:
    key = ", ".join(table.key)
    own = next(name for name in reversed(table.key) if name not in table.partition_by and name != "item_index")
    for part in hash_conditions(sum(file.rows for file in files)):
        found = context.query(
            f"SELECT *, count(*) OVER () AS keys FROM (SELECT {key}, count(*) AS times "
            f'FROM "{table.name}" WHERE {part.format(key=own)} GROUP BY {key} HAVING count(*) > 1 AND {first}) '
            f"ORDER BY ALL LIMIT {MAX_EXAMPLES}",
            {table.name: files},
        )
        if found:
            named = "; ".join(f"{' '.join(str(row[name]) for name in table.key)} ({row['times']} times)" for row in found)
            yield TableProblem(
                table.name,
                f"{where}: keys that are there more than once: {found[0]['keys']:,}: {named}",
                _REMEDY.get(table.name, f"clickstream rebuild {table.name}"),
            )
