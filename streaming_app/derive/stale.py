"""Users whose committed events were replaced, noted before the replacement so that a crash cannot lose them.

Derive rebuilds their rows from ``event`` and only then deletes the note; a note without a replacement does no harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streaming_app.config.model import Config
from streaming_app.storage import Storage

if TYPE_CHECKING:
    from streaming_app.ingest.batch import Batch

Users = set[tuple[str, str]]
"""Pairs of app_id and user_pseudo_id."""


def _folder(config: Config) -> str:
    return config.checkpoint_uri("stale_users")


def mark_stale(batch: Batch, users: Users) -> None:
    """Note users to be rebuilt."""
    uri = f"{_folder(batch.config)}/{batch.stream_id}-{batch.batch_id}.json"
    batch.storage.write_text(uri, msgspec.json.encode(sorted(users)).decode())


def stale_users(config: Config, storage: Storage) -> tuple[Users, list[str]]:
    """All noted users, and the notes to delete once they are rebuilt."""
    notes = storage.list_files(_folder(config))
    users = {user for uri in notes for user in msgspec.json.decode(storage.read_text(uri), type=list[tuple[str, str]])}
    return users, notes
