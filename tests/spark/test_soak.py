"""Small runs in a row with late and duplicate data, some of them killed, end in the tables of one big run.

Here a few; ``python -m benchmarks.soak`` makes 200.
"""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from tests.support.soak import check, soaked

RUNS, SEED = 12, 3


def test_many_runs_are_one(spark: SparkSession, tmp_path: Path) -> None:
    soak, at_once = soaked(tmp_path, RUNS, SEED)
    assert soak.deaths >= 2
    check(soak, at_once)
