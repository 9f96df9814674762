"""Small runs in a row with late and duplicate data, some of them killed, end in the tables of one big run.

Here a few, some dozens in the exhaustive search; ``python -m benchmarks.soak`` makes 200.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.support.soak import check, soaked

SEED = 3


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("runs", "upkeep"), [(4, 2), pytest.param(60, 10, marks=pytest.mark.exhaustive)])
def test_many_small_runs_equal_one_large_run(runs: int, upkeep: int, spark: SparkSession, tmp_path: Path) -> None:
    soak, at_once = soaked(tmp_path, runs, SEED, upkeep)
    assert soak.deaths >= min(2, runs // 6)
    check(soak, at_once)
