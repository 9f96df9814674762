"""What an erasure takes along by a login id, and what its answer claims: never more than was searched."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

from streaming_app.commands import erase
from streaming_app.commands.erase.person import Person
from streaming_app.commands.operation import operation
from streaming_app.errors import ConfigError
from streaming_app.metrics.progress import LogProgress
from streaming_app.model.tables import TABLES
from tests.support.killed import life_of, other_process_is_dead
from tests.support.lake import LocalPipeline
from tests.support.raw import NOW, event, line, write
from tests.support.upkeep import derived
from tests.unit.commands.test_tables_check import take

ATTACKER = {"_user_id": {"value": "attacker", "set_timestamp": NOW}}
FORGED = event("f", unique_id="victim", user=ATTACKER)
OWN = [event("o1", unique_id="own", user=ATTACKER), event("o2", unique_id="own")]
VICTIMS = [event(f"v{number}", unique_id="victim") for number in range(3)]
PERSON = Person("shop", user_id="attacker")


def lake_of(folder: Path, *lines: bytes) -> LocalPipeline:
    pipeline = LocalPipeline(folder)
    pipeline.ingest(write(folder / "raw", "a.gz", line(FORGED, *OWN, *VICTIMS), *lines))
    pipeline.derive()
    derived(pipeline)
    return pipeline


@pytest.mark.parametrize(
    ("linked", "listed", "left", "linked_left"),
    [
        ("none", None, {"o2", "v0", "v1", "v2"}, 2),
        ("listed", ["own"], {"v0", "v1", "v2"}, 1),
        ("listed", ["own", "victim"], set(), 0),
        ("listed", None, set(), 0),
    ],
)
def test_only_what_was_chosen_goes(
    linked: str, listed: list[str] | None, left: set[str], linked_left: int, tmp_path: Path
) -> None:
    pipeline = lake_of(tmp_path)
    done = erase.run(pipeline.config, PERSON, "delete", LogProgress(), linked=linked, listed=listed, confirmed="asked")  # type: ignore[arg-type]
    assert {row["event_id"] for row in pipeline.rows("event")} == left
    assert (done["event"], done["remaining"], done["linked_ids_left"]) == (6 - len(left), 0, linked_left)
    [row] = pipeline.query("SELECT arguments, result FROM operation WHERE status = 'done'").to_pylist()
    assert json.loads(row["arguments"])["linked"] == linked
    result = json.loads(row["result"])
    assert (result["linked_ids"], result["linked_ids_left"], result["confirmed"]) == (2 - linked_left, linked_left, "asked")
    assert "victim" not in json.dumps(row)


def test_an_erasure_that_was_killed_goes_on_with_its_choice(tmp_path: Path) -> None:
    pipeline = lake_of(tmp_path)
    with life_of("after write erase") as life:
        erase.run(pipeline.config, PERSON, "delete", LogProgress(), linked="none")
    assert life.is_over
    with other_process_is_dead(), pytest.raises(ConfigError, match="began with --linked none"):
        erase.run(pipeline.config, PERSON, "delete", LogProgress())
    assert erase.run(pipeline.config, PERSON, "delete", LogProgress(), linked="none")["remaining"] == 0
    assert {row["event_id"] for row in pipeline.rows("event")} == {"o2", "v0", "v1", "v2"}


def damaged() -> str:
    packed = base64.b64encode(gzip.compress(json.dumps(list(range(2_000))).encode())).decode()
    return packed[:200] + "A" * 200 + packed[400:]


def test_the_answer_claims_what_was_searched(tmp_path: Path) -> None:
    pipeline = lake_of(tmp_path, line(damaged()))
    with operation(pipeline.config, "reprocess", {"from": "2026-05-28"}):
        pass
    take(pipeline, TABLES["operation"], status="done")
    done = erase.run(pipeline.config, Person("shop", user_pseudo_id="victim"), "delete", LogProgress())
    assert (done["remaining"], done["quarantine_unsearched"]) == (0, 1)
    assert done["raw_files_still_name_the_person"] is True
    searched = " | ".join(done["not_known"])
    assert "1 elements in quarantine with packed data that cannot be unpacked" in searched
    assert "raw files: --raw looks there" in searched
    assert "shadow of a command that was killed" in searched
    assert "reprocess" in searched
    assert done["nothing_remains_after"] == f"clickstream vacuum on {done['nothing_remains_from']} or later"
