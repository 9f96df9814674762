"""Hypothesis strategies: requests as many clients would send them, and ways to split them into runs and files."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.support.raw import NOW, line
from tests.support.sources import gtm_payload, sensors_request

HOUR = 3_600_000
_QUERIES = ("", "", "?utm_source=mail&utm_medium=email", "?gclid=1", "?fbclid=2")
_REFERRERS = (None, "https://www.google.com/", "https://t.co/", "https://shop.example/1", "https://chatgpt.com/")
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    None,
)
ADDRESSES = ("192.0.2.7", "203.0.113.99, 198.51.100.1", "2001:db8:1::7", "unknown", None)
_NAMES = ("_page_view", "_screen_view", "_user_engagement", "_session_start", "_profile_set", "purchase")


@st.composite
def _event(draw: st.DrawFn, number: int) -> dict[str, Any]:
    user = f"u-{draw(st.integers(0, 2))}"
    session = draw(st.sampled_from(["s-1", "s-2", None]))
    minutes = draw(st.integers(0, 40 * 60))
    name = draw(st.sampled_from(_NAMES))
    attributes: dict[str, Any] = {"_page_url": f"https://shop.example/{draw(st.integers(0, 3))}{draw(st.sampled_from(_QUERIES))}"}
    if referrer := draw(st.sampled_from(_REFERRERS)):
        attributes["_latest_referrer"] = referrer
    if session:
        attributes |= {"_session_id": f"{user}-{session}", "_session_number": draw(st.integers(1, 2))}
    if source := draw(st.sampled_from([None, "Direct", "google", "news"])):
        attributes["_traffic_source_source"] = source
    if name == "_user_engagement":
        attributes["_engagement_time_msec"] = draw(st.integers(0, 20_000))
    if draw(st.booleans()):
        attributes["_page_referrer"] = f"https://{draw(st.sampled_from('abc'))}.example/"
    properties: dict[str, Any] = {"_user_first_touch_timestamp": {"value": NOW - draw(st.integers(0, 9)) * HOUR}}
    if draw(st.booleans()):
        properties["_user_id"] = {"value": f"login-{draw(st.integers(0, 2))}"}
    if name == "_profile_set":
        set_time = draw(st.sampled_from([None, NOW - HOUR, NOW]))
        properties["tier"] = {"value": draw(st.sampled_from(["gold", 1, True])), "set_timestamp": set_time}
    items = [{"id": f"sku-{draw(st.integers(0, 2))}", "price": 1.5}] if name == "purchase" else None
    basis = {"event_id": f"e-{number}", "event_type": name, "app_id": "shop", "unique_id": user, "platform": "Web"}
    return {**basis, "timestamp": NOW - minutes * 60_000, "attributes": attributes, "user": properties, "items": items}


@st.composite
def requests(draw: st.DrawFn, *, mixed: bool = False) -> list[bytes]:
    """Raw lines: some of them resent with a new id, a second later, and from clients whose clock is days off.

    ``mixed``: of all three sources, see :data:`tests.support.sources.APPS`.
    """
    lines = []
    count = draw(st.integers(1, 10))
    number = 0
    for request in range(count):
        if mixed and (other := draw(st.sampled_from(["gtm", "sensors", None]))):
            lines += draw(_other_request(other, request))
            continue
        size = draw(st.integers(1, 3))
        events = [draw(_event(number + offset)) for offset in range(size)]
        number += size
        skew = draw(st.sampled_from([0, 0, 2 * 24 * HOUR]))
        for each in events:
            each["timestamp"] += skew
        payload = json.dumps(events)
        for copy in range(draw(st.sampled_from([1, 1, 2, 3]))):
            upload = str(NOW + skew)
            ingest = NOW + draw(st.sampled_from([0, 1_000]))
            # A copy may come by another way, even from something else.
            ua, ip = draw(st.sampled_from(AGENTS)), draw(st.sampled_from(ADDRESSES))
            rid = f"r-{request}-{draw(st.integers(0, 9))}-{copy}"
            lines.append(line(payload, rid=rid, client_timestamp=upload, ingest_time=ingest, ua=ua, ip=ip))
    return lines


@st.composite
def _other_request(draw: st.DrawFn, source: str, number: int) -> list[bytes]:
    """A request of another source, maybe resent with a new id."""
    app, (data, uri) = "sensors", draw(sensors_request()) if source == "sensors" else ("", "")
    if source == "gtm":
        app, data, uri = "web-gtm", draw(gtm_payload()), "/collect?appId=web-gtm"
    times = {"client_timestamp": None, "upload_timestamp": None, "ingest_time": NOW}
    copies = range(draw(st.integers(1, 2)))
    return [
        line(data, appId=app, uri=uri, rid=f"o-{number}-{copy}", ua=draw(st.sampled_from(AGENTS)), **times) for copy in copies
    ]


@st.composite
def splits(draw: st.DrawFn, lines: list[bytes]) -> list[list[list[bytes]]]:
    """The same lines, shuffled, as runs of files; some lines are read more than once."""
    shuffled = draw(st.permutations(lines))
    again = draw(st.lists(st.sampled_from(lines), max_size=3))
    runs: list[list[list[bytes]]] = [[[]]]
    for each in [*shuffled, *again]:
        step = draw(st.sampled_from(["same file", "same file", "next file", "next run"]))
        if step == "next run" and len(runs) < 3:
            runs.append([[]])
        elif step == "next file":
            runs[-1].append([])
        runs[-1][-1].append(each)
    return runs
