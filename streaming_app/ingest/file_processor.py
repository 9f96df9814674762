"""Processes raw files inside a Spark task: lines → requests → elements → Arrow → enrichers → Parquet files.

No byte of data enters the JVM. Bad input never raises out of here: it becomes a row of ``quarantine``.
"""

from __future__ import annotations

import gc
import heapq
import time
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple

from streaming_app.errors import InputError
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.read.lines import BadPart, LineReader
from streaming_app.ingest.request_processor import RequestProcessor
from streaming_app.ingest.task_report import IngestReport
from streaming_app.model.request import Request, parse_request
from streaming_app.plugins.transformer import Rejected

_OPEN_FILES = 32
"""Files of a directory that are read concurrently; each holds a few MB of decompressed text in memory."""

_SORTED_TOGETHER = 1_000
"""Records of one file and second that are sorted at a time; more would only cost memory."""


class _Record(NamedTuple):
    """One request of a file, or what was rejected in its place; ``received`` is epoch ms."""

    received: int
    rid: str
    request: Request
    rejected: Rejected | None = None
    stage: str = ""
    raw: bytes = b""


_received = itemgetter(0)
_order = itemgetter(0, 1)
"""Receive time, then request id: the precedence of duplicates, so that the first one read is the one to keep."""


class FileProcessor:
    """Processes the files of one task; make one per task, call :meth:`run` once."""

    def __init__(self, batch: Batch, task: str) -> None:
        self._batch, self._limits = batch, batch.config.limits
        self._requests = RequestProcessor(batch, task)
        self._counts = self._requests.counts

    def run(self, uris: Iterable[str]) -> IngestReport:
        """Process whole files; returns what was written and counted."""
        gc.disable()  # rows have no reference cycles: the garbage collector would only walk millions of live objects
        began = time.process_time()
        try:
            for _, members in groupby(sorted(uris), key=lambda uri: uri.rpartition("/")[0]):
                self._process_directory(list(members))
            report = self._requests.close()
        finally:
            gc.enable()
        self._counts.cpu_seconds = time.process_time() - began
        return report

    def _process_directory(self, uris: list[str]) -> None:
        """Process the files of one directory concurrently, in the order in which the server received their requests.

        Of duplicates, the first one read is then the one to keep, and the others are never written.
        """
        for start in range(0, len(uris), _OPEN_FILES):
            streams = (_sort_within_second(self._read(uri)) for uri in uris[start : start + _OPEN_FILES])
            for record in heapq.merge(*streams, key=_order):
                try:
                    self._process(record)
                except Exception as error:
                    error.add_note(f"at {record.request.source_file}, line {record.request.source_line}")
                    raise

    def _process(self, record: _Record) -> None:
        if record.rejected is None:
            self._requests.process(record.request)
        else:
            raw = record.raw.decode("utf-8", "backslashreplace")
            self._requests.reject(record.request, record.rejected, record.stage, raw)

    def _read(self, uri: str) -> Iterator[_Record]:
        """The records of one file line by line; one without a receive time gets that of the record before it."""
        reader = LineReader(self._batch.storage, uri, self._limits.max_line_bytes)
        received = 0
        for number, line in reader:
            source = Request(source_file=uri, source_line=number)
            if isinstance(line, BadPart):
                self._counts.forbidden += line.forbidden
                yield _Record(received, "", source, Rejected(line.reason, line.message), "file", line.raw)
                continue
            self._counts.lines += 1
            try:
                request = parse_request(line)
            except InputError as error:
                rejected = Rejected(error.reason, str(error), error_class=type(error).__name__)
                yield _Record(received, "", source, rejected, "request", line)
                continue
            request.source_file, request.source_line = uri, number
            received = request.ingest_time or received
            yield _Record(received, request.rid or "", request)
        self._counts.files += 1
        self._counts.decoded_bytes += reader.bytes_read


def _sort_within_second(records: Iterable[_Record]) -> Iterator[_Record]:
    """Records in the order of the file; those received in the same second (the resolution of most servers) by request id."""
    for _, together in groupby(records, key=_received):
        while some := list(islice(together, _SORTED_TOGETHER)):
            yield from sorted(some, key=_order)
