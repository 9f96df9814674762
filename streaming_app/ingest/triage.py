"""What becomes of each element of a request: an accepted event, or a rejection with the stage that refused it."""

from __future__ import annotations

from typing import NamedTuple

from streaming_app.config.model import Config
from streaming_app.errors import Reason
from streaming_app.ingest.run_plugin import transform
from streaming_app.ingest.time_rules import TimeRules
from streaming_app.model.change import Change
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.registry import make_transformer
from streaming_app.transformers.base import Rejected, Transformer
from streaming_app.transformers.clickstream_sdk import ClickstreamSdk


class Triage(NamedTuple):
    """``rejected`` are pairs of a rejection and its stage: request, transform or rules."""

    events: list[Event]
    changes: list[Change]
    rejected: list[tuple[Rejected, str]]


class RequestTriage:
    """Transforms requests by their apps' transformers and applies the rules."""

    def __init__(self, config: Config) -> None:
        self._bounds = config.limits.max_payload_bytes, config.limits.max_plugin_seconds
        self._rules = TimeRules(config.rules)
        self._transformers = {app_id: make_transformer(app, config.limits) for app_id, app in config.apps.items()}
        # Requests without a known app: the events of this SDK name their app themselves.
        self._fallback = next((each for each in self._transformers.values() if isinstance(each, ClickstreamSdk)), None)

    def transformer_of(self, request: Request) -> Transformer | None:
        return self._transformers.get(request.app_id or "", self._fallback)

    def sort(self, request: Request) -> Triage:
        """Every element of the request, in payload order; clock-corrected where its clock was wrong."""
        transformer = self.transformer_of(request)
        if transformer is None:
            return Triage([], [], [(_unknown(request.app_id, None), "request")])
        events: list[Event] = []
        changes: list[Change] = []
        rejected: list[tuple[Rejected, str]] = []
        ingest, upload = request.ingest_time, request.upload_time
        earliest, latest = self._rules.ordinary_range(ingest, upload)
        for result in transform(transformer, request, *self._bounds):
            if isinstance(result, Rejected):
                rejected.append((result, "transform"))
            elif refused := self._refused(result, ingest, upload, earliest, latest):
                rejected.append((refused, "rules"))
            elif isinstance(result, Event):
                events.append(result)
            else:
                changes.append(result)
        return Triage(events, changes, rejected)

    def _refused(
        self, result: Event | Change, ingest: int | None, upload: int | None, earliest: int, latest: int
    ) -> Rejected | None:
        """Why the rules refuse it, or None; its times are corrected in place where its clock was wrong."""
        if result.app_id not in self._transformers:
            return _unknown(result.app_id, result.position)
        if result.upload_time_msec is not None and result.upload_time_msec != upload:
            upload = result.upload_time_msec  # what the element itself tells of its upload wins over the request
            earliest, latest = self._rules.ordinary_range(ingest, upload)
        if earliest <= (result.event_time_msec or -1) <= latest:
            return None
        verdict = self._rules.judge(result, ingest, upload)
        return Rejected(verdict.reason, verdict.message, result.position) if verdict else None


def _unknown(app_id: str | None, position: int | None) -> Rejected:
    return Rejected(Reason.UNKNOWN_APP, f"app {app_id!r} is not configured", position)
