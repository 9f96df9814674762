"""Erasure removes a person from all tables, quarantine and raw files, and leaves all other rows unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from streaming_app.commands import erase
from streaming_app.commands.erase.person import Person
from streaming_app.errors import ConfigError
from streaming_app.lake.query import query
from streaming_app.metrics.progress import LogProgress
from streaming_app.model.tables import TABLES
from tests.spark.job import Job
from tests.spark.test_crash import changes
from tests.support.raw import NOW, event, line, write
from tests.support.sources import APPS

X, Y = "u-erase-me", "jane@example.com"


def requests() -> Iterator[tuple[str, list[bytes]]]:
    """Raw files: X anonymous, X logged in as Y, Y on a shared device, others, dirt that names X, packed and plain."""
    mine: dict[str, Any] = {"unique_id": X}
    login = {"unique_id": X, "user": {"_user_id": {"value": Y, "set_timestamp": NOW}}}
    shared = {"unique_id": "u-shared", "user": {"_user_id": {"value": Y, "set_timestamp": NOW}}}
    others = {"unique_id": "u-shared", "user": {"_user_id": {"value": "bob", "set_timestamp": NOW}}}
    yield "a", [line(event("a1", **mine), event("a2", **mine, items=[{"id": "i"}])), line(event("o1", unique_id=f"{X}-2"))]
    yield "b", [line(event("a3", **login), event("o2", items=[{"id": "j"}]), rid="r-2", packed=True)]
    yield "c", [line(event("s1", **shared), event("s2", **others), event("s3", unique_id="u-shared"), rid="r-3")]
    yield "d", [line({"bad": X}, {"bad": "somebody"}, rid="r-4", packed=True), f'{{"broken {X}'.encode(), b'{"broken other']
    yield "e", [changes("r-c1", ("profile_set", X, {"tier": "gold"}), ("profile_set", "d-2", {"tier": "gold"}))]


@pytest.fixture(scope="module")
def once_run(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = Job(tmp_path_factory.mktemp("once"), APPS)
    for name, lines in requests():
        write(job.folder / "raw", f"{name}.gz", *lines)
    job.run()
    return job


@pytest.fixture
def job(once_run: Job) -> Iterator[Job]:
    with once_run.kept_as_it_is() as job:
        yield job


def everything(job: Job, app_id: str = "shop") -> str:
    """All text of an app in all tables."""
    rows = {
        name: query(job.lake, f"SELECT * FROM \"{name}\" WHERE coalesce(app_id, '{app_id}') = '{app_id}'").to_pylist()
        for name, table in TABLES.items()
        if "app_id" in table.schema.names
    }
    return json.dumps(rows, default=str)


def others_rows(job: Job) -> dict[str, list[dict[str, Any]]]:
    mine = f"user_pseudo_id <> '{X}' AND user_pseudo_id NOT LIKE 'erased-%'"
    return {name: job.rows(name, mine) for name in ("event", "item", "user", "session")}


@pytest.mark.parametrize("mode", ["delete", "anonymise"])
def test_erase_by_pseudonymous_id_removes_the_person_only(mode: Any, job: Job) -> None:
    before, kept = job.derived_tables(), others_rows(job)
    person = Person("shop", user_pseudo_id=X)
    told = erase.plan(job.config, person, raw=True)
    assert everything(job).count(X) > 5
    done = erase.run(job.config, person, mode, LogProgress(), raw=True)
    assert {name: done[name] for name in told} == told
    assert (done["event"], done["item"], done["quarantine"], done["remaining"]) == (3, 1, 2, 0)
    assert (done["raw_files"], done["raw_unreadable"]) == (3, 0)
    assert f'"{X}"' not in everything(job)
    assert others_rows(job) == kept
    assert len(job.rows("event")) == len(before["event"]) - (3 if mode == "delete" else 0)
    job.run()
    assert others_rows(job) == kept
    if mode == "anonymise":
        anonymous = job.rows("event", "user_pseudo_id LIKE 'erased-%'")
        assert len({row["user_pseudo_id"] for row in anonymous}) == 1
        assert {row["event_name"] for row in anonymous} == {"_page_view"}
        assert [row for row in anonymous if row["user_id"] or row["custom_parameters_json_str"] or row["device_ua"]] == []
        assert len(job.rows("session", "user_pseudo_id LIKE 'erased-%'")) == 1
    again = erase.run(job.config, person, mode, LogProgress(), raw=True)
    assert {name: again[name] for name in ("event", "item", "change", "quarantine", "raw_lines")} == dict.fromkeys(
        ("event", "item", "change", "quarantine", "raw_lines"), 0
    )


def test_erased_raw_files_are_readable(job: Job, tmp_path: Path) -> None:
    """What is left of them makes the tables that are left; a run does not take them for new files."""
    erase.run(job.config, Person("shop", user_pseudo_id=X), "delete", LogProgress(), raw=True)
    assert job.run().counts.files == 0
    fresh = Job(tmp_path / "fresh", APPS)
    fresh.config = job.config.model_copy(update={"sink": fresh.config.sink})
    fresh.run()
    assert fresh.derived_tables() == job.derived_tables()
    unresolved = "SELECT reason, raw FROM quarantine ORDER BY ALL"
    assert fresh.query(unresolved) == job.query(unresolved)


def test_erase_by_login_id_keeps_others_on_a_shared_device(job: Job) -> None:
    links = erase.find_linked_ids(job.config, Person("shop", user_id=Y))
    assert {link.user_pseudo_id: (link.with_login, link.anonymous, link.other_logins) for link in links} == {
        X: (1, 2, 0),
        "u-shared": (1, 1, 1),
    }
    listed = [link.user_pseudo_id for link in links]
    done = erase.run(job.config, Person("shop", user_id=Y), "delete", LogProgress(), listed=listed, confirmed="--yes")
    assert (done["remaining"], done["linked_ids"], done["linked_ids_left"], done["confirmed"]) == (0, 2, 0, "--yes")
    [row] = job.query("SELECT arguments, result FROM operation WHERE status = 'done'")
    assert (json.loads(row["arguments"])["linked"], json.loads(row["result"])["linked_ids"]) == ("listed", 2)
    assert Y not in everything(job)
    assert {row["event_id"] for row in job.rows("event")} == {"o1", "o2", "s2"}  # s3 was nobody's: it may have been Y's
    assert {row["user_id"] for row in job.rows("user", "user_pseudo_id = 'u-shared'")} == {"bob"}


def test_erase_by_login_id(job: Job) -> None:
    """A login that was linked to the id of another person takes no rows of theirs along."""
    person = Person("shop", user_id=Y)
    assert erase.plan(job.config, person, raw=True, linked="none")["event"] == 2
    before = job.rows("event", "user_id IS NULL")
    done = erase.run(job.config, person, "delete", LogProgress(), raw=True, linked="none", listed=[])
    assert (done["event"], done["remaining"], done["linked_ids"], done["linked_ids_left"]) == (2, 0, 0, 2)
    assert job.rows("event", "user_id IS NULL") == before
    assert Y not in everything(job)
    [row] = job.query("SELECT arguments FROM operation WHERE status = 'done'")
    assert json.loads(row["arguments"])["linked"] == "none"


def test_erase_keeps_the_same_id_in_another_app(job: Job) -> None:
    assert X in everything(job, "sensors")
    done = erase.run(job.config, Person("sensors", user_pseudo_id=X), "anonymise", LogProgress())
    assert (done["event"], done["change"]) == (0, 1)
    assert f'"{X}"' not in everything(job, "sensors")
    assert len(job.rows("event", f"user_pseudo_id = '{X}'")) == 3
    assert {row["user_pseudo_id"] for row in job.rows("user", "app_id = 'sensors'")} == {"d-2"}


def test_the_audit_does_not_name_the_person(job: Job) -> None:
    person = Person("shop", user_pseudo_id=X)
    done = erase.run(job.config, person, "delete", LogProgress())
    rows = job.query("SELECT * FROM operation ORDER BY created_time")
    assert [row["status"] for row in rows] == ["started", "done"]
    assert X not in json.dumps(rows, default=str)
    assert json.loads(rows[1]["arguments"])["person"] == done["person"] == erase.plan(job.config, person, raw=False)["person"]
    assert rows[0]["arguments"] == rows[1]["arguments"]
    assert not [
        path for path in (job.folder / "lake/_checkpoints").rglob("*") if path.is_file() and X in path.read_text(errors="ignore")
    ]


@pytest.mark.parametrize("ids", [{}, {"user_id": "a", "user_pseudo_id": "b"}], ids=["none", "both"])
def test_one_id_is_asked_for(ids: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="one of them"):
        Person("shop", **ids)
