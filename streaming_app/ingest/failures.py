"""Error messages of a failed ingest: micro-batch, files, and the number of runs in a row that failed, which is stored beside the
checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec

from streaming_app.errors import ClickstreamError, LockError, SinkError, SourceError
from streaming_app.ingest.batch import Batch
from streaming_app.spark.streams import error_line
from streaming_app.spark.tasks import SizedFile

FAILED_RUNS = 2
"""Number of runs in a row that fail if no file of a micro-batch can be read: the cause is more likely a missing permission or the
machine than the files. After these runs the files are set aside, so that two bad objects in a quiet hour do not stop the
stream for good."""

NOT_PLANNED = -1
"""Batch id of a micro-batch that Spark could not plan, whose number may differ from run to run."""

_NAMED = 3
_LONGEST = 1_000


class FailedBatch(msgspec.Struct):
    """The micro-batch that failed last, and the number of runs in a row that it failed in."""

    stream: str
    batch: int
    times: int
    error: str
    files: list[str]


def _uri(batch: Batch) -> str:
    return batch.config.checkpoint_uri("failed_batch.json")


def times_failed(batch: Batch) -> int:
    """Number of runs in a row that have failed at this micro-batch; 0 if another one failed last."""
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
    """Context of a micro-batch's processing and commit: adds the batch and its files to the message of any error.

    Raises:
        ClickstreamError: as the block raised it, with the longer message; SinkError in place of other errors.
    """
    try:
        yield
    except LockError:
        raise
    except Exception as error:
        message = error_line(str(error))[:_LONGEST]
        times = times_failed(batch) + 1
        names = [file.uri for file in files[:_NAMED]]
        with suppress(OSError):  # the error itself matters more than a failure to count it
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
