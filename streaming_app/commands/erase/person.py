"""The person to be erased, and which rows are theirs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.errors import ConfigError
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rows import read_batches
from streaming_app.model.client_text import cut
from streaming_app.model.tables import CHANGE, EVENT, USER

ID_BYTES = next(column.max_bytes for column in USER.columns if column.name == "user_pseudo_id") or 0
"""Longer ids are cut there when they are stored."""


@dataclass(frozen=True)
class Person:
    """A person of an app, by one of two ids. ``linked`` are the pseudonymous ids that the login id was seen with."""

    app_id: str
    user_pseudo_id: str | None = None
    user_id: str | None = None
    linked: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if bool(self.user_pseudo_id) == bool(self.user_id):
            raise ConfigError("give --user-pseudo-id or --user-id, one of them", "clickstream inspect user shows both")
        for name in ("user_pseudo_id", "user_id"):  # as rows have it
            if given := getattr(self, name):
                object.__setattr__(self, name, cut(given, ID_BYTES))

    @property
    def ids(self) -> frozenset[str]:
        """All ids of the person: none of them may remain."""
        return self.linked | {each for each in (self.user_pseudo_id, self.user_id) if each}

    def digest(self, key: bytes) -> str:
        """Identifies the person to whoever knows the id and the key (at most 64 bytes)."""
        return hashlib.blake2b(self._id.encode(), key=key, digest_size=16).hexdigest()

    @property
    def _id(self) -> str:
        return self.user_pseudo_id or self.user_id or ""

    def row_mask(self, rows: pa.Table) -> pa.Array:
        """True for rows of the person, by ``user_pseudo_id`` and ``user_id``.

        By the pseudonymous id all of them; by the login id its own, and the anonymous ones of the ids it was seen with: on a
        shared device other people's stay.
        """
        pseudo, login = (rows[name].combine_chunks() for name in ("user_pseudo_id", "user_id"))
        if self.user_pseudo_id:
            return pc.fill_null(pc.equal(pseudo, self.user_pseudo_id), False)
        own = pc.fill_null(pc.equal(login, self.user_id), False)
        anonymous = pc.equal(pc.fill_null(login, ""), "")
        return pc.or_(own, pc.and_(anonymous, pc.is_in(pseudo, pa.array(sorted(self.linked), pa.string()))))


def add_linked_ids(person: Person, lake: Lake) -> Person:
    """The person with every pseudonymous id that the tables know of the login id."""
    if person.user_id is None:
        return person
    found: set[str] = set()
    for table in (USER, EVENT, CHANGE):
        for file in live_files(lake.open(table)):
            if file.partition["app_id"] == person.app_id:
                for rows in read_batches(lake, table, file, ["user_pseudo_id", "user_id"]):
                    own = rows.filter(pc.equal(rows["user_id"], person.user_id))
                    found |= set(own["user_pseudo_id"].drop_null().to_pylist())
    return replace(person, linked=person.linked | found)
