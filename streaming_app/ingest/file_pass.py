"""The fused pass over raw files, in a worker: lines → requests → events → Arrow → enrichers → Parquet.

No byte of data enters the JVM. Bad input never raises out of here: it becomes a row of ``quarantine``.
"""

from __future__ import annotations

import gc
import heapq
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from streaming_app.errors import InputError, Reason
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.event_rows import EventRows
from streaming_app.ingest.quarantine_rows import QuarantineRows
from streaming_app.ingest.read_lines import BadPart, LineReader
from streaming_app.ingest.report import Counts, Report
from streaming_app.ingest.run_plugin import transform
from streaming_app.ingest.time_rules import TimeRules
from streaming_app.model.event import Event
from streaming_app.model.request import Request, parse_request
from streaming_app.registry import make_transformer
from streaming_app.transformers.base import Rejected, Transformer
from streaming_app.transformers.clickstream_sdk import ClickstreamSdk

_OPEN_FILES = 32
"""Files read side by side; each holds a few MB of decompressed text."""


class _Record(NamedTuple):
    """A request in a file, or what stands in its place; ``received`` orders the records of several files, epoch ms."""

    received: int
    request: Request
    rejected: Rejected | None = None
    stage: str = ""
    raw: bytes = b""


class FilePass:
    """Processes the files of one task; make one per task, call :meth:`run` once."""

    def __init__(self, batch: Batch, task: str) -> None:
        config = batch.config
        self._batch, self._limits = batch, config.limits
        self._rules = TimeRules(config.rules)
        self._transformers = {app_id: make_transformer(app, config.limits) for app_id, app in config.apps.items()}
        # Requests without a known app: the events of this SDK name their app themselves.
        self._fallback = next((each for each in self._transformers.values() if isinstance(each, ClickstreamSdk)), None)
        self._events = EventRows(batch, task)
        self._quarantine = QuarantineRows(batch, task)
        self._counts = Counts()

    def run(self, uris: Iterable[str]) -> Report:
        """Process whole files; returns what was written and counted."""
        gc.disable()  # rows make no cycles: the collector would only walk millions of live objects
        began = time.process_time()
        try:
            for _, members in groupby(sorted(uris), key=lambda uri: uri.rpartition("/")[0]):
                self._folder(list(members))
            files = self._events.close() + self._quarantine.close()
        finally:
            gc.enable()
        self._counts.duplicate, self._counts.filtered = self._events.duplicate, self._events.filtered
        self._counts.quarantined = self._quarantine.by_reason
        self._counts.cpu_seconds = time.process_time() - began
        return Report(files, self._counts, self._events.uses())

    def _folder(self, uris: list[str]) -> None:
        """The files of one folder side by side, in the order in which the server received their requests.

        The first copy of an event that is met is then the one that stays: the later ones are never written at all.
        """
        for start in range(0, len(uris), _OPEN_FILES):
            streams = (self._records(uri) for uri in uris[start : start + _OPEN_FILES])
            for record in heapq.merge(*streams, key=lambda record: record.received):
                if record.rejected is None:
                    self._request(record.request)
                else:
                    self._counts.received += 1
                    raw = record.raw.decode("utf-8", "backslashreplace")
                    self._quarantine.add(record.request, record.rejected, record.stage, raw)

    def _records(self, uri: str) -> Iterator[_Record]:
        """What one file holds, line by line; what is no request takes the time of the one before it."""
        reader = LineReader(self._batch.storage, uri, self._limits.max_line_bytes)
        received = 0
        for number, line in reader:
            place = Request(source_file=uri, source_line=number)
            if isinstance(line, BadPart):
                yield _Record(received, place, Rejected(line.reason, line.message), "file", line.raw)
                continue
            self._counts.lines += 1
            try:
                request = parse_request(line)
            except InputError as error:
                rejected = Rejected(error.reason, str(error), error_class=type(error).__name__)
                yield _Record(received, place, rejected, "request", line)
                continue
            request.source_file, request.source_line = uri, number
            received = request.ingest_time or received
            yield _Record(received, request)
        self._counts.files += 1
        self._counts.decoded_bytes += reader.bytes_read

    def _request(self, request: Request) -> None:
        self._counts.saw(request.ingest_time)
        transformer = self._transformers.get(request.app_id or "", self._fallback)
        if transformer is None:
            self._counts.received += 1
            message = f"app {request.app_id!r} is not configured"
            self._quarantine.add(request, Rejected(Reason.UNKNOWN_APP, message), "request")
            return
        if accepted := self._accepted(request, transformer):
            self._events.add(request, accepted)

    def _accepted(self, request: Request, transformer: Transformer) -> list[Event]:
        """The request's events that pass the rules; everything else goes to quarantine."""
        accepted = []
        ingest, upload = request.ingest_time, request.upload_time
        earliest, latest = self._rules.ordinary_range(ingest, upload)
        results = transform(transformer, request, self._limits.max_payload_bytes)
        self._counts.received += len(results)
        for result in results:
            if isinstance(result, Rejected):
                self._quarantine.add(request, result, "transform")
            elif result.app_id not in self._transformers:
                message = f"app {result.app_id!r} is not configured"
                self._quarantine.add(request, Rejected(Reason.UNKNOWN_APP, message, result.position), "rules")
            elif earliest <= (result.event_time_msec or -1) <= latest:
                accepted.append(result)
            elif refused := self._rules.judge(result, ingest, upload):
                self._quarantine.add(request, Rejected(refused.reason, refused.message, result.position), "rules")
            else:
                accepted.append(result)
        return accepted
