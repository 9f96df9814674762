"""What the pass over raw files costs per event, by source: the same shop, measured by each of the three clients.

    python -m benchmarks.sources [EVENTS]     (default: 100000 of each)

One process, no Spark: lines → requests → transformer → Arrow → all enrichers → Parquet. The sources take turns, and the best
of some rounds counts, so that other work on the machine does not decide.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from streaming_app.config.load import parse_config
from streaming_app.demo.apps import APPS
from streaming_app.demo.generate import generate
from streaming_app.demo.geo import write_geo_database
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.file_pass import FilePass
from streaming_app.storage import Storage

EVENTS = 100_000
ROUNDS = 3
UNTIL = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONFIG = """
project_id: bench
source: {{uri: {folder}/raw}}
sink: {{uri: {folder}/lake}}
apps: {{{app_id}: {{transformer: {transformer}}}}}
enrichers: [{{ip: {{database: {folder}/geo.mmdb}}}}, {{user_agent: {{}}}}, {{traffic_source: {{}}}}]
"""


def one_pass(folder: Path, app_id: str, number: int) -> tuple[float, int]:
    """CPU-seconds of a pass over all files of an app, and the events that it wrote."""
    config = parse_config(CONFIG.format(folder=folder, app_id=app_id, transformer=APPS[app_id].transformer))
    batch = Batch(config, Storage(), "bench", number, "bench", int(UNTIL.timestamp() * 1000), "all")
    report = FilePass(batch, f"pass-{number}").run(str(each) for each in (folder / app_id).rglob("*.gz"))
    return report.counts.cpu_seconds, sum(file.rows for file in report.of("event"))


def measured(events: int, folder: Path) -> dict[str, float]:
    """CPU-microseconds per event by app, the least of all rounds."""
    write_geo_database(folder / "geo.mmdb")
    for app_id in APPS:
        generate(folder / app_id, events, until=UNTIL, apps=(app_id,))
    best = dict.fromkeys(APPS, float("inf"))
    for number in range(ROUNDS):
        for app_id in APPS:
            seconds, rows = one_pass(folder, app_id, number)
            best[app_id] = min(best[app_id], seconds / rows * 1e6)
    return best


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="clickstream-sources-") as folder:
        found = measured(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS, Path(folder))
    basis = next(iter(found.values()))
    for app_id, cost in found.items():
        print(f"{APPS[app_id].transformer:16} {cost:6.1f} CPU-us an event   x{cost / basis:.2f}")


if __name__ == "__main__":
    main()
