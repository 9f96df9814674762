"""Each check finds what is wrong, names it with a remedy, and finds nothing where nothing is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from streaming_app.cli import _exit_code
from streaming_app.commands import optimize
from streaming_app.commands.check import check_context
from streaming_app.commands.check.check_tables import CHECKS, check_tables
from streaming_app.commands.operation import operation, stored_rows
from streaming_app.environment import lock_lake
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.lake import live_files
from streaming_app.lake.layout import LAYOUT_KEY, LAYOUT_VERSION
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.query import dataset
from streaming_app.model.tables import EVENT, ITEM, RUN_METRICS, SESSION, TABLES, USER, Table
from tests.support.lake import LocalPipeline
from tests.support.raw import event, line, write
from tests.support.upkeep import QUIET, busy_lake, copied, derived

SAMPLE = 1_000


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    return busy_lake(tmp_path_factory.mktemp("sound"), hours=3)


def problems(pipeline: LocalPipeline) -> dict[str, list[str]]:
    """What each check that found something says."""
    found = {checked.name: checked.problems for checked in check_tables(pipeline.config, SAMPLE, QUIET) if checked.problems}
    assert all(each.remedy for some in found.values() for each in some)
    return {name: [f"{each.table}: {each.message}" for each in some] for name, some in found.items()}


def path_of(pipeline: LocalPipeline, table: Table, app_id: str = "shop") -> Path:
    [path, *_] = (file.path for file in live_files(pipeline.lake.open(table)) if file.partition.get("app_id", app_id) == app_id)
    return pipeline.folder / "lake" / table.name / path


def rows_of(pipeline: LocalPipeline, table: Table, where: str = "true", limit: int = 1) -> pa.Table:
    rows = pipeline.query(f'SELECT * FROM "{table.name}" WHERE {where} ORDER BY ALL LIMIT {limit}')
    return rows.select(table.schema.names).cast(table.schema)


def put(pipeline: LocalPipeline, table: Table, rows: pa.Table, **columns: Any) -> None:
    """Append rows with some columns set to other values."""
    for name, value in columns.items():
        field = table.schema.field(name)
        rows = rows.set_column(rows.column_names.index(name), field, pa.repeat(pa.scalar(value, field.type), len(rows)))
    writer = PartitionWriter(table, pipeline.lake.uri(table), pipeline.lake.storage, "damage")
    writer.add(rows)
    commit(pipeline.lake, table, TableChange(writer.close(), [], []), TransactionId.unique("damage"))
    derived(pipeline)


def take(pipeline: LocalPipeline, table: Table, **values: str) -> None:
    """Take the rows away whose columns have these values."""
    gone = pc.scalar(True)
    for name, value in values.items():
        gone = gone & (pc.field(name) == value)
    writer = PartitionWriter(table, pipeline.lake.uri(table), pipeline.lake.storage, "damage")
    removed = []
    for file in live_files(pipeline.lake.open(table)):
        rows = dataset(pipeline.lake, table, [file]).to_table()
        if len(kept := rows.filter(~gone)) < len(rows):
            removed.append(file)
            writer.add(kept)
    commit(pipeline.lake, table, TableChange(writer.close(), removed, []), TransactionId.unique("damage"))
    derived(pipeline)


def killed(pipeline: LocalPipeline) -> None:
    with operation(pipeline.config, "erase", {"app": "shop"}):
        pass
    take(pipeline, TABLES["operation"], status="done")


def layout(number: int) -> Callable[[LocalPipeline], None]:
    return lambda pipeline: pipeline.lake.open(ITEM).alter.set_table_properties(
        {LAYOUT_KEY: str(number)}, raise_if_not_exists=False
    )


def forget_derive(pipeline: LocalPipeline) -> None:
    (pipeline.folder / "lake/_checkpoints/derive/commits/0").unlink()


EVENT_A = "app_id = 'shop' AND event_id = '1-a'"
TOLD = "event: event and change have "
SAMPLED = "of a sample, 1 rows "
COUNTED = f"session: {SAMPLED}differ in event_count: shop u-1 s-1 2026-05-2"
# damage: what the checks say then (beginnings), by check; all others find nothing
DAMAGES: dict[str, tuple[Callable[[LocalPipeline], Any], dict[str, list[str]]]] = {
    "none": (lambda _: None, {}),
    "compacted": (lambda pipeline: optimize.run(pipeline.config, TABLES.values(), QUIET), {}),
    "a file is gone": (lambda pipeline: path_of(pipeline, ITEM).unlink(), {"files": ["item: files are missing: 1: app_id=shop/"], "unique_keys": [": could not be checked: "]}),
    "a file was cut": (lambda pipeline: path_of(pipeline, TABLES["quarantine"]).write_bytes(b"PAR1"), {"files": ["quarantine: files of another size than the log says: 1: part-"], "set_aside": [": could not be checked: "]}),
    "a command was killed": (killed, {"operations": ['operation: was interrupted: erase {"app":"shop"}, begun ']}),
    "a batch is out of balance": (
        lambda pipeline: put(pipeline, RUN_METRICS, rows_of(pipeline, RUN_METRICS), received=77, batch_id=9, written=0),
        {"balance": ["run_metrics: received is not written + duplicate + filtered + quarantined in 1 micro-batches: batch 9 of all (77 ≠ "]},
    ),
    "an event was lost": (
        lambda pipeline: take(pipeline, EVENT, app_id="shop", event_id="1-a"),
        {"stored_rows": [f"{TOLD}24 rows, run_metrics counts 25"], "rebuilt_sample": [COUNTED]},
    ),
    "an event is there twice": (
        lambda pipeline: put(pipeline, EVENT, rows_of(pipeline, EVENT, EVENT_A)),
        {
            "stored_rows": [f"{TOLD}26 rows, run_metrics counts 25"],
            "unique_keys": ["event: shop 2026-05-28: keys that are there more than once: 1: shop 1-a (2 times)"],
            "rebuilt_sample": [COUNTED],
        },
    ),
    "an event is there on two days": (
        lambda pipeline: put(pipeline, EVENT, rows_of(pipeline, EVENT, EVENT_A), day=29),
        {
            "stored_rows": [f"{TOLD}26 rows, run_metrics counts 25"],
            "unique_keys": ["event: shop 2026-05-28: keys that are there more than once: 1: shop 1-a (2 times)"],
            "rebuilt_sample": [COUNTED],
        },
    ),
    "two events share an id, days apart": (
        lambda pipeline: put(pipeline, EVENT, rows_of(pipeline, EVENT, EVENT_A), day=30),
        {"stored_rows": [f"{TOLD}26 rows, run_metrics counts 25"], "rebuilt_sample": [COUNTED]},
    ),
    "a user is there twice": (
        lambda pipeline: put(pipeline, USER, rows_of(pipeline, USER, "app_id = 'shop'")),
        {"unique_keys": ["user: shop: keys that are there more than once: 1: shop u-0 (2 times)"]},
    ),
    "a user is missing": (
        lambda pipeline: take(pipeline, USER, app_id="shop", user_pseudo_id="u-1"),
        {"known_users": ["user: shop: 1 ids with events have no row, such as u-1"]},
    ),
    "a user without events": (
        lambda pipeline: put(pipeline, USER, rows_of(pipeline, USER), user_pseudo_id="who"),
        {
            "known_users": ["user: my shop/é'%2F: 1 rows are of ids without events, such as who"],
            "rebuilt_sample": [f"user: {SAMPLED}should not be: my shop/é'%2F who"],
        },
    ),
    "a session is missing": (
        lambda pipeline: take(pipeline, SESSION, session_id="s-2"),
        {"rebuilt_sample": [f"session: {SAMPLED}are missing: shop u-2 s-2 2026-05-27"]},
    ),
    "a user's row is wrong": (
        lambda pipeline: (put(pipeline, USER, rows_of(pipeline, USER, "user_pseudo_id = 'u-1' AND app_id = 'shop'"), user_id="me", app_id="x"), put(pipeline, EVENT, rows_of(pipeline, EVENT, EVENT_A), app_id="x"), put(pipeline, SESSION, rows_of(pipeline, SESSION, "user_pseudo_id = 'u-1' AND app_id = 'shop'"), app_id="x")),
        {"stored_rows": [TOLD], "rebuilt_sample": ["user: of a sample, 1 rows differ in user_id: x u-1"]},
    ),
    "derive is behind": (forget_derive, {"known_users": ["user: user and session lack some events"], "rebuilt_sample": ["user: user and session lack"]}),
    "an older layout": (layout(1), {"layouts": [f"item: has layout 1 of {LAYOUT_VERSION}"]}),
    "a newer layout": (layout(99), {"layouts": ["item: "]}),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGES)
def test_what_is_found(case: str, sound: LocalPipeline, tmp_path: Path) -> None:
    damage, wanted = DAMAGES[case]
    pipeline = copied(sound, tmp_path)
    damage(pipeline)
    if damage is not forget_derive:
        derived(pipeline)
    before = sorted(tmp_path.rglob("*"))
    found = problems(pipeline)
    assert sorted(tmp_path.rglob("*")) == before
    assert set(found) == set(wanted), found
    for name, beginnings in wanted.items():
        if name != "rebuilt_sample":
            assert len(found[name]) == len(beginnings), found[name]
        for beginning in beginnings:
            assert any(message.startswith(beginning) for message in found[name]), found[name]


def test_keys_are_compared_in_parts(sound: LocalPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: more rows than fit are taken apart by a hash of their key."""
    monkeypatch.setattr(check_context, "MAX_ROWS_PER_QUERY", 3)
    pipeline = copied(sound, tmp_path)
    assert problems(pipeline) == {}
    put(pipeline, EVENT, rows_of(pipeline, EVENT, "app_id = 'shop'", limit=50))
    names = [message.partition(": ")[0] for message in problems(pipeline)["unique_keys"]]
    assert len(names) > 1
    take(pipeline, USER)
    assert len(problems(pipeline)["known_users"]) == 2


