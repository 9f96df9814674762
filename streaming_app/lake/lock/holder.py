"""The holder of a lock, and whether that process is still alive."""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from pathlib import Path

import msgspec
import psutil


class Holder(msgspec.Struct, frozen=True):
    """The content of a lock. A growing ``renewals`` shows that the holder is alive, without trusting another machine's clock."""

    id: str
    purpose: str = msgspec.field(name="what")
    """Why it holds the lock, for messages."""
    since: str
    host: str
    process: int
    process_started: float
    ttl_seconds: float
    renewals: int = 0
    renewed: float = 0.0
    """Epoch seconds by the holder's clock."""
    released: bool = False
    boot: str = ""
    """The start of the machine, see :func:`_boot`; "" where it is not known, and in locks of earlier versions."""

    @classmethod
    def me(cls, purpose: str, since: str, ttl_seconds: float) -> Holder:
        """This process as the holder, for one use of the lock."""
        return cls(
            uuid.uuid4().hex, purpose, since, _machine(), os.getpid(), psutil.Process().create_time(), ttl_seconds, boot=_boot()
        )

    @property
    def is_here(self) -> bool:
        """Whether the holder is or was a process of this machine since it started."""
        return self.host == _machine() and self.boot == _boot()

    @property
    def is_alive_here(self) -> bool:
        """Whether that same process still runs on this machine; another one may have its process id now."""
        try:
            return abs(psutil.Process(self.process).create_time() - self.process_started) < 1
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        return f"{self.purpose} since {self.since} (process {self.process} on {self.host})"


def _machine() -> str:
    """The machine or container in which process ids are unique."""
    numbers = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()} {numbers.readlink()}" if numbers.is_symlink() else socket.gethostname()


def _boot() -> str:
    """A random number of each start of a machine: workers in the cloud may have the same host name and process ids by turns."""
    number = Path("/proc/sys/kernel/random/boot_id")
    return number.read_text().strip() if number.is_file() else ""


def actor() -> str:
    """The user and machine that run this, for the audit log."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
