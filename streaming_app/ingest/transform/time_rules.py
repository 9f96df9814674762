"""Time rules for events: clock correction, the freshness limit and the limit on future events, all relative to the server's
receive time.

The machine's clock is never read, so that the same request gives the same result today and in a replay next year.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streaming_app.config.model import RulesSection
from streaming_app.errors import Reason
from streaming_app.model.change import Change
from streaming_app.model.coerce import INT64
from streaming_app.model.event import Event
from streaming_app.model.times import DAY_MS, LATEST_MS, is_time

INGEST_RESOLUTION_MS = 1_000
"""The server truncates its receive time to whole seconds, so an event may appear to be up to this much later (ms)."""

SHIFTED = (
    "event_time_msec",
    "session_start_time_msec",
    "page_view_previous_time_msec",
    "screen_view_previous_time_msec",
    "user_first_touch_time_msec",
)
"""Fields that hold times of the client's clock, which are corrected; durations and set times of user properties are not."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event is refused."""

    reason: Reason
    message: str


class TimeRules:
    """The time rules of one pipeline.

    The correction is that of the reference system: ingest time minus upload time is added if it exceeds a threshold, or if the
    event would be in the future.
    """

    def __init__(self, rules: RulesSection) -> None:
        self._freshness_ms = int(rules.freshness_hours * 3_600_000)
        self._threshold_ms = int(rules.clock_threshold_minutes * 60_000)
        self._correct = rules.clock_correction
        self._always_fresh = frozenset(rules.always_fresh)
        self._always_fresh_ms = rules.always_fresh_days * DAY_MS

    def ordinary_range(self, ingest_ms: int | None, upload_ms: int | None) -> tuple[int, int]:
        """First and last event time (epoch ms) in this request that no rule changes or refuses; empty if there is none."""
        if ingest_ms is None:
            return 0, LATEST_MS
        skew = abs(ingest_ms - upload_ms) if upload_ms is not None else 0
        if self._correct and skew > self._threshold_ms:
            return 1, 0
        return max(0, ingest_ms - self._freshness_ms), ingest_ms + INGEST_RESOLUTION_MS - 1

    def apply(self, event: Event | Change, ingest_ms: int | None, upload_ms: int | None) -> Refusal | None:
        """Correct the event's times in place if its clock was wrong; returns the reason for which it is refused, or None."""
        sent = event.event_time_msec or 0
        if ingest_ms is not None and self._correct and sent in INT64:
            self._correct_clock(event, ingest_ms, upload_ms)
        time = event.event_time_msec
        if time is None or not is_time(time):
            return Refusal(Reason.MALFORMED_EVENT, f"event time {time} is no time between 1970 and 2199")
        if ingest_ms is None:
            return None
        if self._is_always_fresh(event):
            return self._judge_age(time, ingest_ms, self._always_fresh_ms)
        if _ahead(time, ingest_ms) and sent - ingest_ms > self._threshold_ms:
            return Refusal(Reason.IN_FUTURE, f"event time {time} is {time - ingest_ms} ms after ingest time {ingest_ms}")
        return self._judge_age(time, ingest_ms, self._freshness_ms)

    @staticmethod
    def _judge_age(time: int, ingest_ms: int, limit_ms: int) -> Refusal | None:
        if time >= ingest_ms - limit_ms:
            return None
        return Refusal(Reason.TOO_LATE, f"event time {time} is {ingest_ms - time} ms before ingest time {ingest_ms}")

    def _is_always_fresh(self, event: Event | Change) -> bool:
        """Whether the freshness limit does not apply: to changes, and to events that carry attributes."""
        return isinstance(event, Change) or event.event_name in self._always_fresh

    def _correct_clock(self, event: Event | Change, ingest_ms: int, upload_ms: int | None) -> None:
        sent = event.event_time_msec or 0
        ahead = _ahead(sent, ingest_ms)
        shift, reasons = 0, []
        if upload_ms is not None:
            skew = ingest_ms - upload_ms
            if abs(skew) > self._threshold_ms or (ahead and abs(skew) >= INGEST_RESOLUTION_MS):
                shift = skew
                reasons.append(f"ingestTimestamp is {skew} millis ahead of uploadTimestamp, isFutureEvent: {str(ahead).lower()}")
        beyond = sent + shift - ingest_ms
        # An event that was within the tolerance before the correction is not treated as a future event because of it.
        made_so = shift != 0 and sent - ingest_ms <= self._threshold_ms
        small = beyond <= self._threshold_ms or self._is_always_fresh(event)
        if beyond >= INGEST_RESOLUTION_MS and small and not made_so:
            shift = ingest_ms - sent
            reasons.append("eventTimestamp is in the future, set to ingestTimestamp")
        if reasons:
            _shift(event, sent, shift, "|".join(reasons))


def _ahead(time_ms: int, ingest_ms: int) -> bool:
    """Whether an event is later than its receipt, beyond the server's resolution."""
    return time_ms >= ingest_ms + INGEST_RESOLUTION_MS


def _shift(event: Event | Change, sent: int, shift: int, reason: str) -> None:
    for name in SHIFTED:
        if (time := getattr(event, name, None)) is not None:
            setattr(event, name, time + shift)
    adjusted: dict[str, Any] = {
        "event_timestamp_adjusted": "true",
        "event_timestamp_adjusted_from": str(sent),
        "event_timestamp_adjusted_to": str(sent + shift),
        "event_timestamp_adjusted_reason": reason,
    }
    event.notes = {**(event.notes or {}), **adjusted}
