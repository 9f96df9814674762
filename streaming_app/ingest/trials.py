"""Remembers across runs which files of a micro-batch are tried: a file may end the whole run, not only the task that reads it.

Executors that die again and again make cluster managers end the application, and with it the search for the file. The next run
gets the same micro-batch and goes on with the search where this one ended, so that the suspects become fewer from run to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from types import TracebackType

import msgspec

from streaming_app.errors import ClickstreamError
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.isolate import Suspects
from streaming_app.spark.tasks import SizedFile


class _Trial(msgspec.Struct, frozen=True):
    """The files that are tried, by URI, and how many runs in a row have tried exactly these; none between trials. ``given_up``
    are files that ended enough runs."""

    stream: str
    batch: int
    files: list[str]
    times: int
    given_up: list[str] = []


class Trials(AbstractContextManager["Trials"]):
    """The trials of a micro-batch. Where they end in a result or an error, nothing is remembered: leave by the context manager.

    A note is written, beside the checkpoints, from the second trial on, and read by runs that retry a micro-batch: those without
    a failure do neither.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._last = self._read() if batch.is_retry else None
        self._interrupted = self._last
        self._given_up: list[str] = []

    def suspects(self, files: Sequence[SizedFile]) -> Suspects[SizedFile] | None:
        """The files of the trial in which the run before ended; None if it ended otherwise."""
        if self._interrupted is None:
            return None
        by_name = {file.uri: file for file in files}
        found, given_up = (
            [by_name[name] for name in names if name in by_name]
            for names in (self._interrupted.files, self._interrupted.given_up)
        )
        suspects = Suspects(found, self._interrupted.times, given_up)
        self._given_up = [file.uri for file in suspects.all_given_up()]
        return suspects

    def begin(self, files: Sequence[SizedFile]) -> None:
        """Remember that these files are tried."""
        names = sorted(file.uri for file in files)
        before = self._interrupted
        times = 1 + (before.times if before is not None and before.files == names else 0)
        self._write(_Trial(self._batch.stream_id, self._batch.batch_id, names, times, self._given_up))

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None) -> None:
        """Forget the trial: it has succeeded, or failed with an error that says what the cause is."""
        is_known = kind is None or issubclass(kind, ClickstreamError)
        if is_known and self._last is not None and self._last.files:
            with suppress(OSError):  # the error itself matters more
                self._write(_Trial(self._batch.stream_id, self._batch.batch_id, [], 0, self._given_up))

    def _uri(self) -> str:
        return self._batch.config.checkpoint_uri("trial.json")

    def _write(self, trial: _Trial) -> None:
        self._batch.storage.write_text(self._uri(), msgspec.json.encode(trial).decode())
        self._last = trial

    def _read(self) -> _Trial | None:
        try:
            trial = msgspec.json.decode(self._batch.storage.read_text(self._uri()), type=_Trial)
        except (OSError, msgspec.MsgspecError):
            return None
        is_same = (trial.stream, trial.batch) == (self._batch.stream_id, self._batch.batch_id)
        return trial if is_same and (trial.files or trial.given_up) else None
