"""Rolling back a micro-batch that was killed between its commits.

The same stream would go on where the batch broke off. But the next writer may be another one, say a backfill of the same files:
to it, the rows that are there already would be duplicates of its own. So each writer begins by rolling them back.
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
    """Write down what is about to be committed. The note stays: whether the batch was committed is known from ``event``."""
    versions = {table.name: lake.open(table).version() for table in BEFORE_EVENT}
    intent = Intent(batch.stream_id, batch.batch_id, versions)
    lake.storage.write_text(_intent_uri(batch.config), msgspec.json.encode(intent).decode())


def roll_back_incomplete_batch(config: Config, lake: Lake) -> None:
    """Restore the tables as they were before the last batch, if it did not reach its commit point.

    Call it while the lock is held, and before anything else is committed. The batch's stream, run again, commits all of it.
    """
    # 1. Read what the last batch was about to do.
    if not lake.storage.exists(_intent_uri(config)):
        return
    intent = msgspec.json.decode(lake.storage.read_text(_intent_uri(config)), type=Intent)
    transaction = TransactionId(intent.stream, intent.batch)
    # 2. Its commit to ``event`` is the last one: with it, the batch is complete.
    if is_committed(lake.open(EVENT), transaction):
        return
    # 3. Open all tables first: one of a newer layout is refused before any is changed.
    for table in BEFORE_EVENT:
        lake.open(table)
    # 4. Restore those that have the batch. Killed in between, the next writer does the others.
    for table in BEFORE_EVENT:
        roll_back(lake, table, transaction, intent.versions[table.name])
