"""An event's time is the client's, corrected by what its upload time tells; what is too old or ahead is refused, by the
server's receive time alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from streaming_app.config.model import RulesSection
from streaming_app.errors import Reason
from streaming_app.ingest.transform.time_rules import TimeRules
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.model.times import LATEST_MS
from tests.support.lake import LocalPipeline, balance
from tests.support.raw import NOW, event, line, write

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
THRESHOLD, FRESH = 10 * MINUTE, 72 * HOUR
"""The defaults."""

OFF: dict[str, Any] = {"clock_correction": False}
LATE, FUTURE, NO_TIME = Reason.TOO_LATE, Reason.IN_FUTURE, Reason.MALFORMED_EVENT
AS_SENT = "as sent"


@dataclass(frozen=True)
class Case:
    """An event sent at ``time``, uploaded at ``upload``: its time afterwards, or why it is refused.

    Times are ms after ingest time; without ingest time they are epoch ms.
    """

    time: int | None
    upload: int | None
    after: int | str
    name: str = "_page_view"
    rules: dict[str, Any] = field(default_factory=dict)
    ingest: int | None = NOW


CASES: dict[str, Case] = {
    "ordinary": Case(-SECOND, -100, AS_SENT),
    "upload unknown": Case(-SECOND, None, AS_SENT),
    "exactly as old as allowed": Case(-FRESH, 0, AS_SENT),
    "a millisecond older": Case(-FRESH - 1, 0, LATE),
    "older, upload unknown": Case(-FRESH - 1, None, LATE),
    "older, no correction": Case(-FRESH - 1, 0, LATE, rules=OFF),
    "within half an hour": Case(-HOUR // 2, 0, AS_SENT, rules={"freshness_hours": 0.5}),
    "half an hour, a millisecond older": Case(-HOUR // 2 - 1, 0, LATE, rules={"freshness_hours": 0.5}),
    "within the server's second": Case(999, 0, AS_SENT),
    "beyond the server's second": Case(1_000, 0, 0),
    "beyond it, upload unknown": Case(1_000, None, 0),
    "beyond it, no correction": Case(1_000, 0, AS_SENT, rules=OFF),
    "ahead with its upload by less than the second": Case(1_000, 999, 0),
    "ahead with its upload by a second": Case(1_500, 1_000, 500),
    "ahead with its upload by more": Case(1_000, 5_000, -4_000),
    "not ahead, its upload by more": Case(999, 5_000, AS_SENT),
    "slow by the threshold": Case(-THRESHOLD - SECOND, -THRESHOLD, AS_SENT),
    "slow by a millisecond more": Case(-THRESHOLD - SECOND, -THRESHOLD - 1, -999),
    "fast by the threshold, not ahead": Case(-SECOND, THRESHOLD, AS_SENT),
    "fast by the threshold, ahead": Case(THRESHOLD - SECOND, THRESHOLD, -SECOND),
    "fast by a millisecond more, not ahead": Case(-SECOND, THRESHOLD + 1, -SECOND - THRESHOLD - 1),
    "fast by a day": Case(DAY - SECOND, DAY, -SECOND),
    "slow by a day": Case(-DAY - SECOND, -DAY, -SECOND),
    "a clock of 1970": Case(2_000 - NOW, 3_000 - NOW, -SECOND),
    "slow by a day, as old as allowed": Case(-DAY - FRESH, -DAY, -FRESH),
    "slow by a day, older": Case(-DAY - FRESH - 1, -DAY, LATE),
    "fast by a day, older": Case(DAY - FRESH - 1, DAY, LATE),
    "every difference counts": Case(-SECOND, 1, -SECOND - 1, rules={"clock_threshold_minutes": 0}),
    "no difference": Case(-SECOND, 0, AS_SENT, rules={"clock_threshold_minutes": 0}),
    "wrong clock, no correction": Case(-SECOND, 2 * DAY, AS_SENT, rules=OFF),
    "ahead by the threshold": Case(THRESHOLD, 0, 0),
    "ahead by a millisecond more": Case(THRESHOLD + 1, 0, FUTURE),
    "ahead by the threshold, upload unknown": Case(THRESHOLD, None, 0),
    "ahead by a millisecond more, upload unknown": Case(THRESHOLD + 1, None, FUTURE),
    "ahead by the threshold, no correction": Case(THRESHOLD, 0, AS_SENT, rules=OFF),
    "ahead by a millisecond more, no correction": Case(THRESHOLD + 1, 0, FUTURE, rules=OFF),
    "fast by a day, later than its upload": Case(DAY + 5_000, DAY, 0),
    "fast by a day, within the second": Case(DAY + 999, DAY, 999),
    "fast by a day, later by the threshold": Case(DAY + THRESHOLD, DAY, 0),
    "fast by a day, later by more": Case(DAY + THRESHOLD + 1, DAY, FUTURE),
    "ahead only by its correction": Case(-SECOND, -THRESHOLD - 1, THRESHOLD + 1 - SECOND),
    "always fresh": Case(-400 * DAY, 0, AS_SENT, "_profile_set"),
    "always fresh, corrected": Case(-400 * DAY, -DAY, -399 * DAY, "_first_open"),
    "always fresh, ahead": Case(DAY, 0, 0, "_first_visit"),
    "always fresh, ahead, no correction": Case(DAY, 0, AS_SENT, "_first_visit", rules=OFF),
    "no name is always fresh": Case(-400 * DAY, 0, LATE, "_profile_set", {"always_fresh": ()}),
    "a name of one's own is": Case(-400 * DAY, 0, AS_SENT, "order", {"always_fresh": ("order",)}),
    "before 1970": Case(-NOW - 1, 0, NO_TIME),
    "before 1970, always fresh": Case(-NOW - 1, 0, NO_TIME, "_profile_set"),
    "no ingest time": Case(5, 10**15, AS_SENT, ingest=None),
    "no ingest time, 1970": Case(0, None, AS_SENT, ingest=None),
    "no ingest time, before": Case(-1, None, NO_TIME, ingest=None),
    "no ingest time, 2199": Case(LATEST_MS, None, AS_SENT, ingest=None),
    "no ingest time, after": Case(LATEST_MS + 1, None, NO_TIME, ingest=None),
    "no time at all": Case(None, 0, NO_TIME),
    "no time of any kind": Case(None, None, NO_TIME, ingest=None),
}


@pytest.mark.parametrize("case", CASES)
def test_time_afterwards_or_why_not(case: str) -> None:
    given = CASES[case]
    zero = given.ingest or 0
    sent = None if given.time is None else zero + given.time
    upload = None if given.upload is None else zero + given.upload
    rules, judged = TimeRules(RulesSection(**given.rules)), Event(event_name=given.name, event_time_msec=sent)
    first, last = rules.ordinary_range(given.ingest, upload)
    verdict = rules.apply(judged, given.ingest, upload)
    if isinstance(given.after, int):
        assert (verdict, judged.event_time_msec) == (None, zero + given.after)
        assert judged.notes is not None
    elif given.after == AS_SENT:
        assert (verdict, judged.event_time_msec, judged.notes) == (None, sent, None)
    else:
        assert verdict is not None
        assert verdict.reason == given.after
    # The pass looks no further at times in this range: they must be those that the rules leave alone.
    assert given.after == AS_SENT or not first <= (sent if sent is not None else -1) <= last


@pytest.mark.parametrize(
    ("time", "upload", "message"),
    [
        (-FRESH - 1, 0, f"event time {NOW - FRESH - 1} is {FRESH + 1} ms before ingest time {NOW}"),
        (2 * DAY, 0, f"event time {NOW + 2 * DAY} is {2 * DAY} ms after ingest time {NOW}"),
        (-NOW - 5, 0, "event time -5 is no time between 1970 and 2199"),
    ],
)
def test_what_a_refusal_says(time: int, upload: int, message: str) -> None:
    verdict = TimeRules(RulesSection()).apply(Event(event_time_msec=NOW + time), NOW, NOW + upload)
    assert verdict is not None
    assert verdict.message == message


BY_UPLOAD = "ingestTimestamp is {} millis ahead of uploadTimestamp, isFutureEvent: {}"
AHEAD = "eventTimestamp is in the future, set to ingestTimestamp"


@pytest.mark.parametrize(
    ("time", "upload", "after", "reason"),
    [
        (-DAY - SECOND, -DAY, -SECOND, BY_UPLOAD.format(DAY, "false")),
        (DAY - SECOND, DAY, -SECOND, BY_UPLOAD.format(-DAY, "true")),
        (5_000, None, 0, AHEAD),
        (DAY + 5_000, DAY, 0, BY_UPLOAD.format(-DAY, "true") + "|" + AHEAD),
    ],
    ids=["slow", "fast", "ahead", "fast and ahead"],
)
def test_a_correction_moves_every_time_of_the_client_and_says_so(time: int, upload: int | None, after: int, reason: str) -> None:
    client = NOW + time
    moved = {
        "event_time_msec": client,
        "session_start_time_msec": client - 1,
        "page_view_previous_time_msec": client - 2,
        "screen_view_previous_time_msec": client - 3,
        "user_first_touch_time_msec": client - 4,
    }
    left = {"session_duration": 5, "page_view_engagement_time_msec": 6, "user_properties_json_str": '{"x":{"set_time_msec":7}}'}
    corrected = Event(event_name="_page_view", notes={"own": "note"}, **moved, **left)
    assert TimeRules(RulesSection()).apply(corrected, NOW, None if upload is None else NOW + upload) is None
    assert {name: getattr(corrected, name) for name in moved} == {name: sent - time + after for name, sent in moved.items()}
    assert {name: getattr(corrected, name) for name in left} == left
    assert corrected.ingest_time_msec is None
    assert corrected.notes == {
        "own": "note",
        "event_timestamp_adjusted": "true",
        "event_timestamp_adjusted_from": str(client),
        "event_timestamp_adjusted_to": str(NOW + after),
        "event_timestamp_adjusted_reason": reason,
    }


def test_the_pass_follows_the_rules(tmp_path: Path) -> None:
    """Times, lineage and quarantine as they are in the tables, ordinary and corrected events of one request side by side."""
    pipeline = LocalPipeline(tmp_path)
    sent = [event("a", timestamp=NOW - SECOND), event("b", timestamp=NOW + 5_000), event("c", timestamp=NOW + DAY)]
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(*sent)))
    rows = pipeline.query("SELECT event_id, event_time_msec, process_info FROM event ORDER BY 1").to_pylist()
    assert [(row["event_id"], row["event_time_msec"]) for row in rows] == [("a", NOW - SECOND), ("b", NOW)]
    infos = [json.loads(row["process_info"]) for row in rows]
    assert [info.get("event_timestamp_adjusted_from") for info in infos] == [None, str(NOW + 5_000)]
    assert {info["rid"] for info in infos} == {"r-1"}
    [refused] = pipeline.rows("quarantine")
    assert (refused["reason"], refused["stage"], json.loads(refused["raw"])) == ("in_future", "rules", sent[2])


APPS = """\
  web-gtm: {transformer: gtm_server}
  sensors: {transformer: sensors_data}
  mine: {transformer: tests.unit.ingest.test_time_rules:Deriving}
