"""An upsert into a large table ``user``: so many touched users of so many stored ones.

python -m benchmarks.scale_upsert STORED TOUCHED     (one measurement, as JSON; its workers are measured from outside)
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.process_tree import measure
from benchmarks.run import FOLDER
from benchmarks.scale_tables import events_of_users, kept_as_it_is, lake_of_users, template, user_id
from streaming_app.derive.update import Update
from streaming_app.lake.commit import TransactionId
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import TABLES
from streaming_app.spark.session import get_session
from streaming_app.spark.tasks import run_tasks


@dataclass(frozen=True)
class Upsert:
    """CPU-seconds of the tasks and of the driver, and the driver's growth of memory, GB."""

    tasks: float
    driver: float
    driver_gb: float
    files: int


def upsert(stored: int, touched: int) -> dict[str, Any]:
    """Update the tables with an event of each touched user; figures of this process, the driver."""
    config, _ = template()
    lake = lake_of_users(stored)
    step = stored // touched
    ids = [user_id(number * step) for number in range(touched)]
    with kept_as_it_is(lake):
        files = events_of_users(lake, ids)
        spark = get_session(config, lake.storage)
        run_tasks(spark, [0, 1], _start)
        found: dict[str, list[Any]] = {name: [] for name in TABLES} | {"event": files}
        update = Update(config, lake, Summary("scale"), TransactionId("scale", 1), found, spark)
        began, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        update.run()
        used, grown = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    return {"driver": used, "driver_gb": grown * 1024 / 1e9}


def _start(_group: int) -> list[bytes]:
    """Run in a worker, so that its start and its imports count for both measurements alike."""
    import streaming_app.derive.merge  # noqa: F401, PLC0415

    return []


def in_a_process(stored: int, touched: int) -> Upsert:
    """The same in a process tree of its own."""
    lake = lake_of_users(stored)
    out = FOLDER / "upsert.json"
    with out.open("w") as file, (FOLDER / "upsert.log").open("w") as log:
        command = [sys.executable, "-m", "benchmarks.scale_upsert", str(stored), str(touched)]
        used = measure(command, stdout=file, stderr=log)
    if used.exit_code:
        raise RuntimeError((FOLDER / "upsert.log").read_text())
    found = json.loads(out.read_text())
    return Upsert(used.cpu_of("worker"), found["driver"], found["driver_gb"], len(lake.open(TABLES["user"]).file_uris()))


if __name__ == "__main__":
    print(json.dumps(upsert(int(sys.argv[1]), int(sys.argv[2]))))
