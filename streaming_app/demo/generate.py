"""Raw files as the ingestion endpoint writes them, of any size, with known counts and deliberate dirt.

What is in a file depends on the plan and the seed alone, so any number of processes writes the same bytes.
"""

from __future__ import annotations

import gzip
import multiprocessing
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from streaming_app.demo.apps import APPS, quotas
from streaming_app.demo.counts import Generated, Tally, summed
from streaming_app.demo.dirt import spoil
from streaming_app.demo.line import raw_line
from streaming_app.demo.plan import Shift, plan
from streaming_app.demo.world import make_world, uuid4

EVENTS_PER_FILE = 100_000
LEAST_FILES = 6
EVENTS_PER_USER = 50
LEAST_USERS = 40

_GZIP_LEVEL = 6  # the default of the endpoint's sink
_Line = tuple[int, bytes]
"""Receipt, epoch ms, and text."""


@dataclass(frozen=True, slots=True)
class _Order:
    """The work of one process: a shift, and what it takes to make the same world everywhere."""

    folder: Path
    shift: Shift
    users: int
    seed: int


@dataclass(slots=True)
class _Written:
    """What one process did."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    lines: int = 0
    stored_bytes: int = 0


def generate(
    folder: str | Path,
    events: int,
    *,
    files: int | None = None,
    seed: int = 7,
    until: datetime | None = None,
    processes: int = 1,
    apps: Sequence[str] = ("shop",),
) -> Generated:
    """Write gzip NDJSON files below ``folder``/year=/month=/day=/hour=, in hours of receipt (UTC).

    ``events`` is the number of distinct good events of all ``apps`` (some of :data:`~streaming_app.demo.apps.APPS`). All is
    received in the 24 hours before ``until`` (with a time zone; now where absent), which is cut to the hour. The same
    arguments give the same bytes.

    Raises:
        ValueError: fewer events than files.
        KeyError: no such app.
    """
    files = files or max(min(LEAST_FILES, events), round(events / EVENTS_PER_FILE))
    if not 1 <= files <= events:
        raise ValueError(f"{events} events cannot fill {files} files")
    end = (until or datetime.now(UTC)).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    world = make_world(max(LEAST_USERS, events // EVENTS_PER_USER), seed)
    shifts = plan(world, quotas(events, apps), files, int(end.timestamp()) * 1_000, Random(f"plan {seed}"))
    tallies, lines, stored = {app_id: Tally() for app_id in apps}, 0, 0
    for part in _written([_Order(Path(folder), shift, len(world.users), seed) for shift in shifts], processes):
        lines, stored = lines + part.lines, stored + part.stored_bytes
        for app_id, tally in part.tallies.items():
            tallies[app_id].add(tally)
    counts = {app_id: tally.counts() for app_id, tally in tallies.items()}
    decoded = sum(tally.decoded_bytes for tally in tallies.values())
    return Generated(**summed(counts), apps=counts, files=files, stored_bytes=stored, decoded_bytes=decoded, lines=lines)


def _written(orders: list[_Order], processes: int) -> Iterable[_Written]:
    if processes == 1:
        return map(_write_shift, orders)
    # Not forked: a fork copies locks that threads of this process may hold.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(_write_shift, orders))


def _write_shift(order: _Order) -> _Written:
    """Write one file per server; requests go to either at random."""
    shift, world, written = order.shift, make_world(order.users, order.seed), _Written()
    rng = Random(f"shift {order.seed} {shift.number}")
    servers: list[list[_Line]] = [[] for _ in range(shift.servers)]
    for app_id, crowd in shift.crowds.items():
        tally = written.tallies[app_id] = Tally()
        for visit, dirt in zip(crowd.visits, crowd.dirt, strict=True):
            played = APPS[app_id].play(visit, world, app_id, rng)
            tally.saw(played)
            for case in dirt:
                spoil(played.requests, case, rng)
            for request in played.requests:
                line, decoded_bytes = raw_line(request, rng)
                rng.choice(servers).append((request.received_ms, line))
                tally.sent(request)
                tally.decoded_bytes += decoded_bytes
    for lines in servers:
        written.lines += len(lines)
        written.stored_bytes += _write_file(order.folder, shift.hour_ms, sorted(lines), rng)
    return written


def _write_file(folder: Path, hour_ms: int, lines: list[_Line], rng: Random) -> int:
    """Write lines in the order of their receipt; returns the stored bytes."""
    hour = datetime.fromtimestamp(hour_ms / 1_000, UTC)
    last = lines[-1][0] if lines else hour_ms
    path = folder / f"{hour:year=%Y/month=%m/day=%d/hour=%H}" / f"{last // 1_000}-{uuid4(rng)}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = gzip.compress(b"".join(line + b"\n" for _, line in lines), _GZIP_LEVEL, mtime=last // 1_000)
    path.write_bytes(packed)
    return len(packed)
