"""A lake as hourly runs leave it: many small files in every table; and a quiet place for commands to report to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from streaming_app.backlog.derive_log import DERIVED_FROM
from streaming_app.derive.rebuild import rebuild_users
from streaming_app.lake.lake import live_files
from streaming_app.metrics.progress import LogProgress
from streaming_app.model.tables import TABLES
from tests.support.lake import ALL_TABLES, LocalPipeline, without_lineage
from tests.support.raw import NOW, event, line, write

ODD = "my shop/é'%2F"
"""An app whose id no folder can be named after as it is."""
APPS = f"  {json.dumps(ODD)}: {{transformer: clickstream_sdk}}\n  sensors: {{transformer: sensors_data}}\n"
HOURS = 6
QUIET = LogProgress()
LOGS = ("operation",)
"""Tables in which a command itself leaves rows."""


def of_hour(number: int) -> list[bytes]:
    """What an hour brings: events of two apps on two days, items, changes, dirt, and an event that came before."""
    user, day = f"u-{number}", 86_400_000
    shop = [
        event(f"{number}-a", unique_id=user),
        event(f"{number}-b", unique_id=user, event_type="purchase", items=[{"id": "i"}, {"id": "j"}]),
        event(f"{number}-c", unique_id=user, timestamp=NOW - day, attributes={"_session_id": f"s-{number}"}),
        event("always", unique_id="u-0", timestamp=NOW - 5_000),
    ]
    odd = [event(f"{number}-{name}", app_id=ODD, unique_id=user, attributes={}) for name in "xyz"]
    told = [
        {"type": "profile_increment", "distinct_id": user, "properties": {"n": 1}, "time": NOW, "_track_id": 10 + number},
        {"type": "item_set", "item_type": "book", "item_id": user, "properties": {"p": 1}, "time": NOW, "_track_id": 90 + number},
    ]
    return [
        line(*shop, rid=f"r-{number}"),
        line(*odd, appId=ODD, rid=f"o-{number}"),
        line(*told, appId="sensors", rid=f"t-{number}", client_timestamp=None),
        f"broken {number}".encode(),
    ]


def busy_lake(folder: Path, hours: int = HOURS) -> LocalPipeline:
    """A lake after some hourly runs; its derive checkpoint stands where it should."""
    pipeline = LocalPipeline(folder, APPS)
    for number in range(hours):
        run_hour(pipeline, number)
    derived(pipeline)
    return pipeline


def run_hour(pipeline: LocalPipeline, number: int) -> None:
    """Ingest by the real pass and commit; ``user`` and ``session`` by the real merge rules, a file an hour."""
    pipeline.ingest(write(pipeline.folder / "raw", f"{number:02}.gz", *of_hour(number)))
    users = {("shop", f"u-{number}"), (ODD, f"u-{number}"), ("sensors", f"u-{number}")} | {("shop", "u-0")}
    rebuild_users(pipeline.config, pipeline.lake, "test-job", users)


def derived(pipeline: LocalPipeline) -> None:
    """Write the checkpoint of a derive query that has read everything."""
    checkpoint = pipeline.folder / "lake" / "_checkpoints" / "derive"
    places = [{"reservoirVersion": pipeline.lake.open(TABLES[name]).version() + 1, "index": -1} for name in DERIVED_FROM]
    for name, lines in (("offsets/0", ["v1", "{}", *map(json.dumps, places)]), ("commits/0", ["v1"])):
        path = checkpoint / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))


def copied(pipeline: LocalPipeline, folder: Path) -> LocalPipeline:
    """The same lake elsewhere, for a test that changes it."""
    shutil.copytree(pipeline.folder, folder, dirs_exist_ok=True)
    return LocalPipeline(folder, pipeline.extra, stream_id="later")


def contents(pipeline: LocalPipeline, *, lineage: bool = True) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables but :data:`LOGS`, to the last column."""
    found = {name: pipeline.query(f'SELECT * FROM "{name}" ORDER BY ALL') for name in ALL_TABLES if name not in LOGS}
    return {
        name: rows.select(rows.column_names if lineage else without_lineage(name, rows.column_names)).to_pylist()
        for name, rows in found.items()
    }


def files_of(pipeline: LocalPipeline) -> dict[str, int]:
    """Live files of each table."""
    return {name: len(live_files(pipeline.lake.open(table))) for name, table in TABLES.items()}
