"""One writer at a time, with real processes: acquiring, renewing, releasing and losing the lease."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from streaming_app.environment import holder_of, lock_lake
from streaming_app.errors import LockError, SinkError
from streaming_app.lake.lock.holder import Holder
from streaming_app.lake.lock.writer_lock import WriterLock, acquire_lock, is_free
from streaming_app.model.tables import TABLES
from streaming_app.storage.conditional_object import ConditionalObject, LocalConditionalObject, ObjectVersion
from tests.support.lake import ALL_TABLES, LocalPipeline, config_for
from tests.support.lease_process import ELSEWHERE, HELD, LONG, holder, killed, races
from tests.support.raw import event, line, write

IN_USE = r"the tables are in use: test-holder since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(process \d+ on .+\)"
RACES = 20
SHORT = 1.0
"""A lease that is over soon."""
AWAKE = 8.0
"""One that is renewed soon, and not lost because this machine has much to do."""


@pytest.fixture
def slot(tmp_path: Path) -> LocalConditionalObject:
    return LocalConditionalObject(tmp_path / "lake" / "_lease.json")


def seen(slot: ConditionalObject) -> Holder:
    found = slot.read()
    assert found
    return msgspec.json.decode(found[0], type=Holder)


def put(slot: ConditionalObject, holder: Holder) -> None:
    """As if it had been left there."""
    found = slot.read()
    assert slot.compare_and_swap(msgspec.json.encode(holder).decode(), found and found[1])


def taken(slot: ConditionalObject, what: str = "me", ttl_seconds: float = LONG) -> None:
    with acquire_lock(slot, what, ttl_seconds):
        assert seen(slot).purpose == what


def until(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that another thread does; the limit only ends a test that would never end."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def lost(lease: WriterLock) -> bool:
    try:
        lease.check()
    except LockError:
        return True
    return False


def test_lock_is_acquired_renewed_and_released(slot: LocalConditionalObject) -> None:
    with acquire_lock(slot, "me", AWAKE) as lease:
        first = seen(slot)
        until(lambda: seen(slot).renewals > first.renewals)
        lease.check()
        assert replace_times(seen(slot)) == replace_times(first)
    assert seen(slot).released
    taken(slot, "the next one")


def replace_times(holder: Holder) -> Holder:
    return msgspec.structs.replace(holder, renewals=0, renewed=0.0)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_lock_is_released_after_an_error(error: type[BaseException], slot: LocalConditionalObject) -> None:
    with pytest.raises(error), acquire_lock(slot, "me"):
        raise error
    assert seen(slot).released


def test_refused_while_another_process_holds_it(slot: LocalConditionalObject) -> None:
    with holder(str(slot.path)) as process:
        with pytest.raises(LockError, match=IN_USE) as refused:
            taken(slot)
        assert f"process {process.pid} on" in str(refused.value)
        assert refused.value.exit_code == 8
        assert "wait until it has ended" in refused.value.hint
        assert not seen(slot).released
    taken(slot)


def test_refused_to_another_thread_of_the_same_process(slot: LocalConditionalObject) -> None:
    with acquire_lock(slot, "me"), pytest.raises(LockError, match=f"in use: me since .* \\(process {os.getpid()} on"):
        taken(slot)
    taken(slot)


def test_free_at_once_when_its_process_was_killed(slot: LocalConditionalObject) -> None:
    """Its lease would last for ten minutes more."""
    with holder(str(slot.path)) as process:
        killed(process)
        assert not seen(slot).released
        taken(slot)


def test_a_machine_that_looks_like_this_one_is_another(slot: LocalConditionalObject) -> None:
    """Workers in the cloud have the same host names and process ids; that a process is not here says nothing of one over there."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = msgspec.structs.replace(Holder.me("twin", "2026-11-23T04:00:00Z", AWAKE), process=gone.pid, renewed=time.time())
    twin = msgspec.structs.replace(dead, boot="another start")
    assert is_free(dead)
    assert not is_free(twin)
    put(slot, twin)
    renewal = threading.Timer(0.5, lambda: put(slot, msgspec.structs.replace(twin, renewals=1)))
    renewal.start()
    with pytest.raises(LockError, match="the tables are in use: twin since"):
        taken(slot)
    renewal.join()


