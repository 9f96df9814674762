"""Which files a stream of Spark's file source has committed, read from its checkpoint.

Source of the format: FileStreamSourceLog, CompactibleFileStreamLog and OffsetSeqLog of Spark 4.1. ``sources/0/N`` and
``N.compact`` hold a JSON line for each file (a compact one for all files up to N), ``offsets/B`` what batch B reads up to,
``commits/B`` says that it is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from streaming_app.storage.objects import Objects
from streaming_app.storage.uris import from_spark_url


def last_number(objects: Objects, folder: str) -> int | None:
    """The largest number that is a file's name in a folder."""
    return max((int(each.name) for each in objects.list_directory(folder) if each.name.isdecimal()), default=None)


def has_unfinished_batch(objects: Objects, checkpoint: str) -> bool:
    """Whether a batch was planned and not committed."""
    planned, done = last_number(objects, f"{checkpoint}/offsets"), last_number(objects, f"{checkpoint}/commits")
    return planned is not None and (done is None or planned > done)


def committed_offsets(objects: Objects, checkpoint: str) -> list[dict[str, int | str | bool]]:
    """Where each source of the stream stands after its last committed batch; [] before the first."""
    batch = last_number(objects, f"{checkpoint}/commits")
    return [] if batch is None else _offsets(objects, checkpoint, batch)


def _offsets(objects: Objects, checkpoint: str, batch: int) -> list[dict[str, int | str | bool]]:
    version, _batch_metadata, *offsets = objects.lines(f"{checkpoint}/offsets/{batch}")
    if version != "v1":
        raise ValueError(f"{checkpoint}/offsets/{batch}: unknown version {version!r}")
    return [json.loads(each) for each in offsets]


def committed_files(objects: Objects, checkpoint: str) -> Iterator[str]:
    """URIs of the files that were read in committed batches, a line at a time, in no order."""
    if offsets := committed_offsets(objects, checkpoint):
        yield from _files_between(objects, checkpoint, -1, int(offsets[0]["logOffset"]))


def files_of_batch(objects: Objects, checkpoint: str, batch: int) -> list[str]:
    """URIs of the files of one of the last micro-batches, committed or only planned."""
    try:
        after = int(_offsets(objects, checkpoint, batch - 1)[0]["logOffset"])
    except FileNotFoundError:
        after = -1
    return list(_files_between(objects, checkpoint, after, int(_offsets(objects, checkpoint, batch)[0]["logOffset"])))


def stream_id(objects: Objects, checkpoint: str) -> str:
    """The id of the query whose checkpoint it is."""
    return str(json.loads("".join(objects.lines(f"{checkpoint}/metadata")))["id"])


def _files_between(objects: Objects, checkpoint: str, after: int, until: int) -> Iterator[str]:
    """Those of the source's own batches behind ``after``, up to ``until``."""
    for uri in _log_files(objects, f"{checkpoint}/sources/0"):
        for line in objects.lines(uri):
            if line.startswith("{"):
                entry = json.loads(line)
                if after < entry["batchId"] <= until:
                    yield from_spark_url(entry["path"])


def _log_files(objects: Objects, folder: str) -> Iterator[str]:
    """The newest compact file and the plain ones after it: what else is there is left over and holds nothing new."""
    names = [each.name for each in objects.list_directory(folder)]
    compact = max((int(name.removesuffix(".compact")) for name in names if name.endswith(".compact")), default=-1)
    if compact >= 0:
        yield f"{folder}/{compact}.compact"
    yield from (f"{folder}/{number}" for number in sorted(int(name) for name in names if name.isdecimal()) if number > compact)
