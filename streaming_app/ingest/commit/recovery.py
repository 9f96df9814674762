"""Undoing a micro-batch that was killed between its commits.

The same stream would go on where the batch broke off. But whoever writes next may be another one, say a backfill of the same
files: for it, the parts that are there already would be copies of its own. So each writer begins by taking them back.
"""

from __future__ import annotations

import msgspec
from deltalake import CommitProperties, Transaction

from streaming_app.config.model import Config
from streaming_app.ingest.batch import Batch
from streaming_app.lake.commit import committed, unless_done
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import CHANGE, EVENT, ITEM, QUARANTINE, RUN_METRICS, Table

BEFORE_EVENT = (QUARANTINE, ITEM, CHANGE, RUN_METRICS)
"""What a batch commits before its commit point."""


class Intent(msgspec.Struct):
    """A batch that is about to commit, and the versions of the tables before it."""

    stream: str
    batch: int
    versions: dict[str, int]


def _place(config: Config) -> str:
    return config.checkpoint_uri("batch.json")


def note_intent(batch: Batch, lake: Lake) -> None:
    """Say what is about to be committed. The note stays: whether the batch got through is known by ``event``."""
    versions = {table.name: lake.open(table).version() for table in BEFORE_EVENT}
    intent = Intent(batch.stream_id, batch.batch_id, versions)
    lake.storage.write_text(_place(batch.config), msgspec.json.encode(intent).decode())


def roll_back_torn_batch(config: Config, lake: Lake) -> None:
    """Bring the tables back to before the last batch, if it did not get to its commit point.

    Call it while the lease is held, and before anything else is committed. Its stream, tried again, commits it as a whole.
    """
    if not lake.storage.exists(_place(config)):
        return
    intent = msgspec.json.decode(lake.storage.read_text(_place(config)), type=Intent)
    if committed(lake.open(EVENT), intent.stream, intent.batch):
        return
    for table in BEFORE_EVENT:
        lake.open(table)  # one that a newer version made is refused before any is touched
    for table in BEFORE_EVENT:
        _take_back(table, intent, lake)


def _take_back(table: Table, intent: Intent, lake: Lake) -> None:
    def is_there() -> bool:
        return committed(lake.open(table), intent.stream, intent.batch)

    if not is_there():
        return
    lake.guard()
    found = lake.open(table)
    # The last transaction of a stream is the one that counts: this takes the batch's own back, too.
    earlier = CommitProperties(app_transactions=[Transaction(intent.stream, intent.batch - 1)])
    with unless_done(found, lambda: not is_there()):
        found.restore(intent.versions[table.name], commit_properties=earlier)
