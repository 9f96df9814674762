"""Raw files as the ingestion endpoint writes them, of any size, with known counts and deliberate dirt.

What is in a file depends on the plan and the seed alone, so any number of processes writes the same bytes.
"""

from __future__ import annotations

import gzip
import multiprocessing
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from streaming_app.demo.plan import Shift, plan
from streaming_app.demo.platforms import events_of
from streaming_app.demo.upload import raw_line, requests_of, spoil
from streaming_app.demo.world import make_world, uuid4
from streaming_app.errors import Reason

EVENTS_PER_FILE = 100_000
LEAST_FILES = 6
EVENTS_PER_USER = 50
LEAST_USERS = 40

_GZIP_LEVEL = 6  # the default of the endpoint's sink
_Line = tuple[int, bytes]
"""Receipt, epoch ms, and text."""


@dataclass(frozen=True)
class Generated:
    """What was written. ``events``, ``items``, ``users`` and ``sessions`` are the distinct ones that the pipeline keeps.

    ``resent`` are further copies of these events, ``broken`` the rows of ``quarantine`` by reason, ``late`` those of them
    that are too late; ``decoded_bytes`` is the size of all payloads as JSON, ``stored_bytes`` that of the files.
    """

    events: int
    resent: int
    late: int
    broken: dict[str, int]
    files: int
    stored_bytes: int
    decoded_bytes: int
    lines: int
    items: int
    users: int
    sessions: int

    @property
    def received(self) -> int:
        """Everything that the pipeline has to account for."""
        return self.events + self.resent + sum(self.broken.values())


@dataclass(frozen=True, slots=True)
class _Order:
    """The work of one process: a shift, and what it takes to make the same world everywhere."""

    folder: Path
    shift: Shift
    users: int
    seed: int
    app_id: str


@dataclass(slots=True)
class _Tally:
    resent: int = 0
    items: int = 0
    lines: int = 0
    stored_bytes: int = 0
    decoded_bytes: int = 0
    broken: Counter[str] = field(default_factory=Counter)

    def add(self, other: _Tally) -> None:
        for name in ("resent", "items", "lines", "stored_bytes", "decoded_bytes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.broken += other.broken


def generate(
    folder: str | Path,
    events: int,
    *,
    files: int | None = None,
    seed: int = 7,
    until: datetime | None = None,
    processes: int = 1,
    app_id: str = "shop",
) -> Generated:
    """Write gzip NDJSON files below ``folder``/year=/month=/day=/hour=, in hours of receipt (UTC).

    ``events`` is the number of distinct good events. All is received in the 24 hours before ``until`` (with a time zone;
    now where absent), which is cut to the hour. The same arguments give the same bytes.

    Raises:
        ValueError: fewer events than files.
    """
    files = files or max(min(LEAST_FILES, events), round(events / EVENTS_PER_FILE))
    if not 1 <= files <= events:
        raise ValueError(f"{events} events cannot fill {files} files")
    end = (until or datetime.now(UTC)).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    world = make_world(max(LEAST_USERS, events // EVENTS_PER_USER), seed)
    shifts = plan(world, events, files, int(end.timestamp()) * 1_000, Random(f"plan {seed}"))
    tally = _Tally()
    for part in _written([_Order(Path(folder), shift, len(world.users), seed, app_id) for shift in shifts], processes):
        tally.add(part)
    visits = [visit for shift in shifts for visit in shift.visits]
    return Generated(
        events=events,
        resent=tally.resent,
        late=tally.broken[Reason.TOO_LATE],
        broken=dict(sorted(tally.broken.items())),
        files=files,
        stored_bytes=tally.stored_bytes,
        decoded_bytes=tally.decoded_bytes,
        lines=tally.lines,
        items=tally.items,
        users=len({visit.user for visit in visits}),
        sessions=len(visits),
    )


def _written(orders: list[_Order], processes: int) -> Iterable[_Tally]:
    if processes == 1:
        return map(_write_shift, orders)
    # Not forked: a fork copies locks that threads of this process may hold.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(_write_shift, orders))


def _write_shift(order: _Order) -> _Tally:
    """Write one file per server; requests go to either at random."""
    shift, world, tally = order.shift, make_world(order.users, order.seed), _Tally()
    rng = Random(f"shift {order.seed} {shift.number}")
    servers: list[list[_Line]] = [[] for _ in range(shift.servers)]
    for visit, dirt in zip(shift.visits, shift.dirt, strict=True):
        events = events_of(visit, world, order.app_id, rng)
        tally.items += sum(len(event.get("items", ())) for event in events)
        requests = requests_of(visit, world.users[visit.user], events, rng)
        for case in dirt:
            spoil(requests, case, rng)
        for request in requests:
            line, decoded_bytes = raw_line(request, rng)
            rng.choice(servers).append((request.received_ms, line))
            tally.decoded_bytes += decoded_bytes
            tally.resent += request.good if request.is_repeated else 0
            tally.broken.update(str(reason) for reason in request.bad)
    for lines in servers:
        tally.lines += len(lines)
        tally.stored_bytes += _write_file(order.folder, shift.hour_ms, sorted(lines), rng)
    return tally


def _write_file(folder: Path, hour_ms: int, lines: list[_Line], rng: Random) -> int:
    """Write lines in the order of their receipt; returns the stored bytes."""
    hour = datetime.fromtimestamp(hour_ms / 1_000, UTC)
    last = lines[-1][0] if lines else hour_ms
    path = folder / f"{hour:year=%Y/month=%m/day=%d/hour=%H}" / f"{last // 1_000}-{uuid4(rng)}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = gzip.compress(b"".join(line + b"\n" for _, line in lines), _GZIP_LEVEL, mtime=last // 1_000)
    path.write_bytes(packed)
    return len(packed)
