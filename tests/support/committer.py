"""Three commits to ``run_metrics``, each in place of the one before, in a process of its own (deltalake holds up the threads of
this one while it waits): ``python -m tests.support.committer LAKE ENDPOINT REGION``."""

from __future__ import annotations

import sys

import pyarrow as pa

from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.model.tables import RUN_METRICS
from streaming_app.storage.files import Storage

COMMITS = 3


def main(lake: str, endpoint: str, region: str) -> None:
    lake = Lake(lake, Storage(endpoint, region))
    lake.create(RUN_METRICS)
    for number in range(COMMITS):
        writer = PartitionWriter(RUN_METRICS, lake.uri(RUN_METRICS), lake.storage, "x")
        writer.add(pa.Table.from_pylist([{"batch_id": number}], schema=RUN_METRICS.schema))
        change = TableChange(writer.close(), live_files(lake.open(RUN_METRICS)), [])
        assert commit(lake, RUN_METRICS, change, TransactionId("stream", number))
        assert not commit(lake, RUN_METRICS, change, TransactionId("stream", number))


if __name__ == "__main__":
    main(*sys.argv[1:])
