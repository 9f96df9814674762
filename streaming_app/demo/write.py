"""The raw files of one shift: plays its visits, spoils some, writes the requests as they arrive."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec

from streaming_app.demo.apps import APPS
from streaming_app.demo.counts import Tally
from streaming_app.demo.demo_request import DemoRequest
from streaming_app.demo.dirt import spoil
from streaming_app.demo.plan import Shift
from streaming_app.demo.world import make_world, uuid4

_GZIP_LEVEL = 6  # the default of the endpoint's sink
_Line = tuple[int, bytes]
"""Receipt, epoch ms, and text."""


@dataclass(frozen=True, slots=True)
class Order:
    """The work of one process: a shift, and what it takes to make the same world everywhere."""

    folder: Path
    shift: Shift
    users: int
    seed: int


@dataclass(slots=True)
class Written:
    """What one process did."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    lines: int = 0
    stored_bytes: int = 0


def write_shift(order: Order) -> Written:
    """Write one file per server; requests go to either at random."""
    shift, world, written = order.shift, make_world(order.users, order.seed), Written()
    rng = Random(f"shift {order.seed} {shift.number}")
    servers: list[list[_Line]] = [[] for _ in range(shift.servers)]
    for app_id, crowd in shift.crowds.items():
        tally = written.tallies[app_id] = Tally()
        for visit, dirt in zip(crowd.visits, crowd.dirt, strict=True):
            played = APPS[app_id].play(visit, world, app_id, rng)
            tally.add_visit(played)
            for case in dirt:
                spoil(played.requests, case, rng)
            for request in played.requests:
                line, decoded_bytes = raw_line(request, rng)
                rng.choice(servers).append((request.received_ms, line))
                tally.add_request(request)
                tally.decoded_bytes += decoded_bytes
    for lines in servers:
        written.lines += len(lines)
        written.stored_bytes += _write_file(order.folder, shift.hour_ms, sorted(lines), rng)
    return written


def raw_line(request: DemoRequest, rng: Random) -> tuple[bytes, int]:
    """A request as the raw line of the ingestion endpoint, and the bytes of JSON that the pipeline can decode from it."""
    payload = request.payload()
    envelope = request.envelope(request.data or request.pack_payload(payload))
    second, millisecond = divmod(request.received_ms, 1_000)
    shown = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rid, nanoseconds = request.stamp(rng)
    own = {
        "appId": request.app_id,
        "date": f"{shown}+00:00",
        "fakeIp": None,
        "ingest_time": second * 1_000,
        "ip": request.address,
        "path": "/collect",
        "rid": rid,
        "server_ingest_time": second * 1_000,
        "source_type": "http_server",
        "timestamp": f"{shown}.{millisecond:03d}{nanoseconds:06d}Z",
    }
    line = msgspec.json.encode(own | envelope, order="sorted")
    if request.is_cut:
        return line[: len(line) // 2], 0
    return line, 0 if request.data else len(payload)


def _write_file(folder: Path, hour_ms: int, lines: list[_Line], rng: Random) -> int:
    """Write lines in the order of their receipt; returns the stored bytes."""
    hour = datetime.fromtimestamp(hour_ms / 1_000, UTC)
    last = lines[-1][0] if lines else hour_ms
    path = folder / f"{hour:year=%Y/month=%m/day=%d/hour=%H}" / f"{last // 1_000}-{uuid4(rng)}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = gzip.compress(b"".join(line + b"\n" for _, line in lines), _GZIP_LEVEL, mtime=last // 1_000)
    path.write_bytes(packed)
    return len(packed)
