"""The driver's part of a micro-batch: from written files to committed tables.

Order: quarantine, item, run_metrics, and ``event`` last. Its commit is the batch's commit point: a rerun after a crash
before it compares with the same table as the first try and decides alike.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.derive.stale import mark_stale
from streaming_app.errors import BalanceError
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.dedupe import DataFile, Losers, Verdict, judge, places, touched
from streaming_app.ingest.report import Report
from streaming_app.model.tables import EVENT, ITEM, QUARANTINE, RUN_METRICS, Table
from streaming_app.tables.delta import Change, Sink, commit, committed, live_files
from streaming_app.tables.files import LiveFile, WrittenFile
from streaming_app.tables.parquet import PartitionWriter
from streaming_app.tables.rewrite import row_mask, without_rows


@dataclass(frozen=True)
class Timing:
    """Of the batch so far, wall seconds; ``stored_bytes`` is the size of its raw files."""

    pass_seconds: float
    stored_bytes: int


def is_committed(batch: Batch, sink: Sink) -> bool:
    """Whether the batch got past its commit point in an earlier try."""
    return committed(sink.open(EVENT), batch.stream_id, batch.batch_id)


def commit_batch(batch: Batch, report: Report, timing: Timing, sink: Sink) -> dict[str, Any]:
    """Dedupe and commit; returns the batch's row of ``run_metrics``.

    Raises:
        BalanceError: the counts do not add up; nothing was committed.
    """
    began = time.monotonic()
    event_table, item_table = sink.open(EVENT), sink.open(ITEM)
    stored = live_files(event_table)
    files = {file.path: file for file in stored}
    new = report.of("event")
    near = touched(new, stored, batch.config.dedupe.neighbour_days)
    verdict = judge(_data_files(new, sink), _data_files(near, sink), batch.storage)
    events = _change(EVENT, new, files, verdict.new, verdict.stored, sink)
    days = [files[losers.file.path].partition for losers in verdict.stored]
    near_items = [file for file in live_files(item_table) if file.partition in days] if days else []
    items = _item_change(report.of("item"), verdict, near_items, sink)
    metrics = _metrics(batch, report, timing, events, items, verdict)
    _check_balance(metrics)
    if verdict.changed_users:
        mark_stale(batch, verdict.changed_users)
    quarantined = Change(report.of("quarantine"), [], [])
    stream, number = batch.stream_id, batch.batch_id
    commit(sink.open(QUARANTINE), QUARANTINE, quarantined, stream, number)
    commit(item_table, ITEM, items, stream, number)
    metrics["commit_seconds"] = time.monotonic() - began
    commit(sink.open(RUN_METRICS), RUN_METRICS, _metrics_change(metrics, batch, sink), stream, number)
    commit(event_table, EVENT, events, stream, number)
    return metrics


def _data_files(files: list[WrittenFile] | list[LiveFile], sink: Sink) -> list[DataFile]:
    root = sink.uri(EVENT)
    return [DataFile(root, file.path, file.partition["app_id"], isinstance(file, WrittenFile)) for file in files]


def _change(
    table: Table,
    new: list[WrittenFile],
    stored: dict[str, LiveFile],
    lost_new: list[Losers],
    lost_stored: list[Losers],
    sink: Sink,
) -> Change:
    """Files that hold a losing copy are written again without it; all others are taken as they are."""
    lost = {losers.file.path: losers.rows for losers in lost_new}
    added: list[WrittenFile] = []
    for file in new:
        added += _without(table, file, lost[file.path]["row"], sink) if file.path in lost else [file]
    removed = [stored[losers.file.path] for losers in lost_stored]
    kept = [
        file for old, losers in zip(removed, lost_stored, strict=True) for file in _without(table, old, losers.rows["row"], sink)
    ]
    return Change(added, removed, kept)


def _without(table: Table, file: WrittenFile | LiveFile, rows: pa.ChunkedArray, sink: Sink) -> list[WrittenFile]:
    system, root = sink.storage.filesystem(sink.uri(table))
    total = pq.read_metadata(f"{root}/{file.path}", filesystem=system).num_rows
    kept = without_rows(table, sink.uri(table), file.path, file.partition, row_mask(total, rows), sink.storage)
    if isinstance(file, WrittenFile):
        system.delete_file(f"{root}/{file.path}")
    return kept


def _item_change(new: list[WrittenFile], verdict: Verdict, near: list[LiveFile], sink: Sink) -> Change:
    """Items follow their event: those of a copy that lost go with it."""
    lost_new = [losers for file in new if (losers := _items_of(file, verdict.new, sink))]
    lost_stored = [losers for file in near if (losers := _items_of(file, verdict.stored, sink))]
    return _change(ITEM, new, {file.path: file for file in near}, lost_new, lost_stored, sink)


def _items_of(file: WrittenFile | LiveFile, lost: list[Losers], sink: Sink) -> Losers | None:
    """The items in a file whose event is among the losing copies."""
    here = DataFile(sink.uri(ITEM), file.path, file.partition["app_id"], isinstance(file, WrittenFile))
    copies = [_copy_key(losers.rows["event_id"], losers.rows["place"]) for losers in lost if losers.file.app_id == here.app_id]
    if not copies:
        return None
    system, root = sink.storage.filesystem(here.root)
    items = pq.read_table(f"{root}/{file.path}", columns=["event_id", "process_info"], filesystem=system, partitioning=None)
    keys = _copy_key(items["event_id"], places(items["process_info"]))
    rows = pc.indices_nonzero(pc.is_in(keys, pa.concat_arrays([each.combine_chunks() for each in copies])))
    return Losers(here, pa.table({"row": rows.cast(pa.int64())})) if len(rows) else None


def _copy_key(event_id: pa.ChunkedArray, place: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(event_id, place, "\n")


def _metrics(batch: Batch, report: Report, timing: Timing, events: Change, items: Change, verdict: Verdict) -> dict[str, Any]:
    counts = report.counts
    replaced = sum(len(losers.rows) for losers in verdict.stored)
    return {
        "job_id": batch.job_id,
        "batch_id": batch.batch_id,
        "created_time": _moment(batch.created_ms),
        "files": counts.files,
        "bytes": timing.stored_bytes,
        "decoded_bytes": counts.decoded_bytes,
        "lines": counts.lines,
        "received": counts.received,
        # A new copy that takes a stored one's place adds no event: one of the two is a duplicate.
        "written": sum(file.rows for file in events.added) - replaced,
        "duplicate": counts.duplicate + sum(len(losers.rows) for losers in verdict.new) + replaced,
        "filtered": counts.filtered,
        "quarantined": sum(file.rows for file in report.of("quarantine")),
        "quarantined_by_reason": msgspec.json.encode(counts.quarantined, order="sorted").decode(),
        "items": sum(file.rows for file in items.added),
        "first_ingest_time": _moment(counts.first_ingest_ms),
        "last_ingest_time": _moment(counts.last_ingest_ms),
        "pass_seconds": timing.pass_seconds,
        "pass_cpu_seconds": counts.cpu_seconds,
        "commit_seconds": 0.0,
        "enrichers": msgspec.json.encode(report.enrichers, order="sorted").decode(),
    }


def _check_balance(metrics: dict[str, Any]) -> None:
    accounted = sum(metrics[name] for name in ("written", "duplicate", "filtered", "quarantined"))
    if metrics["received"] != accounted:
        raise BalanceError(
            f"batch {metrics['batch_id']}: received {metrics['received']} elements, but {accounted} are accounted for",
            "nothing was committed; please report this with the batch's raw files",
        )


def _metrics_change(metrics: dict[str, Any], batch: Batch, sink: Sink) -> Change:
    writer = PartitionWriter(RUN_METRICS, sink.uri(RUN_METRICS), batch.storage, f"batch-{batch.batch_id}")
    writer.add(pa.Table.from_pylist([metrics], schema=RUN_METRICS.schema))
    return Change(writer.close(), [], [])


def _moment(epoch_ms: int | None) -> datetime | None:
    return None if epoch_ms is None else datetime.fromtimestamp(epoch_ms / 1000, UTC)
