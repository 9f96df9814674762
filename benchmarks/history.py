"""What one small new file costs on tables that hold a month already: beside the same file on empty tables, and beside one that
also has better duplicates of some stored events.

    python -m benchmarks.history [EVENTS]     (default: 10000000 over 30 days)

The month is generated and processed once and kept in .bench/. The small file is of the hour after it, and of the same users:
most are known to the tables. The better duplicates are requests of a day of the month, sent again as if they had been received a
second before. The cases take turns, and the best of some rounds counts, so that other work on the machine does not decide.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.process_tree import KINDS, Usage
from benchmarks.run import FOLDER, UNTIL, keep, result, run, write_config
from streaming_app.demo.generate import EVENTS_PER_USER, generate

EVENTS, DAYS, SMALL = 10_000_000, 30, 20_000
ROUNDS = 3
BETTER, EVENTS_PER_REQUEST = 300, 14
"""Number of better duplicates, about, and of events in a generated request."""


def month(events: int) -> Path:
    """A folder with ``raw``, ``small`` and ``lake``: what was read into the tables, what was not, and the tables."""
    folder = FOLDER / f"month-{events}"
    if (folder / "done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    raw = folder / "raw"
    made = generate(raw, events, until=UNTIL, processes=2, days=DAYS)
    generate(folder / "small", SMALL, files=1, until=UNTIL + timedelta(hours=1), users=events // EVENTS_PER_USER)
    used, summary = run(write_config(raw, folder / "lake"))
    print(f"the month: {summary['counts']['written']:,} events, {_format_usage(used)}", flush=True)
    keep({str(events): result(events, asdict(made), used, summary)})
    (folder / "done").touch()
    return folder


def on_empty_tables(folder: Path) -> tuple[Usage, dict[str, Any]]:
    """One run over the small file alone."""
    lake = FOLDER / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    return run(write_config(folder / "small", lake))


def on_the_month(folder: Path, new: str = "small") -> tuple[Usage, dict[str, Any]]:
    """One run with the file in the folder ``new`` added to the month, on a copy of the tables in the place where the month was
    processed."""
    raw, lake, kept = folder / "raw", folder / "lake", folder / "kept"
    if not kept.exists():
        shutil.copytree(lake, kept)
    shutil.rmtree(lake)
    shutil.copytree(kept, lake)
    shutil.copytree(folder / new, raw, dirs_exist_ok=True)
    try:
        return run(write_config(raw, lake))
    finally:
        for file in (folder / new).rglob("*.gz"):
            (raw / file.relative_to(folder / new)).unlink()


def on_the_month_with_better_duplicates(folder: Path) -> tuple[Usage, dict[str, Any]]:
    """The same with better duplicates of :data:`BETTER` stored events."""
    _write_better(folder)
    return on_the_month(folder, "better")


def _write_better(folder: Path) -> None:
    """Write the small file once more, with requests of the middle of the month at its end."""
    [small] = (folder / "small").rglob("*.gz")
    better = folder / "better" / small.relative_to(folder / "small")
    if better.exists():
        return
    raw = sorted((folder / "raw").rglob("*.gz"))
    requests: list[bytes] = []
    with gzip.open(raw[len(raw) // 2]) as lines:
        for number, line in enumerate(lines):
            if len(requests) < BETTER // EVENTS_PER_REQUEST:
                request = json.loads(line)
                again = {"ingest_time": request["ingest_time"] - 1_000, "rid": f"better-{number}"}
                requests.append(json.dumps(request | again).encode() + b"\n")
    better.parent.mkdir(parents=True, exist_ok=True)
    better.write_bytes(small.read_bytes() + gzip.compress(b"".join(requests)))


def _format_usage(used: Usage) -> str:
    shares = " / ".join(f"{used.cpu_of(kind):.1f}" for kind in KINDS)
    return f"{used.cpu:.1f} CPU-s ({' / '.join(KINDS)}: {shares}), {used.wall:.1f} s, {used.peak_bytes / 1e9:.2f} GB"


def main() -> None:
    folder = month(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
    best: dict[str, float] = {}
    for number in range(ROUNDS):
        for case in (on_empty_tables, on_the_month, on_the_month_with_better_duplicates):
            used, summary = case(folder)
            name = case.__name__.replace("_", " ")
            print(f"{number + 1}: {name}: {summary['counts']['written']:,} events, {_format_usage(used)}", flush=True)
            print("   " + ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in summary["seconds"].items()), flush=True)
            best[name] = min(used.cpu, best.get(name, float("inf")))
    empty, full, better = best.values()
    print(f"{full:.1f} against {empty:.1f} CPU-s: x{full / empty:.2f}")
    print(f"with better duplicates {better:.1f} against {full:.1f} CPU-s: x{better / full:.2f}")


if __name__ == "__main__":
    main()
