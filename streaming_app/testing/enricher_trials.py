"""Trials of an enricher, one for each rule of its contract."""

from __future__ import annotations

import pyarrow as pa

from streaming_app.model.event import REQUIRED
from streaming_app.model.tables import EVENT
from streaming_app.plugins.enricher import TRANSIENT, Enricher
from streaming_app.plugins.validate_enriched import KEYS, conform_to_schema
from streaming_app.testing.checks import Broken, Subject

_COLUMNS = {column.name for column in EVENT.columns} | set(TRANSIENT)


class EnricherTrials:
    """Trials of one enricher; each method returns if it passes.

    Raises:
        Broken: it fails; the message says what happened.
    """

    def __init__(self, subject: Subject, events: pa.Table) -> None:
        self._subject, self._events = subject, events

    def opens(self) -> None:
        self._subject.plugin.open()

    def opens_again(self) -> None:
        before = self._enrich(self._events)
        self._subject.plugin.open()
        _assert_same(before, self._enrich(self._events), "opened again")

    def keeps_rows(self) -> None:
        made = self._subject.plugin.enrich(self._events)
        if not isinstance(made, pa.Table):
            raise Broken(f"enrich() returned a {type(made).__name__}, not a table")
        if len(made) != len(self._events):
            raise Broken(f"enrich() returned {len(made)} rows for {len(self._events)}")
        for name in KEYS:
            if name in made.column_names and name in self._events.column_names and not made[name].equals(self._events[name]):
                raise Broken(f"{name} is another, or in another order")
        if lost := [name for name in self._events.column_names if name not in made.column_names]:
            raise Broken(f"columns are lost: {', '.join(lost)}")

    def fits(self) -> None:
        conform_to_schema(self._subject.plugin.enrich(self._events), self._events, trusted=False)

    def fills(self) -> None:
        named = getattr(self._subject.plugin, "FILLS", None)
        if named is None:
            return
        if unknown := [name for name in named if name not in _COLUMNS]:
            raise Broken(f"FILLS names {', '.join(unknown)}, which event does not have")
        made, given = self._enrich(self._events), self._events
        changed = [name for name in made.column_names if name in _COLUMNS and not _is_same(name, made, given)]
        if others := [name for name in changed if name not in named and name not in TRANSIENT]:
            raise Broken(f"it also fills {', '.join(others)}")

    def is_idempotent(self) -> None:
        once = self._enrich(self._events)
        _assert_same(once, self._enrich(once), "enriched twice")

    def is_the_same_in_parts(self) -> None:
        whole, rows = self._enrich(self._events), len(self._events)
        for size in {1, max(1, rows // 2)}:
            parts = [self._enrich(self._events.slice(start, size)) for start in range(0, rows, size)]
            if parts:
                _assert_same(whole, pa.concat_tables(parts, promote_options="default"), f"in parts of {size} rows")

    def stands_no_rows(self) -> None:
        self._enrich(self._events.slice(0, 0))

    def stands_nulls(self) -> None:
        names = [name for name in self._events.column_names if name not in REQUIRED]
        self._enrich_without(names, "every column")
        for name in names:
            self._enrich_without([name], name)

    def leaves_events(self) -> None:
        with pa.BufferOutputStream() as stream, pa.ipc.new_stream(stream, self._events.schema) as writer:
            writer.write_table(self._events)
            self._enrich(self._events)
        before = pa.ipc.open_stream(stream.getvalue()).read_all()
        _assert_same(before, self._events, "after it was enriched")

    def can_be_made_again(self) -> None:
        other: Enricher = self._subject.another()
        other.open()
        _assert_same(
            self._enrich(self._events), conform_to_schema(other.enrich(self._events), self._events, trusted=False), "made again"
        )

    def _enrich(self, events: pa.Table) -> pa.Table:
        return conform_to_schema(self._subject.plugin.enrich(events), events, trusted=False)

    def _enrich_without(self, names: list[str], what: str) -> None:
        nulls = {name: pa.nulls(len(self._events), self._events[name].type) for name in names}
        columns = {name: nulls.get(name, self._events[name]) for name in self._events.column_names}
        try:
            self._enrich(pa.table(columns))
        except Exception as error:
            raise Broken(f"where {what} is null it raised {type(error).__name__}: {error}") from error


def _is_same(name: str, one: pa.Table, other: pa.Table) -> bool:
    if not (name in one.column_names and name in other.column_names):
        return False
    return bool(one[name].equals(other[name]))


def _assert_same(one: pa.Table, other: pa.Table, how: str) -> None:
    names = dict.fromkeys((*one.column_names, *other.column_names))
    if differing := [name for name in names if not _is_same(name, one, other)]:
        raise Broken(f"{how}, it makes others of {', '.join(differing)}")
