"""Updating ``quarantine`` after a reprocessing: rejected elements are in it once, unresolved; others are resolved."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.commands.operation import Operation
from streaming_app.commands.replay.resolve import set_resolved
from streaming_app.ingest.commit.quarantine_duplicates import KEY, keys
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rewrite import read_row_groups
from streaming_app.lake.rows import read_batches
from streaming_app.model.tables import QUARANTINE

_TEXTS = pa.array([], pa.string())


def requarantine(this: Operation, shadow: Lake, raw_files: frozenset[str]) -> None:
    """Make the rows of some raw files those that their shadow rejects, with today's reasons, in one commit: the shadow has read
    these files to their end."""
    names, now_ms = pa.array(sorted(raw_files), pa.string()), int(time.time() * 1_000)
    elements, rejections = _read_rejections(shadow)
    writer = PartitionWriter(QUARANTINE, this.lake.uri(QUARANTINE), this.lake.storage, "resolved")
    removed, known, counts = [], [_TEXTS], dict.fromkeys(("resolved", "reopened", "replaced"), 0)
    for file in filter(lambda each: _may_name(each, names), live_files(this.lake.open(QUARANTINE))):
        found = pa.concat_tables(_classify_rows(this.lake, file, names, elements, rejections))
        known += found["rejection"].drop_null().chunks
        here = {name: pc.sum(found[name]).as_py() or 0 for name in counts}
        if any(here.values()):
            removed.append(file)
            _rewrite(this, file, found, writer, now_ms)
            counts = {name: number + here[name] for name, number in counts.items()}
    rewritten, added = writer.close(), _write_new_rows(this.lake, shadow, pa.concat_arrays(known))
    if removed or added:
        commit(this.lake, QUARANTINE, TableChange(added, removed, rewritten), TransactionId.unique("reprocess"))
    # A row that is rejected for another reason than before does not count as a new one.
    this.result["quarantined"] = sum(file.rows for file in added) - counts.pop("replaced")
    this.result |= counts


def _read_rejections(shadow: Lake) -> tuple[pa.Array, pa.Array]:
    """Elements by their keys, and with the reason."""
    elements, rejections = [_TEXTS], [_TEXTS]
    for file in live_files(shadow.open(QUARANTINE)):
        for rows in read_batches(shadow, QUARANTINE, file, [*KEY, "reason"]):
            elements += keys(rows).chunks
            rejections += _rejections(rows).chunks
    return pa.concat_arrays(elements), pa.concat_arrays(rejections)


def _may_name(file: DataFile, names: pa.Array) -> bool:
    """By the statistics in the log."""
    first, last = pc.min_max(names).as_py().values()
    least, most = file.min_values.get("source_file"), file.max_values.get("source_file")
    return first is not None and (least is None or most is None or (least <= last and most >= first))


def _classify_rows(lake: Lake, file: DataFile, names: pa.Array, elements: pa.Array, rejections: pa.Array) -> Iterator[pa.Table]:
    """Classify each row: resolved, reopened or replaced; ``rejection`` is set where the shadow has the same one."""
    yield pa.table({name: pa.array([], pa.bool_()) for name in ("resolved", "reopened", "replaced")} | {"rejection": _TEXTS})
    for rows in read_batches(lake, QUARANTINE, file, [*KEY, "reason", "resolved_time"]):
        here, is_open = pc.is_in(rows["source_file"], names), pc.is_null(rows["resolved_time"])
        fails, own = pc.and_(here, pc.is_in(keys(rows), elements)), _rejections(rows)
        same = pc.and_(fails, pc.is_in(own, rejections))
        yield pa.table(
            {
                "resolved": pc.and_(here, pc.and_not(is_open, fails)),
                "reopened": pc.and_not(same, is_open),
                "replaced": pc.and_not(fails, same),
                "rejection": pc.if_else(same, own, pa.scalar(None, pa.string())),
            }
        )


def _rewrite(this: Operation, file: DataFile, marks: pa.Table, writer: PartitionWriter, now_ms: int) -> None:
    for first, rows in read_row_groups(this.lake, QUARANTINE, file):
        here = marks.slice(first, len(rows)).combine_chunks()
        resolved = set_resolved(rows, here["resolved"].combine_chunks(), this.job_id, now_ms)
        reopened = set_resolved(resolved, here["reopened"].combine_chunks(), None, None)
        writer.add(reopened.filter(pc.invert(here["replaced"])))


def _write_new_rows(lake: Lake, shadow: Lake, known: pa.Array) -> list[DataFile]:
    """Write the shadow's rows that are not stored yet."""
    writer = PartitionWriter(QUARANTINE, lake.uri(QUARANTINE), lake.storage, "reprocess")
    for file in live_files(shadow.open(QUARANTINE)):
        for rows in read_batches(shadow, QUARANTINE, file, QUARANTINE.schema.names):
            writer.add(rows.filter(pc.invert(pc.is_in(_rejections(rows), known))))
    return writer.close()


def _rejections(rows: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(pc.fill_null(rows["reason"], ""), keys(rows), " ")
