"""What a reprocessing could not use joins ``quarantine``, once."""

from __future__ import annotations

import pyarrow.compute as pc

from streaming_app.ingest.quarantine_copies import keys, known_keys
from streaming_app.model.tables import QUARANTINE
from streaming_app.operations.operation import Operation
from streaming_app.operations.raw_files import stored_sources
from streaming_app.tables.commit import Rewrite, commit_once
from streaming_app.tables.delta import Sink, live_files
from streaming_app.tables.parquet import PartitionWriter
from streaming_app.tables.rows import read_batches


def add_quarantined(this: Operation, shadow: Sink) -> frozenset[str]:
    """Add the shadow's rows that are not there yet; returns the raw files that the shadow was made of."""
    sources = stored_sources(shadow)
    stored = live_files(this.sink.open(QUARANTINE))
    writer = PartitionWriter(QUARANTINE, this.sink.uri(QUARANTINE), this.sink.storage, "reprocess")
    for file in live_files(shadow.open(QUARANTINE)):
        for rows in read_batches(shadow, QUARANTINE, file, QUARANTINE.schema.names):
            known = known_keys(this.sink, stored, pc.unique(rows["source_file"]))
            new = rows.filter(pc.invert(pc.is_in(keys(rows), known)))
            if len(new):
                writer.add(new)
            sources |= set(pc.unique(rows["source_file"]).to_pylist())
    if written := writer.close():
        commit_once(this.sink, QUARANTINE, Rewrite(written, [], []), "reprocess")
    this.count("quarantined", sum(file.rows for file in written))
    return frozenset(sources)
