"""The driver is killed at every boundary of a run; the next run ends in the same tables as a run without the crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.spark.conftest import FAST
from tests.spark.job import Job
from tests.support.asked import asked_for
from tests.support.doomed import IN_THE_FILES, Doom, killed_at_once
from tests.support.killed import life_of
from tests.support.raw import NOW, event, line, write
from tests.support.sources import APPS

MINUTE = 60_000
WRONG_CLOCK = NOW + 40 * 24 * 60 * MINUTE
QUARANTINE = "SELECT reason, source_line, raw FROM quarantine ORDER BY ALL"
BALANCE = "SELECT sum(received) r, sum(written) w, sum(duplicate) d, sum(quarantined) q, count(*) batches FROM run_metrics"


def write_first(raw: Path) -> None:
    """What an undisturbed run processes: sessions with and without id, and one copy of an event with a wrong clock."""
    shifted = line(event("moved", timestamp=WRONG_CLOCK), rid="r-9", client_timestamp=WRONG_CLOCK)
    no_id = [event(f"n-{n}", timestamp=NOW - n * 50 * MINUTE, attributes={}) for n in range(3)]
    visits = changes("r-c1", ("profile_increment", "d-1", {"visits": 1}), ("profile_set", "d-2", {"tier": "gold"}))
    write(raw, "a.gz", line(event("a"), event("b", items=[{"id": "i"}])), line(*no_id, rid="r-2"), shifted, visits)


def changes(rid: str, *messages: tuple[str, str, dict[str, Any]]) -> bytes:
    """A request of Sensors Data: changes of users, and of an item, which must count once."""
    sent = [
        {"type": kind, "distinct_id": user, "properties": properties, "time": NOW - 9_000, "_track_id": number}
        for number, (kind, user, properties) in enumerate(messages, int(rid[-1]) * 10)
    ]
    item = {
        "type": "item_set",
        "item_type": "book",
        "item_id": "i-1",
        "properties": {rid: 1},
        "time": NOW,
        "_track_id": int(rid[-1]),
    }
    return line(*sent, item, appId="sensors", rid=rid, client_timestamp=None)


def write_second(raw: Path) -> None:
    """What the run that crashes processes: new and resent events, items, dirt, joined sessions, and a copy that replaces."""
    earlier = line(event("moved", timestamp=WRONG_CLOCK), rid="r-8", ingest_time=NOW - 1_000, client_timestamp=WRONG_CLOCK)
    between = [event(f"m-{n}", timestamp=NOW - (n * 50 + 25) * MINUTE, attributes={}) for n in range(2)]
    sent = line(event("a"), event("c", items=[{"id": "j"}, {"id": "k"}]), {"bad": 1}, rid="r-3")
    for number in range(4):
        more = changes("r-c2", ("profile_increment", "d-1", {"visits": 2}), ("profile_append", "d-1", {"tags": ["a"]}))
        write(raw, f"b{number}.gz", b"broken", sent, line(*between, rid="r-4"), earlier, more)


CHANGES = (
    "write lease",
    "delete event",  # copies that the pass has found to be superfluous
    "delete change",
    "delete item",
    "write stale_users",
    "write batch",
    "commit quarantine",
    "commit item",
    "commit change",
    "commit run_metrics",
    "commit event",
    "commit user",
    "commit item_attributes",
    "commit session",
    "commit user 2",  # those of stale_users
    "commit session 2",
    "delete stale_users",
    "write lease 2",
)
"""What the run that crashes does to what is stored."""
OFTEN = (
    "before delete event",
    "after commit quarantine",
    "after commit run_metrics",
    "after commit event",  # before Spark notes the batch
    "before commit user",
    "after commit user",
    "after commit session",
    "after commit user 2",
    IN_THE_FILES,
)
ALL = [f"{when} {change}" for change in CHANGES for when in ("before", "after")]
MOMENTS = [pytest.param(each, marks=pytest.mark.exhaustive) for each in ALL if each not in OFTEN] + [*OFTEN]


@pytest.fixture(scope="module")
def once_run(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """After the first run, with the files of the second."""
    job = Job(tmp_path_factory.mktemp("once"), APPS + FAST)
    write_first(job.folder / "raw")
    job.run()
    write_second(job.folder / "raw")
    return job


@pytest.fixture(scope="module")
def undisturbed(once_run: Job, tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = once_run.copied(tmp_path_factory.mktemp("undisturbed"))
    with life_of() as life:
        job.run()
    assert {*life.changes} - {"delete event 2", "delete item 2"} == {*CHANGES}  # how many copies depends on the tasks
    return job


@pytest.fixture(scope="module")
def crashed(once_run: Job, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Job]:
    """The job of each moment that is asked for, killed there."""
    moments = asked_for(request, "moment")
    jobs = {moment: once_run.copied(tmp_path_factory.mktemp("crashed")) for moment in moments}
    killed_at_once(Doom(str(job.folder), ["run", "--config", job.config_file()], moment) for moment, job in jobs.items())
    return jobs


@pytest.mark.parametrize("moment", MOMENTS)
def test_crash(moment: str, undisturbed: Job, crashed: dict[str, Job]) -> None:
    job = crashed[moment]
    job.run()
    assert job.derived_tables() == undisturbed.derived_tables()
    assert job.query(QUARANTINE) == undisturbed.query(QUARANTINE)
    assert job.query(BALANCE) == undisturbed.query(BALANCE)
    [balance] = job.query(BALANCE)
    assert balance["r"] == balance["w"] + balance["d"] + balance["q"]
    assert balance["w"] == len(job.rows("event")) + len(job.rows("change"))
    [tags] = job.query("SELECT user_properties_json_str AS p FROM \"user\" WHERE user_pseudo_id = 'd-1'")
    assert {name: each["value"] for name, each in json.loads(tags["p"]).items()} == {"tags": ["a"], "visits": 3}


def test_what_a_crash_leaves_behind_is_invisible_and_vacuumed(spark: SparkSession, tmp_path: Path) -> None:
    from deltalake import DeltaTable

    job = Job(tmp_path)
    write_first(tmp_path / "raw")
    job.run()
    table = DeltaTable(f"{tmp_path}/lake/event")
    orphan = Path(table.file_uris()[0]).with_name("part-00009-orphan.zstd.parquet")
    orphan.write_bytes(Path(table.file_uris()[0]).read_bytes())
    assert len(job.rows("event")) == 6
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
    assert not orphan.exists()
    assert len(job.rows("event")) == 6