def test_an_erasure_is_counted_on_from(sound: LocalPipeline, tmp_path: Path) -> None:
    """Rows that a command took away are not missing; what is lost or comes after it is counted as ever."""
    pipeline = copied(sound, tmp_path)
    pipeline.created_ms = int(datetime.now(UTC).timestamp() * 1_000)
    with operation(pipeline.config, "erase", {}):
        take(pipeline, EVENT, app_id="shop", event_id="1-a")
    assert "stored_rows" not in problems(pipeline)
    optimize.run(pipeline.config, TABLES.values(), QUIET)
    pipeline.created_ms = int(datetime.now(UTC).timestamp() * 1_000)
    pipeline.ingest(write(tmp_path / "raw", "z.gz", line(event("z1"), event("z2"), event("always"), rid="r-z")))
    assert "stored_rows" not in problems(pipeline)
    take(pipeline, EVENT, event_id="z1")
    with operation(pipeline.config, "optimize", {}):
        pass  # says how much is stored, too, but explains nothing
    [said] = problems(pipeline)["stored_rows"]
    assert "counted from the last erase" in said


@pytest.mark.parametrize(("put_in", "said"), [(0, None), (1, "took 1 out, put 1 in and left 24"), (-1, "took 1 out, put -1 in")])
def test_a_reprocessing_is_held_to_what_it_says(put_in: int, said: str | None, sound: LocalPipeline, tmp_path: Path) -> None:
    """What it lost is not counted on from as if it had never been."""
    pipeline = copied(sound, tmp_path)
    with operation(pipeline.config, "reprocess", {}) as this:
        this.result |= {"stored_before": stored_rows(pipeline.lake), "taken_out": 1, "replaced": 0, "put_in": put_in}
        take(pipeline, EVENT, app_id="shop", event_id="1-a")
    found = problems(pipeline).get("stored_rows", [])
    assert [said in message for message in found if said] == [True] * (said is not None)
    assert len(found) == (said is not None)


def test_the_command(sound: LocalPipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = copied(sound, tmp_path)
    config = tmp_path / "c.json"
    config.write_text(pipeline.config.model_dump_json(exclude_defaults=True))

    def call(*options: str) -> tuple[int, str, str]:
        return _exit_code(["tables", "check", "-c", str(config), *options], debug=False), *capsys.readouterr()

    code, output, errors = call("--json", "--sample", "2")
    names = ["layouts", *(check.__name__ for check in CHECKS)]
    assert (code, [json.loads(row)["name"] for row in output.splitlines()], errors) == (0, names, "")
    take(pipeline, USER, app_id="shop", user_pseudo_id="u-1")
    with lock_lake(pipeline.config, "run test"):
        code, output, errors = call()
    assert code == 6
    assert "problem known_users: Every user" in output
    assert "        → clickstream rebuild user\n" in output
    assert errors.startswith("error: 1 problems in ")


def test_every_check_says_what_it_promises() -> None:
    assert all((check.__doc__ or "").endswith(".") for check in CHECKS)
