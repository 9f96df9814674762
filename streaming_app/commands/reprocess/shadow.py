"""A shadow of the tables: the same pipeline, with tables and checkpoints of its own."""

from __future__ import annotations

import hashlib

import msgspec

from streaming_app import __version__
from streaming_app.config.model import CheckpointSection, Config, SinkSection
from streaming_app.ingest.commit.recovery import roll_back_incomplete_batch
from streaming_app.lake.lake import Lake
from streaming_app.storage.files import Storage

_MADE_FROM = ("project_id", "apps", "enrichers", "rules", "dedupe", "limits", "privacy")
"""The sections of a configuration that decide what rows are made."""


def open_shadow(config: Config, lake: Lake, folder: str) -> tuple[Config, Lake]:
    """The shadow below ``folder``, as an earlier try has left it; one that was made by other rules, or another version of this
    application, is started again."""
    _clear_if_rules_changed(config, folder, lake.storage)
    own = {"sink": SinkSection(uri=f"{folder}/tables"), "checkpoint": CheckpointSection(uri=folder)}
    shadow = Lake(f"{folder}/tables", lake.storage, lake.guard)
    shadowed = config.model_copy(update=own)
    roll_back_incomplete_batch(shadowed, shadow)
    shadow.create_all()
    return shadowed, shadow


def _clear_if_rules_changed(config: Config, folder: str, storage: Storage) -> None:
    """The digest of the rules is written last: an interrupted deletion is continued."""
    note, rules = f"{folder}/rules.json", _digest(config)
    if storage.exists(note) and storage.read_text(note) == rules:
        return
    for name in ("ingest", "tables"):
        storage.delete_folder(f"{folder}/{name}")
    storage.write_text(note, rules)


def _digest(config: Config) -> str:
    made_from = config.model_dump(mode="json", include=set(_MADE_FROM))
    secret = config.privacy.key() or ""
    return hashlib.blake2b(msgspec.json.encode([__version__, made_from], order="sorted"), key=secret.encode()[:64]).hexdigest()
