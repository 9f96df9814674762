"""Raw files as the ingestion endpoint writes them, of any size, with known counts and deliberate dirt.

What is in a file depends on the plan and the seed alone, so any number of processes writes the same bytes.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from streaming_app.demo.apps import quotas
from streaming_app.demo.counts import Generated, Tally, sum_counts
from streaming_app.demo.plan import plan
from streaming_app.demo.world import make_world
from streaming_app.demo.write import Order, Written, write_shift

EVENTS_PER_FILE = 100_000
LEAST_FILES = 6
EVENTS_PER_USER = 50
LEAST_USERS = 40


def generate(
    folder: str | Path,
    events: int,
    *,
    files: int | None = None,
    seed: int = 7,
    until: datetime | None = None,
    processes: int = 1,
    days: int = 1,
    users: int | None = None,
    apps: Sequence[str] = ("shop",),
) -> Generated:
    """Write gzip NDJSON files below ``folder``/year=/month=/day=/hour=, in hours of receipt (UTC).

    ``events`` is the number of distinct good events of all ``apps`` (some of :data:`~streaming_app.demo.apps.APPS`). All is
    received in the ``days`` before ``until`` (with a time zone; now where absent), which is cut to the hour. ``users`` visit, of
    whom few come often; the same seed and number of users are the same people. The same arguments give the same bytes.

    Raises:
        ValueError: fewer events than files.
        KeyError: no such app.
    """
    files = files or max(min(LEAST_FILES, events), round(events / EVENTS_PER_FILE))
    if not 1 <= files <= events:
        raise ValueError(f"{events} events cannot fill {files} files")
    end = (until or datetime.now(UTC)).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    world = make_world(users or max(LEAST_USERS, events // EVENTS_PER_USER), seed)
    shifts = plan(world, quotas(events, apps), files, int(end.timestamp()) * 1_000, Random(f"plan {seed}"), days)
    tallies, lines, stored = {app_id: Tally() for app_id in apps}, 0, 0
    for part in _write_all([Order(Path(folder), shift, len(world.users), seed) for shift in shifts], processes):
        lines, stored = lines + part.lines, stored + part.stored_bytes
        for app_id, tally in part.tallies.items():
            tallies[app_id].add(tally)
    counts = {app_id: tally.counts() for app_id, tally in tallies.items()}
    decoded = sum(tally.decoded_bytes for tally in tallies.values())
    return Generated(**sum_counts(counts), apps=counts, files=files, stored_bytes=stored, decoded_bytes=decoded, lines=lines)


def _write_all(orders: list[Order], processes: int) -> Iterable[Written]:
    if processes == 1:
        return map(write_shift, orders)
    # Not forked: a fork copies locks that threads of this process may hold.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(write_shift, orders))
