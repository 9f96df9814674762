"""Objects that S3 refuses to Spark itself, which looks at each file that it is given by name, and at those of a planned batch.

Spark has no word for "all but this one": a refusal fails the query, and the next run is given the same. So the files are asked
for one by one, the refused ones are known then, and Spark goes on without them.
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
"""Takes what lists the files of a micro-batch, the id of its stream, and its number."""


def skip_refused_batch(
    source_partition: SourcePartition, reached: int, backlog: Backlog, objects: AnyObjects, process: Process, storage: Storage
) -> int | None:
    """Bring a stream past the micro-batch whose objects S3 refuses to Spark.

    1. The last one that was planned: Spark looks at its files when it plans them, and again when it begins the next time, even
       where it has committed them.
    2. Where it was not committed, its files are processed here; the refused ones are set aside.
    3. The checkpoint is told that it is done, and that one without a file came after it, which Spark will look at in its place.

    ``reached`` is the last one that Spark handed out: what failed there was not Spark. Returns the number of the empty one; None
    where S3 gives all files.
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
        (f"offsets/{planned + 1}", offsets),  # first: killed after it, Spark does the empty one, and never comes back to this
        (f"commits/{planned}", COMMIT),
        (f"commits/{planned + 1}", COMMIT),
    ):
        storage.write_text(f"{source_partition.checkpoint}/{name}", content)
    return planned + 1


def find_refused_folders(backlog: Backlog, storage: Storage) -> frozenset[str]:
    """Folders that Spark was sent to and may not ask for: Hadoop looks first for an object of that name.

    Their files may be readable, or not, each as a place of its own.
    """
    folders = [place for place in sorted(backlog.spark_paths) if is_s3(place) and key_of(place) not in backlog.unread]
    return frozenset(uri for uri, why in find_refusals(storage, folders).items() if why.forbidden)


def find_refused_files(backlog: Backlog, storage: Storage) -> dict[str, str]:
    """Files that are places of their own and may not be read, with the reason."""
    single = [place for place in sorted(backlog.spark_paths) if is_s3(place) and key_of(place) in backlog.unread]
    return {uri: str(why) for uri, why in find_refusals(storage, single).items() if why.forbidden}


def check_not_all(refused: Sequence[SizedFile], backlog: Backlog, batch: Batch) -> None:
    """Refused places may be set aside, unless there are several and no other place: that is the role, not the files.

    ``batch`` stands for the one that Spark could not plan. After some runs in a row they may be all the same.

    Raises:
        SourceError: they are all.
    """
    with name_failed_batch(batch, refused):
        if len(refused) == len(backlog.spark_paths) > 1 and times_failed(batch) < FAILED_RUNS:
            raise no_file_readable(len(refused))
