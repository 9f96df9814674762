"""Erasing a person's rows of ``item``, ``change`` and ``event``, or anonymising them: one commit a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.commands.erase.anonymise import STAYING, anonymise_rows
from streaming_app.commands.erase.person import Person
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rewrite import rewrite
from streaming_app.lake.rows import read_batches
from streaming_app.model.tables import CHANGE, EVENT, ITEM, Table

IN_ORDER = (ITEM, CHANGE, EVENT)
"""``event`` last: an erasure that is repeated after a kill still finds there whose items ``item`` had."""


@dataclass(frozen=True)
class PersonRows:
    """A file with rows of the person: their number, and all their pseudonymous ids."""

    table: Table
    file: DataFile
    rows: int
    users: frozenset[str]


def find_rows(person: Person, lake: Lake) -> Iterator[PersonRows]:
    """Every file that holds rows of the person."""
    for table in IN_ORDER:
        for file in sorted(live_files(lake.open(table)), key=lambda each: each.path):
            if file.partition["app_id"] != person.app_id:
                continue
            found = 0
            users: set[str] = set()
            for rows in read_batches(lake, table, file, ["user_pseudo_id", "user_id"]):
                matching = rows.filter(person.row_mask(rows))
                found += len(matching)
                users |= set(matching["user_pseudo_id"].drop_null().to_pylist())
            if found:
                yield PersonRows(table, file, found, frozenset(users))


def erase_rows(table: Table, found: list[PersonRows], person: Person, secret: bytes | None, lake: Lake) -> None:
    """Rewrite some files without the rows of the person, or with a ``secret`` with these rows anonymised.

    Changes of attributes are all about a person: they are removed in either case.
    """

    def erase(_file: DataFile, _first: int, rows: pa.Table) -> pa.Table:
        which = person.row_mask(rows)
        if secret is None or table.name not in STAYING:
            return rows.filter(pc.invert(which))
        return anonymise_rows(table, rows, which, secret)

    files = [each.file for each in found]
    written = rewrite(lake, table, files, erase, "erased")
    # No news for derive, which the rebuild of the user's rows makes up for; other readers of the log see what went.
    change = TableChange([], files, written, data_change=True)
    commit(lake, table, change, TransactionId.unique("erase"))
