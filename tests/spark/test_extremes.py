"""Extreme values, which once stopped the pipeline for all apps, pass the whole job and the commands that read its tables."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from streaming_app.cli import _exit_code
from streaming_app.model.tables import TABLES
from tests.spark.job import Job
from tests.support.extremes import STOPPED_ONCE
from tests.support.raw import event, line, write
from tests.support.sources import APPS


def test_extreme_values_stop_neither_runs_nor_commands(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path, APPS)
    for number, lines in enumerate(STOPPED_ONCE.values()):
        write(tmp_path / "raw", f"{number:02}.gz", *lines)
    first = job.run()
    assert (first.keys_set_aside, first.batches > 0) == (0, True)
    write(tmp_path / "raw", "last.gz", line(event("last")))
    assert job.run().counts.written == 1
    config = tmp_path / "pipeline.yaml"
    config.write_text(
        f"project_id: test\nsource: {{uri: {tmp_path}/raw}}\nsink: {{uri: {tmp_path}/lake}}\n"
        f"apps:\n  shop: {{transformer: clickstream_sdk}}\n{APPS}"
    )
    commands = [["inspect", table] for table in TABLES] + [["tables", "check"], ["sql", 'SELECT * FROM "user"']]
    commands += [["erase", "--app", "shop", "--user-pseudo-id", "u-1"], ["erase", "--app", "web-gtm", "--user-pseudo-id", "c"]]
    codes = {" ".join(command): _exit_code([*command, "--config", str(config)], debug=False) for command in commands}
    assert set(codes.values()) == {0}, codes
    assert job.rows("user") == job.rows("session") == []
