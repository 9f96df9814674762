"""Replaying what derive set aside: the rows of these users and items are computed again, from all of their events."""

from __future__ import annotations

import time
from typing import NamedTuple

import pyarrow as pa

from streaming_app.backlog.stale_users import mark_stale
from streaming_app.commands.operation import Operation
from streaming_app.commands.replay.quarantine_filter import QuarantineFilter
from streaming_app.commands.replay.resolve import mark_resolved
from streaming_app.derive.changes import upsert_items
from streaming_app.derive.isolate import ITEM, ids_by_app
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.derive.set_aside import UnresolvedKey, unresolved_keys
from streaming_app.errors import Reason
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.model.tables import QUARANTINE


class FileWithWaitingKeys(NamedTuple):
    """A file of ``quarantine`` with the rows in it that are to be replayed."""

    file: DataFile
    rows: list[UnresolvedKey]


def find_waiting_files(lake: Lake, row_filter: QuarantineFilter) -> list[FileWithWaitingKeys]:
    """Find the files with users and items that were set aside, as far as they are selected."""
    if row_filter.reasons and Reason.DERIVE_ERROR not in row_filter.reasons:
        return []
    files = filter(row_filter.may_be_in, live_files(lake.open(QUARANTINE)))
    found = (
        FileWithWaitingKeys(file, [row for row in unresolved_keys(lake, file) if _is_selected(row, row_filter)]) for file in files
    )
    return [each for each in found if each.rows]


def replay_keys(this: Operation, row_filter: QuarantineFilter) -> None:
    """Compute the rows again, and mark what could be computed as resolved; what is set aside again stays as it is.

    Call it only when derive has read all of ``event`` and ``change``. The users are noted as stale first: those of a replay that
    is killed are computed by the next run.
    """
    found = find_waiting_files(this.lake, row_filter)
    if not found:
        return
    keys = {row.key for each in found for row in each.rows}
    now_ms = int(time.time() * 1_000)
    users = {(key.app_id, key.id) for key in keys if key.column != ITEM}
    items = ids_by_app(sorted((key.app_id, key.id) for key in keys if key.column == ITEM))
    mark_stale(this.config, this.lake.storage, this.job_id, users)
    failed = rebuild_stale_users(this.config, this.lake, this.job_id)
    failed |= {(each.app_id, each.id) for each in upsert_items(this.lake, items, now_ms, TransactionId.unique("items"))}
    for file, rows in found:
        passed = [row.position for row in rows if (row.key.app_id, row.key.id) not in failed]
        this.count("tried", len(rows))
        this.count("resolved", len(passed))
        if passed:
            mark_resolved(this, file, pa.array(passed, pa.int64()), now_ms)


def _is_selected(row: UnresolvedKey, row_filter: QuarantineFilter) -> bool:
    return (row_filter.app_id is None or row.key.app_id == row_filter.app_id) and (
        row_filter.since is None or row.since >= row_filter.since
    )
