"""Updates ``user``, ``item_attributes`` and ``session`` with the new events and changes of one micro-batch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import chain

from streaming_app.config.model import Config
from streaming_app.derive import user_rows
from streaming_app.derive.aggregates import Aggregates
from streaming_app.derive.changes import changed_keys, read_changes, upsert_items
from streaming_app.derive.isolate import compute_isolated
from streaming_app.derive.merge import Merged, ShareMerger
from streaming_app.derive.read_events import aggregate_files, encode_aggregates
from streaming_app.derive.session_table import max_distance_ms
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.derive.shares import Router, count_for, files_near, group_shares, plan_shares
from streaming_app.lake.buckets import files_with_ids
from streaming_app.lake.commit import TransactionId, commit, is_committed
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.upsert import values_by_app
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import CHANGE, EVENT, SESSION, USER
from streaming_app.spark.exchange import exchange
from streaming_app.spark.session import Session
from streaming_app.spark.table_stream import NewFiles, TableFile
from streaming_app.spark.tasks import group_by_size, parallelism, run_tasks
from streaming_app.storage.files import Storage

COLLECT_BYTES = 16 << 20
"""Stored bytes of new events up to which their aggregates are brought to the driver: about 250,000 events, 20 MB."""
MERGE_BYTES = 64 << 20
"""Stored bytes of the files to be rewritten up to which the driver rewrites them itself: about 3 CPU-s."""
SHARE_EVENT_BYTES = 16 << 20
"""Stored bytes of new events whose aggregates one task should merge."""
SHARE_STORED_BYTES = 128 << 20
"""Stored bytes of the tables that one task should rewrite: about 6 CPU-s."""


@dataclass(frozen=True)
class NewRows:
    """What a task of the exchange brings to the shares: aggregates of files that it reads, or that the driver has."""

    files: list[TableFile] = field(default_factory=list)
    collected: list[bytes] = field(default_factory=list)


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
        if sum(file.size for file in self.files[EVENT.name]) > COLLECT_BYTES:
            with self.summary.measure_time("derive merge"):
                merged = self._merge_files()
        else:
            with self.summary.measure_time("derive aggregate"):
                new = Aggregates.concat([*self._aggregate(), self._aggregate_changes()])
            with self.summary.measure_time("derive merge"):
                merged = self._merge_collected(new)
        with self.summary.measure_time("derive commit"):
            self._commit(merged)

    def _aggregate(self) -> Iterator[Aggregates]:
        """Aggregate the new events in tasks, and collect the aggregates."""
        groups = group_by_size(self.files[EVENT.name], parallelism(self.spark))
        for message in run_tasks(self.spark, groups, partial(encode_aggregates, self.lake.storage, self.config)):
            yield Aggregates.decode(message)[1]

    def _aggregate_changes(self) -> Aggregates:
        """Aggregate all changes of the users that have new ones."""
        changed = changed_keys(self.lake, self.files[CHANGE.name], "user_pseudo_id")
        if not changed:
            return Aggregates()
        users, failed = compute_isolated(user_rows.aggregate_changes, read_changes(self.lake, changed, "user_pseudo_id"))
        return Aggregates.concat([Aggregates(failed=failed), *(Aggregates(users=each) for each in users)])

    def _merge_collected(self, new: Aggregates) -> Merged:
        """Merge aggregates that the driver has: itself, or in tasks if too much is stored of their users."""
        ids = values_by_app(new.users, "user_pseudo_id")
        users, sessions = (files_with_ids(each, ids) for each in self._stored_files())
        if sum(file.size for file in (*users, *sessions)) > MERGE_BYTES:
            return self._exchange([NewRows(collected=[new.encode()])], users, sessions)
        shares, router = plan_shares(dict.fromkeys(self._apps(), 1), users, sessions)
        merger = self._merger(self.lake)
        return Merged.merge([merger.merge(shares[number], each) for number, each in new.divide(router).items()])

    def _merge_files(self) -> Merged:
        """Aggregate the new events and merge the aggregates in tasks: the driver sees none of them."""
        changes = NewRows(collected=[self._aggregate_changes().encode()])
        groups = [NewRows(files=group) for group in group_by_size(self.files[EVENT.name], parallelism(self.spark))]
        users, sessions = self._stored_files()
        return self._exchange([*groups, changes], users, sessions)

    def _exchange(self, groups: Sequence[NewRows], users: Sequence[DataFile], sessions: Sequence[DataFile]) -> Merged:
        counts = self._count_shares(users, sessions)
        shares, router = plan_shares(counts, users, sessions)
        parts = group_shares(shares, parallelism(self.spark))
        part_of = {share: number for number, part in enumerate(parts) for share in part}
        read = partial(divide_by_part, self.lake.storage, self.config, router, part_of)
        described = [[(number, shares[number]) for number in part] for part in parts]
        messages = exchange(self.spark, groups, read, described, self._merger(self.lake.for_workers).merge_part)
        return Merged.merge([Merged.decode(each) for each in messages])

    def _merger(self, lake: Lake) -> ShareMerger:
        return ShareMerger(lake, self.config.sessions, self.summary.job_id, self.created_ms)

    def _apps(self) -> set[str]:
        return {file.app_id for table in (EVENT, CHANGE) for file in self.files[table.name]}

    def _stored_files(self) -> tuple[list[DataFile], list[DataFile]]:
        """The files of ``user`` and of ``session`` that may have rows of the new events' users."""
        days: dict[str, set[date]] = {}
        for new in self.files[EVENT.name]:
            days.setdefault(new.app_id, set()).add(new.day)
        apps, distance_ms = self._apps(), max_distance_ms(self.config.sessions)
        users = live_files(self.lake.open(USER), apps)
        by_app: dict[str, list[DataFile]] = {}
        for file in live_files(self.lake.open(SESSION), days):
            by_app.setdefault(file.app_id, []).append(file)
        sessions = [file for app_id, files in by_app.items() for file in files_near(files, days[app_id], distance_ms)]
        return users, sessions

    def _count_shares(self, users: Sequence[DataFile], sessions: Sequence[DataFile]) -> Mapping[str, int]:
        """The number of shares of each app, by its new events and its stored files."""
        shares = dict.fromkeys(self._apps(), 0.0)
        for new in self.files[EVENT.name]:
            shares[new.app_id] += new.size / SHARE_EVENT_BYTES
        for file in (*users, *sessions):
            shares[file.app_id] += file.size / SHARE_STORED_BYTES
        return {app_id: count_for(size) for app_id, size in shares.items()}

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


def divide_by_part(
    storage: Storage, config: Config, router: Router, part_of: Mapping[int, int], rows: NewRows
) -> Iterator[tuple[int, bytes]]:
    """Run in each reading task: yields messages by the number of the part that merges them."""
    collected = (Aggregates.decode(each)[1] for each in rows.collected)
    for new in chain(collected, aggregate_files(storage, config, rows.files)):
        for share, aggregates in new.divide(router).items():
            yield part_of[share], aggregates.encode(share)
