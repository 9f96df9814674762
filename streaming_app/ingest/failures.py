"""What an ingest that fails says: which micro-batch, which files, how often in a row. A note beside the checkpoints counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec

from streaming_app.errors import ClickstreamError, LockError, SinkError, SourceError
from streaming_app.ingest.batch import Batch
from streaming_app.spark.streams import error_line
from streaming_app.spark.tasks import SizedFile

FAILED_RUNS = 2
"""So many runs end with an error where not one file of a micro-batch can be read: that is rather a right, or the machine, than
the files. After these they are set aside, lest two bad objects in a quiet hour stop everything."""

NOT_PLANNED = -1
"""In place of the number of a micro-batch that Spark could not plan: runs in a row may find other numbers free."""

_NAMED = 3
_LONGEST = 1_000


class FailedBatch(msgspec.Struct):
    """The micro-batch that failed last, and how many runs in a row it did."""

    stream: str
    batch: int
    times: int
    error: str
    files: list[str]


def _uri(batch: Batch) -> str:
    return batch.config.checkpoint_uri("failed_batch.json")


def times_failed(batch: Batch) -> int:
    """How many runs in a row have failed at this micro-batch; the note of another one counts for nothing."""
    try:
        note = msgspec.json.decode(batch.storage.read_text(_uri(batch)), type=FailedBatch)
    except (OSError, msgspec.MsgspecError):
        return 0
    return note.times if (note.stream, note.batch) == (batch.stream_id, batch.batch_id) else 0


def no_file_readable(files: int) -> SourceError:
    return SourceError(
        f"none of the {files:,} files may be read (AccessDenied)",
        "the job's role needs s3:GetObject on them, and kms:Decrypt on the key of their bucket",
    )


@contextmanager
def name_failed_batch(batch: Batch, files: Sequence[SizedFile]) -> Iterator[None]:
    """The pass and commit of a micro-batch: an error out of it names the batch and its files.

    Raises:
        ClickstreamError: what the block raised, with these words more; SinkError in place of other errors.
    """
    try:
        yield
    except LockError:
        raise
    except Exception as error:
        message = error_line(str(error))[:_LONGEST]
        times = times_failed(batch) + 1
        names = [file.uri for file in files[:_NAMED]]
        with suppress(OSError):  # what went wrong matters more than the note about it
            note = FailedBatch(batch.stream_id, batch.batch_id, times, message, names)
            batch.storage.write_text(_uri(batch), msgspec.json.encode(note).decode())
        more = f" and {len(files) - _NAMED:,} more" if len(files) > _NAMED else ""
        again = f", which has failed {times} runs in a row" if times > 1 else ""
        which = "a micro-batch" if batch.batch_id == NOT_PLANNED else f"micro-batch {batch.batch_id}"
        told = f"{message} ({which} of {batch.source_partition}{again}; its files: {', '.join(names)}{more})"
        if isinstance(error, ClickstreamError):
            error.args = (told,)
            raise
        raise SinkError(
            f"the stream failed: {told}", "the next run goes on where this one stopped; --debug shows more"
        ) from error
