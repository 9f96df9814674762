"""``make bench``: what a run costs, as a whole process tree, on generated data of two sizes.

    python -m benchmarks.run [EVENTS …]     (default: 1000000 4000000)

The raw files are made once and kept in .bench/; results go to .bench/results.json, and the next run prints its ratios to
them. Seconds of wall time say little on a shared machine: compare CPU-seconds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.process_tree import KINDS, Usage, measure
from streaming_app.config.emr import PriceSection
from streaming_app.demo.generate import generate
from streaming_app.demo.geo import write_geo_database
from streaming_app.environment import open_lake
from streaming_app.lake.query import query
from streaming_app.plugins.load_config import load_config

FOLDER = Path(".bench")
SIZES = (1_000_000, 4_000_000)
# A fixed end of the data: every result is about the same bytes.
UNTIL = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONFIG = """
project_id: bench
source: {{uri: {raw}}}
sink:   {{uri: {lake}}}
apps:   {{shop: {{transformer: clickstream_sdk}}}}
enrichers:
  - ip: {{database: {geo}, trusted_proxies: 1}}
  - user_agent: {{}}
  - traffic_source: {{}}
"""


def raw_files(events: int) -> tuple[Path, dict[str, Any]]:
    """The raw files of a size and what is in them; made once."""
    folder, note = FOLDER / f"raw-{events}", FOLDER / f"raw-{events}.json"
    if not note.exists():
        shutil.rmtree(folder, ignore_errors=True)
        made = generate(folder, events, until=UNTIL, processes=2)
        note.write_text(json.dumps(asdict(made)))
    return folder, json.loads(note.read_text())


def run_once(events: int) -> dict[str, Any]:
    """Run once into an empty lake; returns its usage and its summary."""
    raw, made = raw_files(events)
    lake = FOLDER / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    config = write_config(raw, lake)
    used, summary = run(config)
    if summary["counts"]["written"] != made["events"]:
        raise AssertionError(f"{summary['counts']['written']} events written, {made['events']} generated")
    return result(events, made, used, summary) | enrichers(config, events)


def write_config(raw: Path, lake: Path) -> Path:
    """Write a configuration file with all enrichers."""
    config, geo = FOLDER / "pipeline.yaml", FOLDER.absolute() / "geo.mmdb"
    write_geo_database(geo)
    config.write_text(CONFIG.format(raw=raw.absolute(), lake=lake.absolute(), geo=geo))
    return config


def run(config: Path) -> tuple[Usage, dict[str, Any]]:
    """``clickstream run``: what it used, and its own summary."""
    with (FOLDER / "run.json").open("w") as out, (FOLDER / "run.log").open("w") as log:
        command = [str(Path(sys.executable).with_name("clickstream")), "run", "--json", "--config", str(config)]
        used = measure(command, stdout=out, stderr=log)
    if used.exit_code:
        raise subprocess.CalledProcessError(used.exit_code, command, stderr=(FOLDER / "run.log").read_text())
    return used, json.loads((FOLDER / "run.json").read_text())


def enrichers(config: Path, events: int) -> dict[str, Any]:
    """CPU-microseconds per event of each enricher, and their sum."""
    rows = query(open_lake(load_config(str(config))), "SELECT enrichers FROM run_metrics")["enrichers"].to_pylist()
    used: Counter[str] = Counter()
    for row in rows:
        used.update({name: use["cpu_seconds"] / events * 1e6 for name, use in json.loads(row).items()})
    shares = {f"{name} (CPU-us/event)": round(cpu, 2) for name, cpu in used.items()}
    return {**shares, "enrichers (CPU-us/event)": round(sum(used.values()), 2)}


def result(events: int, made: dict[str, Any], used: Usage, summary: dict[str, Any]) -> dict[str, Any]:
    """The figures of one run."""
    return {
        "events": events,
        "wall_s": round(used.wall, 1),
        "cpu_s": round(used.cpu, 1),
        **{f"cpu_{kind}_s": round(used.cpu_of(kind), 1) for kind in KINDS},
        "peak_gb": round(used.peak_bytes / 1e9, 2),
        "events_per_cpu_s": round(events / used.cpu),
        "decoded_mb_per_cpu_s": round(made["decoded_bytes"] / 1e6 / used.cpu, 1),
        "usd_per_decoded_gb": round(dollars(used) / (made["decoded_bytes"] / 1e9), 5),
        **{f"{phase} (wall s)": round(seconds, 1) for phase, seconds in summary["seconds"].items()},
    }


def dollars(used: Usage) -> float:
    """What the CPU time and, as long as the run took, the peak of memory would cost on EMR Serverless, at AWS's price for ARM."""
    price = PriceSection()
    return used.cpu / 3600 * price.vcpu_hour + used.wall / 3600 * used.peak_bytes / 1e9 * price.gb_hour


def keep(results: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Add results to the file of results, by number of events; returns what was there before."""
    kept = FOLDER / "results.json"
    before: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else {}
    kept.write_text(json.dumps({**before, **results}, indent=1))
    return before


def show(results: list[dict[str, Any]], before: dict[str, dict[str, Any]]) -> None:
    """One column per size; beside each figure its ratio to the run before, where there is one."""
    grid = Table("", *(f"{each['events']:,} events" for each in results))
    for name in results[-1]:
        cells = []
        for each in results:
            value, old = each.get(name), before.get(str(each["events"]), {}).get(name)
            ratio = f"  (x{value / old:.2f})" if value and old and name != "events" else ""
            cells.append(f"{value}{ratio}")
        grid.add_row(name, *cells)
    Console(width=100).print(grid)
    if len(results) > 1:
        small, large = results[0], results[-1]
        extra = (large["cpu_s"] - small["cpu_s"]) / (large["events"] - small["events"]) * 1e6
        print(f"beyond the first {small['events']:,} events: {extra:.1f} CPU-s per million")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    results = [run_once(events) for events in (map(int, sys.argv[1:]) if len(sys.argv) > 1 else SIZES)]
    show(results, keep({str(each["events"]): each for each in results}))


if __name__ == "__main__":
    main()
