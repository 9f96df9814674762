"""Processes requests one by one: transform and route their elements, write each to the buffers of its table."""

from __future__ import annotations

from streaming_app.errors import Reason
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.task_report import IngestCounts, IngestReport
from streaming_app.ingest.transform.route import ElementRouter, RoutedElements
from streaming_app.ingest.write.change_rows import ChangeRows
from streaming_app.ingest.write.event_rows import EventRows
from streaming_app.ingest.write.quarantine_rows import QuarantineRows
from streaming_app.model.request import Request
from streaming_app.plugins.transformer import Rejected


class RequestProcessor:
    """Processes the requests of one task; call :meth:`close` once at its end.

    ``counts`` are those so far; ``router`` routes the elements of a request without writing them.
    """

    def __init__(self, batch: Batch, task: str) -> None:
        self.router = ElementRouter(batch.config)
        self._events = EventRows(batch, task)
        self._changes = ChangeRows(batch, task)
        self._quarantine = QuarantineRows(batch, task)
        self.counts = IngestCounts()

    def process(self, request: Request) -> None:
        """Route the elements of a request and write them; if that fails, the request is rejected as a whole."""
        try:
            routed = self.router.route(request)
        except Exception as error:  # no error is expected here; one request must not fail its whole file
            kind = type(error).__name__
            rejected = Rejected(Reason.TRANSFORMER_ERROR, f"{kind}: {error}", error_class=kind)
            routed = RoutedElements([], [], [(rejected, "request")])
        self.write(request, routed)

    def write(self, request: Request, routed: RoutedElements) -> None:
        """Write elements of a request that have been routed."""
        self.counts.observe_ingest_time(request.ingest_time)
        events, changes, rejected = routed
        self.counts.received += len(events) + len(changes) + len(rejected)
        if rejected:
            self._quarantine.add_rejected(request, rejected)
        if events:
            self._events.add(request, events)
        if changes:
            self._changes.add(request, changes)

    def reject(self, request: Request, rejected: Rejected, stage: str, raw: str) -> None:
        """Write a line that is not a readable request to ``quarantine``; ``request`` has its file and line only."""
        self.counts.received += 1
        self._quarantine.add_line(request, rejected, stage, raw)

    def close(self) -> IngestReport:
        """Write the buffered rows; returns the files and the counts."""
        files = self._events.close() + self._changes.close() + self._quarantine.close()
        self.counts.duplicate = self._events.duplicate + self._changes.duplicate
        self.counts.filtered = self._events.filtered
        self.counts.latency = self._events.latency
        self.counts.quarantined = self._quarantine.by_reason
        return IngestReport(files, self.counts, self._events.close_enrichers())
