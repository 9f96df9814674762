"""``make bench-scale``: what grows with what is stored, beside the bars that it is held to.

    python -m benchmarks.scale [--only NAME …] [--factor 0.1]

Large tables are made by writing data files directly, once, and kept in .bench/. With a factor below 1, tables and input are
smaller by it, and so are the bars that are totals: a measurement holds for its factor only. What counts is CPU-seconds, since the
machine may do other work.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from benchmarks import scale_dedupe, scale_files, scale_runs, scale_upsert, scale_writers
from benchmarks.run import FOLDER
from streaming_app.ingest.commit import task_runner

RESULTS = FOLDER / "scale.json"


@dataclass(frozen=True)
class Line:
    """A figure and its bar, both at the factor that was measured."""

    what: str
    bar: float
    measured: float
    unit: str
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.measured <= self.bar


def writers(factor: float) -> Iterator[Line]:
    """1,000 apps and 3 days in one task."""
    events, apps = round(1_000_000 * factor), round(1_000 * factor)
    one, many = (scale_writers.in_a_process(number, events) for number in (1, apps))
    extra = many["us_per_event"] - one["us_per_event"]
    note = f"{many['files']:,} files of {many['events']:,} events; {one['us_per_event']:.1f} with one app"
    yield Line(f"{apps:,} apps x 3 days in a task, more than one app", 5, extra, "CPU-us an event", note)
    yield Line(
        f"{apps:,} apps x 3 days in a task, memory", 1, many["peak_gb"], "GB a worker", f"{one['peak_gb']:.2f} with one app"
    )


def executors(factor: float) -> Iterator[Line]:
    """The JVM of an executor."""
    found = scale_runs.executors_of_a_run(round(200_000 * factor))
    note = (
        f"{len(found.executors)} executors: {', '.join(f'{each:.1f}' for each in found.executors)}; driver's JVM {found.jvm:.1f}"
    )
    yield Line("JVM of an executor", 8, max(found.executors), "CPU-s", note)


def files(factor: float) -> Iterator[Line]:
    """Many files in a table."""
    count = round(100_000 * factor)
    none, many = (scale_files.in_a_process(number) for number in (0, count))
    first, later = many["seconds"][0] - none["seconds"][0], many["seconds"][-1] - none["seconds"][-1]
    what = f"{count:,} files in a table, more than none"
    yield Line(f"{what}: first micro-batch of a run", 1 * factor, first, "CPU-s of the driver", "it opens the table")
    yield Line(f"{what}: a later one", 1 * factor, later, "CPU-s of the driver")
    yield Line(f"{what}: memory", 0.3, many["gb"] - none["gb"], "GB of the driver")


def upserts(factor: float) -> Iterator[Line]:
    """A micro-batch of some users of 20,000,000, and of one."""
    stored, touched = round(20_000_000 * factor), round(100_000 * factor)
    many, one = (scale_upsert.in_a_process(stored, count, with_spark=False) for count in (touched, 1))
    driver = scale_upsert.in_a_process(stored, touched, with_spark=True)
    what = f"{touched:,} of {stored:,} users"
    note = f"{many['rewritten']} of {many['buckets']} buckets, {many['rewritten_mb']:,.0f} MB"
    yield Line(f"upsert of {what}", 80 * factor, many["cpu_seconds"], "CPU-s in tasks", note)
    yield Line(f"upsert of {what}: driver", 1, driver["cpu_seconds"], "CPU-s")
    yield Line(f"upsert of {what}: driver's memory", 0.5, driver["peak_gb"], "GB", f"{driver['peak_gb_before']:.2f} before")
    note = f"{one['rewritten']} of {one['buckets']} buckets, {one['rewritten_mb']:,.0f} MB"
    yield Line(f"upsert of one of {stored:,} users", 3, one["cpu_seconds"], "CPU-s", note)


def dedupe(factor: float) -> Iterator[Line]:
    """New ids against stored ones of five days."""
    stored, new = round(scale_dedupe.STORED * factor), round(scale_dedupe.NEW * factor)
    found = scale_dedupe.in_a_process(stored, new)
    what = f"{new:,} new ids against {stored:,} stored"
    steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found.by_step.items())
    yield Line(f"{what}: tasks", 2 * factor, found.in_tasks, "CPU-s", steps or "all of it in the driver")
    yield Line(f"{what}: driver", task_runner.SMALL_SECONDS, found.driver, "CPU-s")


def driver(factor: float) -> Iterator[Line]:
    """The same new events on tables with few and with many users."""
    events = round(1_000_000 * factor)
    few, many = (round(count * factor) for count in (1_000_000, 20_000_000))
    with_few, with_many = (scale_runs.driver_of_a_run(events, count) for count in (few, many))
    bar = 2.5 + 0.3 * events / 1_000_000
    yield Line(f"driver's Python, {events:,} new events, {many:,} stored users", bar, with_many, "CPU-s")
    yield Line(f"the same against {few:,} stored users", 1.15, with_many / with_few, "times", f"{with_few:.1f} CPU-s with those")


BARS: dict[str, Callable[[float], Iterator[Line]]] = {
    "upserts": upserts,
    "writers": writers,
    "executors": executors,
    "files": files,
    "dedupe": dedupe,
    "driver": driver,
}


def show(lines: list[Line], factor: float) -> None:
    """Print the table."""
    grid = Table("", "bar", "measured", "", "", title=f"factor {factor:g}", title_justify="left")
    for line in lines:
        mark = "" if line.holds else "[red]missed[/red]"
        grid.add_row(line.what, f"<= {line.bar:g} {line.unit}", f"{line.measured:.2f}", mark, line.note)
    Console(width=170).print(grid)


def keep(lines: list[Line], factor: float) -> None:
    """Add the figures to the file of results, by name."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}"
    kept |= {line.what: {"factor": factor, "at": now, **vars(line)} for line in lines}
    RESULTS.write_text(json.dumps(kept, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=BARS, default=list(BARS))
    parser.add_argument("--factor", type=float, default=1.0)
    given = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    lines: list[Line] = []
    for name in given.only:
        lines += BARS[name](given.factor)
        keep(lines, given.factor)
    show(lines, given.factor)


if __name__ == "__main__":
    main()
