"""The job gives the same tables with and without optimize and vacuum between its runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from streaming_app.commands import optimize, vacuum
from streaming_app.commands.check.check_tables import check_tables
from streaming_app.commands.doctor.doctor import diagnose
from streaming_app.commands.doctor.finding import Finding
from streaming_app.lake import compaction
from streaming_app.model.tables import TABLES
from tests.spark.job import Job
from tests.spark.test_crash import write_first, write_second
from tests.support.lake import config_for, without_lineage
from tests.support.raw import NOW, event, line, write
from tests.support.sources import APPS
from tests.support.upkeep import APPS as ODD_APPS
from tests.support.upkeep import ODD, QUIET

APPS_HERE = APPS + ODD_APPS.splitlines()[0] + "\n"


def write_third(raw: Path) -> None:
    """News of old users and sessions, and a copy of what was compacted."""
    more = [event("late", timestamp=NOW - 3_000), event("a"), event("new", unique_id="u-2")]
    write(raw, "c.gz", line(*more, rid="r-5"))


def odd(event_id: str) -> bytes:
    return line(event(event_id, app_id=ODD), appId=ODD, rid=event_id)


def tidy(job: Job) -> None:
    """Merge whatever can be, and delete all that is not live."""
    optimize.run(job.config, TABLES.values(), QUIET)
    due = {each.table.name for each in optimize.plan(job.lake, TABLES.values())}
    assert due <= {"operation"}  # which has the row that optimize has ended
    vacuum.check_safe(job.config, job.lake, 24 * 7)
    vacuum.run(job.config, 0, QUIET)


@pytest.fixture
def everything_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MIN_FILES_SAVED", 1)


def test_the_job_continues_after_optimize_and_vacuum(spark: SparkSession, tmp_path: Path, everything_is_due: None) -> None:
    tidied, plain = Job(tmp_path / "tidied", APPS_HERE), Job(tmp_path / "plain", APPS_HERE)
    for number, hour in enumerate((write_first, write_second, write_third)):
        for job in (tidied, plain):
            hour(job.folder / "raw")
            write(job.folder / "raw", f"odd-{number}.gz", odd(f"o-{number}"))
        # Merged before derive has seen them, too: it reads the files that they were merged from.
        _ingest_only(tidied)
        optimize.run(tidied.config, TABLES.values(), QUIET)
        tidied.run()
        tidy(tidied)
        assert tidied.run().batches == 0
    plain.run()
    assert tidied.derived_tables() == plain.derived_tables()
    written = [job.query("SELECT sum(written) AS n FROM run_metrics") for job in (tidied, plain)]
    assert written[0] == written[1]
    for name in tidied.derived_tables():
        frames = (job.frame(name, spark).select(without_lineage(name, TABLES[name].schema.names)) for job in (tidied, plain))
        assert_df_equality(*frames, ignore_row_order=True)

    assert [each for checked in check_tables(tidied.config, 100, QUIET) for each in checked.problems] == []
    for name in ("user", "session", "item_attributes", "_checkpoints/derive"):
        shutil.rmtree(tidied.folder / "lake" / name)
    tidied.run()  # derive begins again, with the merged files
    assert tidied.derived_tables() == plain.derived_tables()


def test_the_doctor_starts_spark(spark: SparkSession, tmp_path: Path) -> None:
    """A session that was there stays."""
    (tmp_path / "raw").mkdir()
    config = tmp_path / "c.json"
    config.write_text(config_for(tmp_path).model_dump_json(exclude_defaults=True))
    found = list(diagnose(str(config), with_spark=True))
    assert found[-1] == Finding("spark", "ok", f"Spark {spark.version} starts, with Delta")
    assert spark.range(3).count() == 3


def _ingest_only(job: Job) -> None:
    """A run that ends between ingest and derive."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streaming_app.pipeline.derive", lambda *_: None)
        job.run()