def test_a_process_with_the_number_of_a_dead_one_does_not_hold_it(slot: LocalConditionalObject) -> None:
    with acquire_lock(slot, "me", LONG):
        mine = seen(slot)
    put(slot, mine)
    with pytest.raises(LockError):
        taken(slot)
    put(slot, msgspec.structs.replace(mine, process_started=mine.process_started - 60))
    taken(slot)


def test_free_after_its_time_when_its_process_was_killed_elsewhere(
    slot: LocalConditionalObject, caplog: pytest.LogCaptureFixture
) -> None:
    with holder(str(slot.path), SHORT, ELSEWHERE) as process:
        killed(process)
        assert not is_free(seen(slot))
        with caplog.at_level(logging.INFO, "clickstream"):
            taken(slot)
    assert "waiting up to 1 s: the tables may be in use: test-holder since" in caplog.text


def test_refused_when_it_was_renewed_elsewhere_meanwhile(slot: LocalConditionalObject) -> None:
    with holder(str(slot.path), AWAKE, ELSEWHERE) as process:
        before = seen(slot).renewals
        with pytest.raises(LockError, match=f"process {process.pid} on {ELSEWHERE}"):
            taken(slot)
        assert seen(slot).renewals > before


def test_a_lock_not_renewed_for_very_long_is_free_at_once(slot: LocalConditionalObject) -> None:
    with acquire_lock(slot, "me", LONG):
        mine = seen(slot)
    put(slot, msgspec.structs.replace(mine, host="gone", renewed=mine.renewed - 61 * LONG))
    taken(slot)


def given_back(slot: ConditionalObject) -> None:
    taken(slot)


def left_by_the_dead(slot: ConditionalObject) -> None:
    with acquire_lock(slot, "me"):
        mine = seen(slot)
    put(slot, msgspec.structs.replace(mine, process_started=mine.process_started - 60))


@pytest.mark.parametrize(
    "before", [lambda _: None, given_back, left_by_the_dead], ids=["nothing", "given back", "left by the dead"]
)
def test_one_of_many_wins(before: Callable[[ConditionalObject], None], tmp_path: Path) -> None:
    slots = [LocalConditionalObject(tmp_path / str(number) / "_lease.json") for number in range(RACES)]
    for slot in slots:
        before(slot)
    for first, *others in races([str(slot.path) for slot in slots]):
        assert first == HELD
        assert all(answer.startswith("the tables are in use: test-holder since") for answer in others)


def stolen(slot: ConditionalObject) -> None:
    """As another machine takes it that has not seen it renewed for long enough."""
    done = None
    while done is None:
        text, version = slot.read() or ("", None)
        thief = msgspec.structs.replace(msgspec.json.decode(text, type=Holder), id="thief", host="thief's", purpose="the thief")
        done = slot.compare_and_swap(msgspec.json.encode(thief).decode(), version)


