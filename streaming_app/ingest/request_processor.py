"""The pass over requests: each element becomes a row of ``event``, ``change`` or ``quarantine``, in new files of these tables."""

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
    """Takes requests one by one, then :meth:`close` once. ``counts`` are what it has seen so far; ``router`` tells what would
    become of a request."""

    def __init__(self, batch: Batch, task: str) -> None:
        self.router = ElementRouter(batch.config)
        self._events = EventRows(batch, task)
        self._changes = ChangeRows(batch, task)
        self._quarantine = QuarantineRows(batch, task)
        self.counts = IngestCounts()

    def take(self, request: Request) -> None:
        """Every element of a request finds its place; a request that cannot be sorted is rejected as a whole."""
        try:
            router = self.router.route(request)
        except Exception as error:  # nothing that is known raises here; one request must not take its file along
            kind = type(error).__name__
            rejected = Rejected(Reason.TRANSFORMER_ERROR, f"{kind}: {error}", error_class=kind)
            router = RoutedElements([], [], [(rejected, "request")])
        self.keep(request, router)

    def keep(self, request: Request, router: RoutedElements) -> None:
        """Put the elements there."""
        self.counts.observe_ingest_time(request.ingest_time)
        events, changes, rejected = router
        self.counts.received += len(events) + len(changes) + len(rejected)
        if rejected:
            self._quarantine.add_rejected(request, rejected)
        if events:
            self._events.add(request, events)
        if changes:
            self._changes.add(request, changes)

    def reject(self, request: Request, rejected: Rejected, stage: str, raw: str) -> None:
        """What is no request at all; ``request`` only says where it was."""
        self.counts.received += 1
        self._quarantine.add_line(request, rejected, stage, raw)

    def close(self) -> IngestReport:
        """Write what is left; returns the files and the counts."""
        files = self._events.close() + self._changes.close() + self._quarantine.close()
        self.counts.duplicate = self._events.duplicate + self._changes.duplicate
        self.counts.filtered = self._events.filtered
        self.counts.latency = self._events.latency
        self.counts.quarantined = self._quarantine.by_reason
        return IngestReport(files, self.counts, self._events.stats())
