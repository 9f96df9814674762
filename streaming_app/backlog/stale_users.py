"""Users whose committed events were replaced, noted before the replacement so that a crash cannot lose them.

Derive rebuilds their rows from ``event`` and only then deletes the note; a note without a replacement does no harm.
"""

from __future__ import annotations

import msgspec

from streaming_app.config.model import Config
from streaming_app.storage.files import Storage

Users = set[tuple[str, str]]
"""Pairs of app_id and user_pseudo_id."""


def _folder(config: Config) -> str:
    return config.checkpoint_uri("stale_users")


def mark_stale(config: Config, storage: Storage, name: str, users: Users) -> None:
    """Note users to be rebuilt; ``name`` is the note's, the same when the same step is tried again."""
    storage.write_text(f"{_folder(config)}/{name}.json", msgspec.json.encode(sorted(users)).decode())


def stale_users(config: Config, storage: Storage) -> tuple[Users, list[str]]:
    """All noted users, and the notes to delete once they are rebuilt."""
    notes = storage.list_files(_folder(config))
    users = {user for uri in notes for user in msgspec.json.decode(storage.read_text(uri), type=list[tuple[str, str]])}
    return users, notes
