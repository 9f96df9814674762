"""The fused pass over raw files, in a worker: lines → requests → events → Arrow → enrichers → Parquet.

No byte of data enters the JVM. Bad input never raises out of here: it becomes a row of ``quarantine``.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable

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
            for uri in uris:
                self._file(uri)
            files = self._events.close() + self._quarantine.close()
        finally:
            gc.enable()
        self._counts.duplicate = self._events.duplicate
        self._counts.quarantined = self._quarantine.by_reason
        self._counts.cpu_seconds = time.process_time() - began
        return Report(files, self._counts)

    def _file(self, uri: str) -> None:
        reader = LineReader(self._batch.storage, uri, self._limits.max_line_bytes)
        for number, line in reader:
            if isinstance(line, BadPart):
                self._reject_line(uri, number, line.raw, Rejected(line.reason, line.message), "file")
                continue
            self._counts.lines += 1
            try:
                request = parse_request(line)
            except InputError as error:
                rejected = Rejected(error.reason, str(error), error_class=type(error).__name__)
                self._reject_line(uri, number, line, rejected, "request")
                continue
            request.source_file, request.source_line = uri, number
            self._request(request)
        self._counts.files += 1
        self._counts.decoded_bytes += reader.bytes_read

    def _reject_line(self, uri: str, number: int, raw: bytes, rejected: Rejected, stage: str) -> None:
        self._counts.received += 1
        place = Request(source_file=uri, source_line=number)
        self._quarantine.add(place, rejected, stage, raw.decode("utf-8", "backslashreplace"))

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
