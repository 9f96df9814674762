"""The key of the digests that identify erased persons in the audit: without a secret, a reader of the table could try ids.

It is derived from ``privacy.hash_key`` where there is one. Otherwise it is a random one, kept below the checkpoints, which
queries of the tables do not reach.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from streaming_app.config.model import Config
from streaming_app.storage.conditional_object import ConditionalObject, conditional_object_at
from streaming_app.storage.files import Storage
from streaming_app.storage.uris import absolute, is_s3

_NAME = "audit_key"


def audit_key(config: Config, storage: Storage) -> bytes:
    """The key, 32 bytes; a random one is created at the first call, and kept."""
    key = find_audit_key(config, storage)
    if key is None:
        slot = _slot(config, storage)
        slot.compare_and_swap(secrets.token_hex(32), None)  # where another process was faster, its key holds
        if not is_s3(uri := config.checkpoint_uri(_NAME)):
            Path(absolute(uri)).chmod(0o600)
        key = _read(slot)
    if key is None:
        raise FileNotFoundError(f"{config.checkpoint_uri(_NAME)}: was written and is not there")
    return key


def find_audit_key(config: Config, storage: Storage) -> bytes | None:
    """The key; None where no erasure has needed one yet. Writes nothing."""
    if configured := config.privacy.key():
        return hashlib.blake2b(configured.encode(), digest_size=32, person=b"erasure audit").digest()
    return _read(_slot(config, storage))


def _slot(config: Config, storage: Storage) -> ConditionalObject:
    return conditional_object_at(config.checkpoint_uri(_NAME), storage)


def _read(slot: ConditionalObject) -> bytes | None:
    found = slot.read()
    return bytes.fromhex(found[0]) if found else None
