"""Checking the counts of a swap of rows: before it is committed, and in the tables afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pyarrow.compute as pc

from streaming_app.commands.reprocess.affected_rows import AffectedFiles, find_affected_rows
from streaming_app.commands.reprocess.day_swap import DaySwap, rows_of
from streaming_app.errors import BalanceError
from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rows import read_columns
from streaming_app.model.tables import ITEM, RUN_METRICS, Table

RowCounts = dict[str, int]
"""By table."""


def count_rows(lake: Lake, tables: Iterable[Table]) -> RowCounts:
    """Rows of some tables, from the statistics in their logs."""
    return {table.name: rows_of(live_files(lake.open(table))) for table in tables}


def check_plan(swaps: Iterable[DaySwap], shadow: Lake) -> None:
    """Check that every event and change that the shadow's batches counted is added, is stored, or lost to an earlier duplicate,
    and that the files of each table differ by what is removed and added.

    Raises:
        BalanceError: a row would be lost, or there twice; nothing was replaced.
    """
    counted = _count_written(shadow)
    found = sum(each.rows_after + each.rows_lost for each in swaps if each.table is not ITEM)
    if found != counted:
        raise _balance_error(f"the shadow's batches wrote {counted} events and changes, its tables have {found}")
    for each in swaps:
        difference = rows_of(each.added) - rows_of(each.removed)
        if difference != each.difference:
            raise _balance_error(
                f"{each.table.name}: {each.taken_out} rows are to go, {each.replaced} give way and {each.put_in} come, "
                f"but the files differ by {difference}"
            )


def check_result(
    swaps: Iterable[DaySwap], before: RowCounts, days: frozenset[date], affected: AffectedFiles, lake: Lake, runner: TaskRunner
) -> None:
    """Check after the commits that each table has the expected rows, and as many of the raw files as the shadow added.

    Raises:
        BalanceError: it has others.
    """
    for each in swaps:
        files = live_files(lake.open(each.table))
        masks = find_affected_rows(each.table, [file for file in files if file.day in days], affected, lake, runner)
        there = rows_of(files), sum(int(mask.sum()) for mask in masks.values())
        wanted = before[each.table.name] + each.difference, each.rows_after
        if there != wanted:
            raise BalanceError(
                f"{each.table.name}: has {there[0]} rows, {there[1]} of them from these raw files; there should be "
                f"{wanted[0]} and {wanted[1]}",
                "repeat the command; if that ends the same, please report it with these raw files",
            )


def _count_written(shadow: Lake) -> int:
    """Rows that the batches of the shadow wrote, by their metrics."""
    files = live_files(shadow.open(RUN_METRICS))
    uris = [f"{shadow.uri(RUN_METRICS)}/{file.path}" for file in files]
    return sum(pc.sum(read_columns(uri, ["written"], shadow.storage)["written"]).as_py() or 0 for uri in uris)


def _balance_error(message: str) -> BalanceError:
    return BalanceError(message, "nothing was replaced; please report this with the raw files of these days")
