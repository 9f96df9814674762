"""What each source costs per event: the same shop, measured by each of the three clients.

    python -m benchmarks.sources [EVENTS]     (default: 100000 of each)

The pass alone, in one process without Spark (lines → requests → transformer → Arrow → all enrichers → Parquet), and the whole
job as a process tree into an empty lake. The sources take turns, and the best of some rounds counts, so that other work on the
machine does not decide.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.process_tree import measure
from streaming_app.demo.apps import APPS
from streaming_app.demo.generate import generate
from streaming_app.demo.geo import write_geo_database
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.file_processor import FileProcessor
from streaming_app.plugins.load_config import parse_config
from streaming_app.storage.files import Storage

EVENTS = 100_000
ROUNDS = 3
UNTIL = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONFIG = """
project_id: bench
source: {{uri: {raw}}}
sink: {{uri: {lake}}}
apps: {{{app_id}: {{transformer: {transformer}}}}}
enrichers: [{{ip: {{database: {geo}}}}}, {{user_agent: {{}}}}, {{traffic_source: {{}}}}]
"""


def one_pass(folder: Path, app_id: str, number: int) -> tuple[float, int]:
    """CPU-seconds of the parse stage over all files of an app, and the events that it wrote."""
    config = parse_config(CONFIG.format(raw=folder / app_id, lake=folder / "pass", **_settings(folder, app_id)))
    batch = Batch(config, Storage(), "bench", number, "bench", int(UNTIL.timestamp() * 1000), "all")
    report = FileProcessor(batch, f"pass-{number}").run(str(each) for each in (folder / app_id).rglob("*.gz"))
    return report.counts.cpu_seconds, sum(file.rows for file in report.of("event"))


def one_job(folder: Path, app_id: str, number: int) -> float:
    """CPU-seconds of the whole process tree of a run over all files of an app, into an empty lake."""
    config = folder / f"{app_id}.yaml"
    config.write_text(CONFIG.format(raw=folder / app_id, lake=folder / f"{app_id}-{number}", **_settings(folder, app_id)))
    command = [str(Path(sys.executable).with_name("clickstream")), "run", "--config", str(config)]
    used = measure(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if used.exit_code:
        raise subprocess.CalledProcessError(used.exit_code, command)
    return used.cpu


def _settings(folder: Path, app_id: str) -> dict[str, str]:
    return {"app_id": app_id, "transformer": APPS[app_id].transformer, "geo": str(folder / "geo.mmdb")}


def measure_source(events: int, folder: Path) -> dict[str, tuple[float, float]]:
    """CPU-microseconds per event by app, of the parse stage and of the whole job: the minimum of all rounds."""
    write_geo_database(folder / "geo.mmdb")
    for app_id in APPS:
        generate(folder / app_id, events, until=UNTIL, apps=(app_id,))
    best = dict.fromkeys(APPS, (float("inf"), float("inf")))
    for number in range(ROUNDS):
        for app_id in APPS:
            seconds, rows = one_pass(folder, app_id, number)
            job = one_job(folder, app_id, number)
            best[app_id] = min(best[app_id][0], seconds / rows * 1e6), min(best[app_id][1], job / rows * 1e6)
    return best


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="clickstream-sources-") as folder:
        found = measure_source(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS, Path(folder))
    first_pass, first_job = next(iter(found.values()))
    for app_id, (by_pass, job) in found.items():
        ratios = f"pass {by_pass:6.1f} CPU-us an event (x{by_pass / first_pass:.2f})   job {job:6.1f} (x{job / first_job:.2f})"
        print(f"{APPS[app_id].transformer:16} {ratios}")


if __name__ == "__main__":
    main()
