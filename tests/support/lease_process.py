"""A process that wants a lease: ``python -m tests.support.lease_process TTL_SECONDS MACHINE``.

Each line of its input is the URI of one: it says ``held`` once it has it, or why it was refused, and gives it back at the next
line or the end. ``MACHINE`` is the one that it claims to run on, ``here`` the true one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

from streaming_app.errors import LockError
from streaming_app.lake.lock.writer_lock import acquire_lock
from streaming_app.storage.conditional_object import conditional_object_at
from streaming_app.storage.files import Storage

ROOT = Path(__file__).parents[2]
HERE, ELSEWHERE = "here", "another-machine"
HELD = "held"
CONTENDERS = 4
LONG = 600.0
"""Longer than any test: such a lease does not end by itself."""


def storage() -> Storage:
    return Storage(os.environ.get("AWS_ENDPOINT_URL"), os.environ.get("AWS_REGION"))


@contextmanager
def contender(ttl_seconds: float = LONG, machine: str = HERE) -> Iterator[subprocess.Popen[str]]:
    """A process that wants nothing yet; at the end of the block it gives back what it has, unless it was killed."""
    command = [sys.executable, "-m", __name__, str(ttl_seconds), machine]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.communicate()


@contextmanager
def holder(uri: str, ttl_seconds: float = LONG, machine: str = HERE) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lease."""
    with contender(ttl_seconds, machine) as process:
        wants(process, uri)
        assert answer_of(process) == HELD
        yield process


def wants(process: subprocess.Popen[str], uri: str) -> None:
    assert process.stdin
    process.stdin.write(f"{uri}\n")
    process.stdin.flush()


def answer_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def killed(process: subprocess.Popen[str]) -> None:
    """By SIGKILL: it gives nothing back."""
    process.kill()
    process.wait()


def races(uris: list[str]) -> Iterator[list[str]]:
    """What several processes that want the same lease at once are answered, the winner first."""
    with ExitStack() as stack:
        processes = [stack.enter_context(contender()) for _ in range(CONTENDERS)]
        for uri in uris:
            for process in processes:
                wants(process, uri)
            yield sorted(map(answer_of, processes))


def _main(ttl_seconds: float) -> None:
    held = ExitStack()
    for line in sys.stdin:
        held.close()
        try:
            held.enter_context(acquire_lock(conditional_object_at(line.strip(), storage()), "test-holder", ttl_seconds))
        except LockError as error:
            print(error, flush=True)
        else:
            print(HELD, flush=True)
    held.close()


if __name__ == "__main__":
    _machine = sys.argv[2]
    with patch("streaming_app.lake.lock.holder._machine", lambda: _machine) if _machine != HERE else nullcontext():
        _main(float(sys.argv[1]))
