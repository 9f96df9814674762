"""optimize and vacuum are killed at any moment (half of them in the exhaustive search); repeated, they end where an undisturbed one ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streaming_app.commands import optimize, vacuum
from streaming_app.commands.interrupted import find_interrupted
from streaming_app.lake.maintenance import MIN_FILES_SAVED
from streaming_app.model.tables import TABLES
from tests.support.lake import LocalPipeline
from tests.support.upkeep import QUIET, busy_lake, contents, copied, files_of
from tests.support.upkeep_driver import MOMENTS, RETENTION_HOURS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    return busy_lake(tmp_path_factory.mktemp("busy"), hours=MIN_FILES_SAVED + 1)


@pytest.fixture(scope="module")
def undisturbed(busy: LocalPipeline, tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    pipeline = copied(busy, tmp_path_factory.mktemp("undisturbed"))
    optimize.run(pipeline.config, TABLES.values(), QUIET)
    return pipeline


OFTEN = ("optimize: two partitions are committed", "vacuum: two tables are done")


@pytest.mark.parametrize(
    "moment", [pytest.param(each, marks=[] if each in OFTEN else [pytest.mark.exhaustive]) for each in MOMENTS]
)
def test_killed(moment: str, busy: LocalPipeline, undisturbed: LocalPipeline, tmp_path: Path) -> None:
    compacting = moment.startswith("optimize")
    pipeline = copied(busy if compacting else undisturbed, tmp_path)
    config = tmp_path / "c.json"
    config.write_text(pipeline.config.model_dump_json(exclude_defaults=True))
    command = [sys.executable, "-m", "tests.support.upkeep_driver", str(config), moment]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2_000:]
    assert contents(pipeline) == contents(busy)
    assert [each.operation for each in find_interrupted(pipeline.lake)] == [moment.partition(":")[0]]

    if compacting:
        optimize.run(pipeline.config, TABLES.values(), QUIET)
        assert optimize.plan(pipeline.lake, TABLES.values()) == []
    vacuum.run(pipeline.config, RETENTION_HOURS, QUIET)
    assert vacuum.plan(pipeline.config, pipeline.lake, RETENTION_HOURS) == []
    assert contents(pipeline) == contents(busy)
    there, wanted = files_of(pipeline), files_of(undisturbed)
    assert {name: there[name] for name in there if name != "operation"} == {
        name: wanted[name] for name in wanted if name != "operation"
    }
    on_disk = {path for path in (tmp_path / "lake").rglob("*.parquet") if "_delta_log" not in path.parts}
    assert len(on_disk) == sum(there.values())
    assert find_interrupted(pipeline.lake) == []
