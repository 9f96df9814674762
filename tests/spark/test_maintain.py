"""Maintenance gives way: raw files that arrive in its middle are in the tables before its next step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from streaming_app.commands import maintain
from streaming_app.commands.maintain import Step
from tests.spark.conftest import FAST
from tests.spark.job import Job
from tests.support.raw import event, line, write
from tests.support.upkeep import QUIET


def test_files_that_arrive_meanwhile_are_processed_between_two_steps(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path, FAST)
    write(job.raw, "a.gz", line(event("a"), rid="r-1"))
    job.run()

    def arriving(_: Any) -> dict[str, Any]:
        write(job.raw, "b.gz", line(event("b"), event("a"), rid="r-2"))
        return {"files": 1}

    steps = maintain.plan(job.config, None)
    result = maintain.run(job.config, [Step("first", arriving), *steps], QUIET, "night")
    assert result.first_failure is None, result.steps
    assert [entry["step"] for entry in result.steps[:2]] == ["first", "run"]
    assert (result.steps[1]["files"], result.steps[1]["written"]) == (1, 1)
    assert [entry["step"] for entry in result.steps].count("run") == 1
    assert result.steps[-1]["step"] == "check"
    assert {row["event_id"] for row in job.rows("event")} == {"a", "b"}
