"""Takes objects that S3 refuses out of the way of Spark, which requests every file of a planned batch, and every single file
that it is given as a source.

Spark cannot skip one of them: a refusal fails the query, and the next run gets the same batch. So the files are requested one by
one here, which tells the refused ones from the others, and Spark continues without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from streaming_app.backlog.file_log import files_of_batch, last_number, stream_id
from streaming_app.backlog.source_partitions import SourcePartition
from streaming_app.backlog.unprocessed import Backlog, key_of
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.failures import FAILED_RUNS, name_failed_batch, no_file_readable, times_failed
from streaming_app.ingest.read.open_raw import find_refusals
from streaming_app.spark.tasks import SizedFile
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.files import Storage
from streaming_app.storage.uris import is_s3

COMMIT = 'v1\n{"nextBatchWatermarkMs":0}'
"""What Spark 4.1 writes into ``commits/B`` of its checkpoint."""

Process = Callable[[Callable[[], Iterable[SizedFile]], str, int], None]
"""Processes a micro-batch, given a function that lists its files, the id of its stream, and its number."""


def skip_refused_batch(
    source_partition: SourcePartition, reached: int, backlog: Backlog, objects: AnyObjects, process: Process, storage: Storage
) -> int | None:
    """Bring a stream past the micro-batch with objects that S3 refuses to Spark.

    1. Find the last planned batch: Spark requests its files when it plans it, and again at its next start, even if the batch is
       committed.
    2. If it is not committed, process its files here; the refused ones are set aside.
    3. Mark it as committed in the checkpoint, and add an empty batch after it, which Spark starts from instead.

    ``reached`` is the last batch that Spark handed out: a failure in it was not Spark's. Returns the number of the empty batch;
    None if S3 refuses none of the files.
    """
    planned, done = (last_number(objects, f"{source_partition.checkpoint}/{log}") for log in ("offsets", "commits"))
    if planned is None or planned == reached:
        return None
    files = files_of_batch(objects, source_partition.checkpoint, planned)
    if not find_refusals(storage, [uri for uri in files if is_s3(uri)]):
        return None
    if done is None or planned > done:
        sized = [SizedFile(uri, backlog.unread.get(key_of(uri), 1)) for uri in files]
        process(lambda: [file for file in sized if file.size], stream_id(objects, source_partition.checkpoint), planned)
    offsets = "\n".join(objects.lines(f"{source_partition.checkpoint}/offsets/{planned}"))
    for name, content in (
        (f"offsets/{planned + 1}", offsets),  # first: if killed after it, Spark runs the empty batch only
        (f"commits/{planned}", COMMIT),
        (f"commits/{planned + 1}", COMMIT),
    ):
        storage.write_text(f"{source_partition.checkpoint}/{name}", content)
    return planned + 1


def find_refused_folders(backlog: Backlog, storage: Storage) -> frozenset[str]:
    """Source folders whose name S3 refuses to Spark: Hadoop first requests an object of that name.

    Their files may be readable all the same, each as a source path of its own.
    """
    folders = [place for place in sorted(backlog.spark_paths) if is_s3(place) and key_of(place) not in backlog.unread]
    return frozenset(uri for uri, why in find_refusals(storage, folders).items() if why.forbidden)


def find_refused_files(backlog: Backlog, storage: Storage) -> dict[str, str]:
    """Files that are source paths of their own and that S3 refuses, with the reason."""
    single = [place for place in sorted(backlog.spark_paths) if is_s3(place) and key_of(place) in backlog.unread]
    return {uri: str(why) for uri, why in find_refusals(storage, single).items() if why.forbidden}


def check_not_all(refused: Sequence[SizedFile], backlog: Backlog, batch: Batch) -> None:
    """Check that not all of several source paths are refused: then the role lacks a permission, and the files are not the cause.

    ``batch`` stands for the one that Spark could not plan. After some runs in a row they may be set aside even so.

    Raises:
        SourceError: all are refused.
    """
    with name_failed_batch(batch, refused):
        if len(refused) == len(backlog.spark_paths) > 1 and times_failed(batch) < FAILED_RUNS:
            raise no_file_readable(len(refused))
