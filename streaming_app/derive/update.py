"""Updates ``user``, ``item_attributes`` and ``session`` with the new events and changes of one micro-batch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from streaming_app.config.model import Config
from streaming_app.derive.aggregates import Aggregates
from streaming_app.derive.changes import changed_keys, upsert_items
from streaming_app.derive.merge import Merged, ShareMerger, merge_here, merge_in_tasks
from streaming_app.derive.read_events import NewRows, TableReader
from streaming_app.derive.session_table import max_distance_ms
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.derive.shares import count_for, files_near
from streaming_app.lake.buckets import files_with_ids
from streaming_app.lake.commit import TransactionId, commit, is_committed
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.upsert import values_by_app
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import CHANGE, EVENT, SESSION, USER
from streaming_app.spark.session import Session
from streaming_app.spark.table_stream import NewFiles, TableFile
from streaming_app.spark.tasks import group_by_size, parallelism, run_tasks

COLLECT_BYTES = 16 << 20
"""Stored bytes of events and changes up to which their aggregates are brought to the driver: about 250,000 events, 20 MB."""
MERGE_BYTES = 64 << 20
"""Stored bytes of the files to be rewritten up to which the driver rewrites them itself: about 3 CPU-s."""
SHARE_EVENT_BYTES = 16 << 20
"""Stored bytes of new events whose aggregates one task should merge."""
SHARE_STORED_BYTES = 128 << 20
"""Stored bytes of the tables that one task should rewrite: about 6 CPU-s."""


def count_shares(read: Iterable[TableFile], stored: Iterable[DataFile]) -> Mapping[str, int]:
    """The number of shares of each app, by what is read and what may be rewritten."""
    shares: dict[str, float] = {}
    for new in read:
        shares[new.app_id] = shares.get(new.app_id, 0) + new.size / SHARE_EVENT_BYTES
    for file in stored:
        shares[file.app_id] = shares.get(file.app_id, 0) + file.size / SHARE_STORED_BYTES
    return {app_id: count_for(size) for app_id, size in shares.items()}


@dataclass(frozen=True)
class Update:
    """One micro-batch of DERIVE: new files of ``event`` and ``change``, merged in one transaction.

    Without a Spark session, everything happens in this process.
    """

    config: Config
    lake: Lake
    summary: Summary
    transaction: TransactionId
    files: NewFiles
    spark: Session | None = None
    created_ms: int = field(default_factory=lambda: int(time.time() * 1_000))

    def run(self) -> None:
        """Merge and commit; nothing happens if ``session``, the last table, has the transaction already."""
        if is_committed(self.lake.open(SESSION), self.transaction):
            return
        if sum(file.size for file in self._to_be_read) <= COLLECT_BYTES:
            with self.summary.measure_time("derive aggregate"):
                new = self._collect()
            with self.summary.measure_time("derive merge"):
                merged = self._merge_collected(new)
        else:
            with self.summary.measure_time("derive merge"):
                groups = group_by_size(self._to_be_read, parallelism(self.spark))
                merged = self._merge_in_tasks([NewRows(files=group) for group in groups], *self._stored_files)
        with self.summary.measure_time("derive commit"):
            self._commit(merged)

    @cached_property
    def _to_be_read(self) -> list[TableFile]:
        return [*self.files[EVENT.name], *self.files[CHANGE.name]]

    @property
    def _reader(self) -> TableReader:
        return TableReader(self.lake.storage, self.config)

    def _merger(self, lake: Lake) -> ShareMerger:
        return ShareMerger(lake, self.config.sessions, self.summary.job_id, self.created_ms)

    def _collect(self) -> Aggregates:
        """Aggregate the new events in tasks, and collect the aggregates."""
        groups = group_by_size(self._to_be_read, parallelism(self.spark))
        messages = run_tasks(self.spark, groups, self._reader.encode)
        return Aggregates.concat(Aggregates.decode(message)[1] for message in messages)

    def _merge_collected(self, new: Aggregates) -> Merged:
        """Merge what the driver has collected: itself, or in tasks if too much is stored of the users."""
        ids = values_by_app(new.all_users, "user_pseudo_id")
        users, sessions = (files_with_ids(each, ids) for each in self._stored_files)
        if sum(file.size for file in (*users, *sessions)) > MERGE_BYTES:
            return self._merge_in_tasks([NewRows(collected=[new.encode()])], users, sessions)
        return merge_here(self._merger(self.lake), new, {file.app_id for file in self._to_be_read}, users, sessions)

    def _merge_in_tasks(self, rows: list[NewRows], users: list[DataFile], sessions: list[DataFile]) -> Merged:
        counts = count_shares(self._to_be_read, (*users, *sessions))
        return merge_in_tasks(self.spark, self._reader, self._merger(self.lake.for_workers), rows, counts, users, sessions)

    @cached_property
    def _stored_files(self) -> tuple[list[DataFile], list[DataFile]]:
        """The files of ``user`` and of ``session`` that may have rows of the users."""
        days: dict[str, set[date]] = {}
        for new in self.files[EVENT.name]:
            days.setdefault(new.app_id, set()).add(new.day)
        by_app: dict[str, list[DataFile]] = {}
        for file in live_files(self.lake.open(SESSION), days):
            by_app.setdefault(file.app_id, []).append(file)
        distance_ms = max_distance_ms(self.config.sessions)
        sessions = [file for app_id, files in by_app.items() for file in files_near(files, days[app_id], distance_ms)]
        return live_files(self.lake.open(USER), {file.app_id for file in self._to_be_read}), sessions

    def _commit(self, merged: Merged) -> None:
        """Add what was set aside to ``quarantine``, and commit the tables, ``session`` last."""
        quarantine_keys(self.lake, merged.failed, self.created_ms)
        if merged.user:
            commit(self.lake, USER, merged.user, self.transaction)
        items = changed_keys(self.lake, self.files[CHANGE.name], "item_id")
        failed_items = upsert_items(self.lake, items, self.created_ms, self.transaction)
        if merged.session:
            commit(self.lake, SESSION, merged.session, self.transaction)
        self.summary.keys_set_aside += len({(each.app_id, each.id) for each in merged.failed}) + len(failed_items)
