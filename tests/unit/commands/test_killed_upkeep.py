"""optimize and vacuum are killed at any moment (half of them in the exhaustive search); repeated, they end where an undisturbed one ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming_app.commands import optimize, vacuum
from streaming_app.commands.interrupted import find_interrupted
from streaming_app.lake.compaction import MIN_FILES_SAVED
from streaming_app.model.tables import TABLES
from tests.support.doomed import IN_THE_FILES, Doom, killed_at_once
from tests.support.lake import LocalPipeline
from tests.support.upkeep import QUIET, busy_lake, contents, copied, files_of

RETENTION_HOURS = 0


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    return busy_lake(tmp_path_factory.mktemp("busy"), hours=MIN_FILES_SAVED + 1)


@pytest.fixture(scope="module")
def undisturbed(busy: LocalPipeline, tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    pipeline = copied(busy, tmp_path_factory.mktemp("undisturbed"))
    optimize.run(pipeline.config, TABLES.values(), QUIET)
    return pipeline


UPKEEP = {"optimize": ["optimize"], "vacuum": ["vacuum", "--force", "--retention-hours", str(RETENTION_HOURS)]}
"""``vacuum`` follows an optimize that was not disturbed."""
MOMENTS = ("before commit event 2", "after vacuum event", IN_THE_FILES, "before commit operation 2")
OFTEN = {("optimize", "before commit event 2"), ("vacuum", "after vacuum event")}
CASES = [
    pytest.param(command, moment, marks=[] if (command, moment) in OFTEN else [pytest.mark.exhaustive])
    for command in UPKEEP
    for moment in MOMENTS
    if ("commit event" if command == "vacuum" else "vacuum") not in moment
]


@pytest.mark.parametrize(("command", "moment"), CASES)
def test_killed(command: str, moment: str, busy: LocalPipeline, undisturbed: LocalPipeline, tmp_path: Path) -> None:
    compacting = command == "optimize"
    pipeline = copied(busy if compacting else undisturbed, tmp_path)
    config = tmp_path / "c.json"
    config.write_text(pipeline.config.model_dump_json(exclude_defaults=True))
    killed_at_once([Doom(str(tmp_path), [*UPKEEP[command], "--config", str(config)], moment)])
    assert contents(pipeline) == contents(busy)
    assert [each.operation for each in find_interrupted(pipeline.lake)] == [command]

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
