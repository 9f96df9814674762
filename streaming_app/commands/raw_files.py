"""The raw files that the events of some days come from, and which of them do not exist any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.backlog.source_partitions import SourcePartition
from streaming_app.backlog.unprocessed import matching_files
from streaming_app.backlog.unreadable_names import unreadable_name
from streaming_app.commands.days import Days, find_raw_folders, received_days
from streaming_app.config.model import Config
from streaming_app.errors import Reason
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rows import read_batches
from streaming_app.model.lineage import read_source_files
from streaming_app.model.tables import CHANGE, EVENT, QUARANTINE
from streaming_app.storage.objects import ObjectInfo, Objects
from streaming_app.storage.uris import absolute


@dataclass(frozen=True)
class RawFiles:
    """Raw files of some days' events.

    ``source_partition`` holds all files that may have such events, which the server received on the days
    ``received``. ``missing_files``
    are named by stored rows and do not exist any more; with the number of these rows.
    """

    source_partition: SourcePartition
    missing_files: dict[str, int]
    received: Days


def find_raw_files(config: Config, lake: Lake, days: Days, objects: Objects, checkpoint: str) -> RawFiles:
    """Find the raw files of the events of some days: in the folders of the days on which they, or duplicates that dedupe
    compares with them, can have been received, and by the names in the lineage of stored rows."""
    received = received_days(config, days)
    folders, strays = find_raw_folders(config, received, objects)
    source_partition = SourcePartition(f"reprocess {days}", (*folders, *strays), absolute(checkpoint), fully_read=False)
    listed = {found.uri for found, _ in matching_files(source_partition, config.source.glob, objects)}
    named = count_stored_sources(lake, days)
    # A file whose name Spark cannot read was stored by a replay: it cannot be reprocessed here, so its rows stay.
    there = [each for each in _find_existing(sorted(named.keys() - listed), lake) if unreadable_name(each, []) is None]
    whole = replace(source_partition, roots=(*source_partition.roots, *there))
    found = listed | {each.uri for each in there}
    return RawFiles(whole, {name: rows for name, rows in named.items() if name not in found}, received)


def find_unread_files(shadow: Lake) -> frozenset[str]:
    """Find the raw files that could not be read into a shadow of the tables, such as archived ones: their stored rows stay."""
    return frozenset(
        row["source_file"]
        for file in live_files(shadow.open(QUARANTINE))
        for rows in read_batches(shadow, QUARANTINE, file, ["reason", "source_file"])
        for row in rows.to_pylist()
        if row["reason"] == Reason.UNREADABLE_FILE
    )


def count_stored_sources(lake: Lake, days: Days) -> Counter[str]:
    """Count the stored events and changes of some days by the raw file that they come from."""
    found: Counter[str] = Counter()
    for table in (EVENT, CHANGE):
        for file in live_files(lake.open(table)):
            if file.day in days:
                for rows in read_batches(lake, table, file, [], lineage=True):
                    for each in pc.value_counts(read_source_files(rows)).to_pylist():
                        found[each["values"]] += each["counts"]
    del found[""]
    return found


def _find_existing(uris: Iterable[str], lake: Lake) -> list[ObjectInfo]:
    found = []
    for uri in uris:
        system, path = lake.storage.filesystem(uri)
        try:
            info = system.get_file_info(path)
        except pa.ArrowInvalid:  # a name that Arrow refuses, such as one with an empty part
            continue
        if info.is_file:
            found.append(ObjectInfo(uri, info.size))
    return found