"""


class Deriving:
    """A transformer of one's own: an event, what is derived from it, and an event that is not."""

    def transform(self, request: Request) -> Iterator[Event]:
        time = int(request.data or "")
        yield Event(app_id="mine", event_id="base", event_name="view", event_time_msec=time)
        yield Event(app_id="mine", event_id="derived", event_name="_first_open", event_time_msec=time, is_derived=True)
        yield Event(app_id="mine", event_id="other", event_name="_first_open", event_time_msec=time)


def derives(client: str, time: int) -> bytes:
    """A request of an event from which others are derived."""
    times = {"client_timestamp": None, "uri": "/"}
    if client == "mine":
        return line(str(time), appId="mine", **times)
    if client == "gtm":
        system = {"x-ga-system_properties": {"fv": "1", "ss": "1"}, "x-sst-system_properties": {"request_start_time_ms": time}}
        return line({"event_name": "page_view", "client_id": "c", **system}, appId="web-gtm", **times)
    sent = {"type": "track_signup", "event": "$SignUp", "time": time, "distinct_id": "d", "original_id": "a"}
    return line({**sent, "properties": {"$is_first_time": True}}, appId="sensors", **times)


@pytest.mark.parametrize(("time", "reason"), [(-HOUR, None), (-FRESH - HOUR, LATE), (DAY, FUTURE), (-NOW - 5, NO_TIME)])
@pytest.mark.parametrize("client", ["gtm", "sensors", "mine"])
def test_what_is_derived_shares_its_events_fate(client: str, time: int, reason: Reason | None, tmp_path: Path) -> None:
    """A first open, the start of a session, whose an anonymous id is: all of it comes with the event, or waits in quarantine."""
    pipeline = LocalPipeline(tmp_path, APPS)
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", derives(client, NOW + time)))
    written = [row["event_id"] for table in ("event", "change") for row in pipeline.rows(table)]
    refused = [row["reason"] for row in pipeline.rows("quarantine")]
    independent = ["other"] if client == "mine" and reason in (LATE, FUTURE) else []
    if reason is None:
        assert (len(written), refused) == (3, [])
    elif client == "gtm" and reason is NO_TIME:
        assert len(written) == 3  # a time that is none is as if it were not sent
    else:
        assert (written, refused) == (independent, [reason] * (3 - len(independent)))
    assert balance(metrics) == (3, 3)
