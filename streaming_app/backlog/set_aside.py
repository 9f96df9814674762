"""The files of a source partition that were set aside before Spark read them: a record beside its checkpoint, a URI a line.

Spark's checkpoint does not know them, so that each run would set them aside again, and the submitter would start a run for them
each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from streaming_app.backlog.source_partitions import SourcePartition
from streaming_app.storage.objects import Objects

MAX_RECORDED = 100_000
"""The newest so many are kept; those before them would be set aside once more, which quarantine counts as duplicates."""


def record_uri(source_partition: SourcePartition) -> str:
    """The file with the record."""
    return f"{source_partition.checkpoint}/set_aside"


def set_aside_files(objects: Objects, source_partition: SourcePartition) -> Iterator[str]:
    """URIs of the files."""
    try:
        yield from (json.loads(line) for line in objects.lines(record_uri(source_partition)) if line)
    except FileNotFoundError:
        return


def format_record(before: Iterable[str], more: Iterable[str]) -> str:
    """The content of the record with more files."""
    uris = [*before, *more][-MAX_RECORDED:]
    return "".join(f"{json.dumps(uri)}\n" for uri in uris)
