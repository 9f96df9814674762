"""The lease on S3: conditional writes over HTTP, including lost responses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import boto3
import pytest

from streaming_app.errors import LockError, SinkError
from streaming_app.lake.lock.writer_lock import acquire_lock
from streaming_app.storage.conditional_object import ConditionalObject, conditional_object_at
from tests.support.faults import (
    ACCESS_DENIED,
    CONFLICT,
    INTERNAL_ERROR,
    SLOW_DOWN,
    Answer,
    Fault,
    Faults,
    done_but,
    reset,
    serving_faults,
)
from tests.support.lease_process import ELSEWHERE, HELD, LONG, holder, killed, races, storage
from tests.support.moto import REGION

BUCKET = "clickstream-lease"
PUT = r"^PUT /\S+/_lease\.json"
RACES = 10
AWAKE = 4.0
TRIES = 10
"""So often botocore repeats a call."""


@pytest.fixture(scope="module")
def service(endpoint: str) -> Iterator[tuple[Faults, str]]:
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
    with serving_faults() as found:
        yield found


@pytest.fixture
def uri(faults: Faults, request: pytest.FixtureRequest) -> str:
    return f"s3://{BUCKET}/{abs(hash(request.node.name))}/_lease.json"


@pytest.fixture
def slot(uri: str) -> ConditionalObject:
    return conditional_object_at(uri, storage())


def taken(slot: ConditionalObject) -> None:
    with acquire_lock(slot, "me", LONG) as lease:
        lease.check()


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("before", [lambda _: None, taken], ids=["nothing", "given back"])
def test_one_of_many_wins(before: Callable[[ConditionalObject], None], uri: str) -> None:
    uris = [f"{uri}-{number}" for number in range(RACES)]
    for each in uris:
        before(conditional_object_at(each, storage()))
    for first, *others in races(uris):
        assert first == HELD
        assert all(answer.startswith("the tables are in use: test-holder since") for answer in others)


def test_the_lease_of_a_killed_process_is_free(slot: ConditionalObject, uri: str) -> None:
    with holder(uri) as process:
        with pytest.raises(LockError, match=rf"in use: test-holder since .* \(process {process.pid} on"):
            taken(slot)
        killed(process)
        taken(slot)


def test_the_lease_of_another_machine_expires(slot: ConditionalObject, uri: str) -> None:
    with holder(uri, AWAKE, ELSEWHERE) as process:
        with pytest.raises(LockError, match=f"process {process.pid} on {ELSEWHERE}"):
            taken(slot)
        killed(process)
    with holder(uri, 1.0, "a-third-machine") as process:  # which has waited for it, and dies too
        killed(process)
    taken(slot)


LOST = {"done, but 500": done_but(INTERNAL_ERROR), "done, but cut off": done_but(reset), "done, but 409": done_but(CONFLICT)}
NOT_DONE = {"503": SLOW_DOWN, "500": INTERNAL_ERROR, "cut off": reset, "409": CONFLICT}


@pytest.mark.parametrize("answer", [*LOST.values(), *NOT_DONE.values()], ids=[*LOST, *NOT_DONE])
def test_the_lease_survives_failed_and_lost_writes(answer: Answer, slot: ConditionalObject, faults: Faults) -> None:
    """At acquisition, at renewal and at release."""
    faults.faults = [Fault(answer, PUT, times=1)]
    with acquire_lock(slot, "me", AWAKE) as lease:
        assert faults.struck == 1
        before = slot.read()
        faults.faults = [Fault(answer, PUT, times=1)]
        until(lambda: slot.read() != before and faults.struck == 2)
        lease.check()
        faults.faults = [Fault(answer, PUT, times=1)]
    assert faults.struck == 3
    taken(slot)


@pytest.mark.parametrize("name", ["done, but 500", "done, but cut off"])
def test_a_renewal_that_was_given_up(name: str, slot: ConditionalObject, faults: Faults) -> None:
    """All its tries were done and seemed to fail: the next one goes on from them."""
    with acquire_lock(slot, "me", AWAKE) as lease:
        faults.faults = [Fault(LOST[name], PUT, times=TRIES)]
        until(lambda: faults.struck == TRIES)
        before = slot.read()
        until(lambda: slot.read() != before)
        lease.check()
    taken(slot)


def test_a_missing_permission_is_a_clear_error(slot: ConditionalObject, faults: Faults) -> None:
    faults.faults = [Fault(ACCESS_DENIED, PUT)]
    with pytest.raises(SinkError, match=r"the lock on the tables cannot be acquired: .*AccessDenied") as error:
        taken(slot)
    assert error.value.exit_code == 4
