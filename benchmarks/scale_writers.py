"""One task over events of 1,000 apps and 3 days, beside the same task over the same events of one app.

python -m benchmarks.scale_writers APPS EVENTS     (one measurement, as JSON; benchmarks.scale makes both)
"""

from __future__ import annotations

import gzip
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.run import FOLDER, UNTIL
from streaming_app.demo.generate import generate
from streaming_app.demo.geo import write_geo_database
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.file_processor import FileProcessor
from streaming_app.plugins.load_config import parse_config
from streaming_app.storage.files import Storage

APP, DAYS, FILES = "shop-gtm", 3, 8


def raw_files(apps: int, events: int) -> Path:
    """Raw files whose requests are spread over so many apps, one after the other; made once."""
    folder = FOLDER / f"apps-{apps}-{events}"
    if (folder / "done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    one = FOLDER / f"apps-1-{events}"
    if apps == 1:
        generate(folder, events, files=FILES, until=UNTIL, days=DAYS, apps=(APP,))
    else:
        raw_files(1, events)
        number = 0
        for file in sorted(one.rglob("*.gz")):
            target = folder / file.relative_to(one)
            target.parent.mkdir(parents=True, exist_ok=True)
            with gzip.open(file) as lines, gzip.open(target, "wb", compresslevel=1) as out:
                for line in lines:
                    number += 1
                    out.write(line.replace(APP.encode(), f"app-{number * 7919 % apps}".encode()))
    (folder / "done").touch()
    return folder


def one_task(apps: int, events: int) -> dict[str, Any]:
    """One pass over all files, in this process: CPU-microseconds an event, files, and the process's peak of memory."""
    raw, geo = raw_files(apps, events), FOLDER.absolute() / "geo.mmdb"
    write_geo_database(geo)
    lake = FOLDER / f"apps-lake-{apps}-{events}"
    shutil.rmtree(lake, ignore_errors=True)
    names = [APP] if apps == 1 else [f"app-{number}" for number in range(apps)]
    config = parse_config(
        f"project_id: bench\nsource: {{uri: {raw.absolute()}}}\nsink: {{uri: {lake.absolute()}}}\n"
        f"apps: {{{', '.join(f'{name}: {{transformer: gtm_server}}' for name in names)}}}\n"
        f"enrichers: [{{ip: {{database: {geo}}}}}, {{user_agent: {{}}}}, {{traffic_source: {{}}}}]\n"
    )
    batch = Batch(config, Storage(), "bench", 0, "bench", int(UNTIL.timestamp() * 1000), "all")
    report = FileProcessor(batch, "scale").run(str(each) for each in raw.absolute().rglob("*.gz"))
    written = report.of("event")
    rows = sum(file.rows for file in written)
    return {
        "events": rows,
        "us_per_event": report.counts.cpu_seconds / rows * 1e6,
        "files": len(written),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }


def in_a_process(apps: int, events: int) -> dict[str, Any]:
    """The same in a process of its own, whose memory is this task's alone."""
    command = [sys.executable, "-m", "benchmarks.scale_writers", str(apps), str(events)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(one_task(int(sys.argv[1]), int(sys.argv[2]))))