def test_a_process_that_lost_the_lock_cannot_commit(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    slot = LocalConditionalObject(tmp_path / "lake" / "_lease.json")
    first, second = (write(tmp_path / "raw", f"{name}.gz", line(event(name)), b"broken") for name in "ab")
    with acquire_lock(slot, "me", AWAKE) as lease:
        pipeline.lake = replace(pipeline.lake, guard=lease.check)
        pipeline.ingest(first)
        before = versions(pipeline)
        stolen(slot)
        until(lambda: lost(lease))
        with pytest.raises(LockError, match="lost to another process") as error:
            pipeline.ingest(second)
        assert error.value.exit_code == 8
        assert versions(pipeline) == before
    assert seen(slot).purpose == "the thief"  # who lost it gives nothing back
    pipeline.lake = replace(pipeline.lake, guard=lambda: None)
    pipeline.ingest_again(second)
    assert len(pipeline.rows("event")) == 2


def versions(pipeline: LocalPipeline) -> dict[str, int]:
    return {name: pipeline.lake.open(table).version() for name, table in TABLES.items()}


def test_a_process_that_renewed_too_late_cannot_commit(slot: LocalConditionalObject, caplog: pytest.LogCaptureFixture) -> None:
    """The disk, or the network, is gone, and comes back."""
    with acquire_lock(slot, "me", SHORT) as lease:
        away = slot.path.parent.with_name("away")
        slot.path.parent.rename(away)
        slot.path.parent.write_text("in the way")
        until(lambda: lost(lease))
        slot.path.parent.unlink()
        away.rename(slot.path.parent)
    assert "could not be renewed" in caplog.text


class Forgetful:
    """A slot whose answer to some writes is lost on the way: they are done, but the writer sees an error."""

    def __init__(self, slot: ConditionalObject, failing: set[int]) -> None:
        self._slot, self._failing, self.writes = slot, failing, 0

    def read(self) -> tuple[str, ObjectVersion] | None:
        return self._slot.read()

    def compare_and_swap(self, text: str, expected: ObjectVersion | None) -> ObjectVersion | None:
        self.writes += 1
        done = self._slot.compare_and_swap(text, expected)
        if self.writes in self._failing:
            raise OSError("no answer")
        return done


def test_a_renewal_whose_answer_was_lost_is_our_own(slot: LocalConditionalObject) -> None:
    forgetful = Forgetful(slot, {2, 3})
    with acquire_lock(forgetful, "me", AWAKE / 2) as lease:
        until(lambda: forgetful.writes > 4)
        lease.check()
    assert seen(slot).released


@pytest.mark.parametrize("error", [None, SinkError("what really happened")], ids=str)
def test_an_error_at_release_does_not_hide_the_first_error(
    error: SinkError | None, slot: LocalConditionalObject, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SinkError, match="what really happened") if error else nullcontext(), acquire_lock(Unwritable(slot), "me"):
        if error:
            raise error
    assert "could not be released: the disk is gone" in caplog.text


class Unwritable(Forgetful):
    """A slot that takes one write."""

    def __init__(self, slot: ConditionalObject) -> None:
        super().__init__(slot, set())

    def compare_and_swap(self, text: str, expected: ObjectVersion | None) -> ObjectVersion | None:
        if self.writes:
            raise OSError("the disk is gone")
        return super().compare_and_swap(text, expected)


@pytest.mark.parametrize("text", ["", "{}", "null", '{"id": 1}'])
def test_an_unreadable_lock_is_a_clear_error(text: str, slot: LocalConditionalObject) -> None:
    slot.path.parent.mkdir(parents=True)
    slot.path.write_text(text)
    with pytest.raises(SinkError, match="the lock on the tables cannot be acquired") as error:
        taken(slot)
    assert error.value.exit_code == 4


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    config = tmp_path / "pipeline.yaml"
    config.write_text(
        f"project_id: test\nsource: {{uri: {tmp_path}/raw}}\nsink: {{uri: {tmp_path}/lake}}\n"
        "apps:\n  shop: {transformer: clickstream_sdk}\n"
    )
    write(tmp_path / "raw", "a.gz", line(event("a")))
    return config


@pytest.mark.parametrize("command", [["run"], ["replay"]], ids=lambda each: each[0])
def test_commands_beside_an_active_holder(command: list[str], pipeline: Path) -> None:
    with holder(str(pipeline.parent / "lake" / "_lease.json")) as process:
        clickstream = str(Path(sys.executable).with_name("clickstream"))
        done = subprocess.run([clickstream, *command, "--config", str(pipeline)], capture_output=True, text=True, check=False)
        assert done.returncode == 8, done.stderr
        assert "error: the tables are in use: test-holder since 20" in done.stderr
        assert f"(process {process.pid} on" in done.stderr
        assert "hint: wait until it has ended" in done.stderr
    assert not [name for name in ALL_TABLES if (pipeline.parent / "lake" / name).exists()]


def test_the_holder_is_shown_without_waiting(tmp_path: Path) -> None:
    config = config_for(tmp_path)
    with lock_lake(config, "me") as lake:
        found = holder_of(config, lake.storage)
        assert found
        assert (found.purpose, found.process) == ("me", os.getpid())
        lake.guard()
    assert holder_of(config, lake.storage) is None
