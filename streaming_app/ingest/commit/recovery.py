"""Rolls back a micro-batch that was killed between its commits.

The same stream would run the batch again and complete it. But the next writer may be another one, such as a backfill of the same
files, which would take the committed rows for duplicates of its own. So every writer first rolls back an incomplete batch.
"""

from __future__ import annotations

import msgspec

from streaming_app.config.model import Config
from streaming_app.ingest.batch import Batch
from streaming_app.lake.commit import TransactionId, is_committed, roll_back
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import CHANGE, EVENT, ITEM, QUARANTINE, RUN_METRICS

BEFORE_EVENT = (QUARANTINE, ITEM, CHANGE, RUN_METRICS)
"""The tables that a batch commits to before its commit point."""


class Intent(msgspec.Struct):
    """A batch that is about to commit, and the versions of the tables before it."""

    stream: str
    batch: int
    versions: dict[str, int]


def _intent_uri(config: Config) -> str:
    return config.checkpoint_uri("batch.json")


def write_intent(batch: Batch, lake: Lake) -> None:
    """Store the intent of a batch before its commits. It is never deleted: ``event`` tells whether the batch is complete."""
    versions = {table.name: lake.open(table).version() for table in BEFORE_EVENT}
    intent = Intent(batch.stream_id, batch.batch_id, versions)
    lake.storage.write_text(_intent_uri(batch.config), msgspec.json.encode(intent).decode())


def roll_back_incomplete_batch(config: Config, lake: Lake) -> None:
    """Restore the tables as they were before the last batch, if it did not reach its commit point.

    Call it while the lock is held, before any other commit. The batch's stream, when it runs again, commits the whole batch.
    """
    # 1. Read the intent of the last batch.
    if not lake.storage.exists(_intent_uri(config)):
        return
    intent = msgspec.json.decode(lake.storage.read_text(_intent_uri(config)), type=Intent)
    transaction = TransactionId(intent.stream, intent.batch)
    # 2. The batch is complete if its last commit, the one to ``event``, was made.
    if is_committed(lake.open(EVENT), transaction):
        return
    # 3. Open all tables first, so that a newer layout is refused before any table is changed.
    for table in BEFORE_EVENT:
        lake.open(table)
    # 4. Restore the tables that have the batch. If this is killed, the next writer restores the others.
    for table in BEFORE_EVENT:
        roll_back(lake, table, transaction, intent.versions[table.name])
