"""Opening a raw file, and what an error says of it: whether this one file cannot be read for good, or the storage fails.

An error of the storage must end the run: taken for the file's own, an outage would set every file aside.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from streaming_app.backlog.unreadable_names import NO_NAMES
from streaming_app.storage.files import Storage
from streaming_app.storage.local_objects import LEADS_OUT
from streaming_app.storage.uris import is_s3

if TYPE_CHECKING:
    from streaming_app.storage.s3_objects import S3Objects

_LOCAL = {
    errno.ENOENT: "it is not there any more, or is a link to nothing",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EISDIR: "is a folder",
    errno.ENOTDIR: "a part of its path is no folder",
    errno.ELOOP: "is a link to itself",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ENXIO: "is no ordinary file",
    errno.EXDEV: LEADS_OUT,
}
"""Errors of the system that concern the file alone. EIO is none: a disk that fails does so for all."""

_ABOUT_THE_OBJECT = frozenset(
    ("AccessDenied", "InvalidObjectState", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed", "KeyTooLongError", "InvalidRequest")
)
"""Codes with which S3 refuses GetObject of this object: no right on it, archived, gone, a delete marker, or encrypted with a key
of the customer (InvalidRequest). So do all codes that begin with KMS. Expired or unknown credentials, a wrong signature, a
bucket that is not there, throttling and 5xx have others."""
# Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html

_ASKED_AT_ONCE = 8

_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM))


class UnreadableFile(NamedTuple):
    """Why a file cannot be read for good; ``forbidden`` for lack of a right."""

    why: str
    forbidden: bool = False

    def __str__(self) -> str:
        return self.why


@contextmanager
def open_raw(storage: Storage, uri: str) -> Iterator[Any]:
    """The raw file as a readable stream.

    Raises:
        OSError, ArrowInvalid, UnicodeError: it cannot be opened; see :func:`explain_unreadable`.
    """
    if is_s3(uri) and not set(NO_NAMES).isdisjoint(_parts(uri)):
        with closing(_s3(storage).open(uri)) as stream:
            yield stream  # Arrow refuses a key with an empty part, and asks for another where one is a dot or two
        return
    system, path = storage.filesystem(uri)
    if "\0" in path:
        raise pa.ArrowInvalid("a zero byte in it")
    if not is_s3(uri):
        with open_local(path, storage.source) as stream:
            yield stream
        return
    with system.open_input_stream(path, compression=None) as stream:
        yield stream


def open_local(path: str, source: str | None) -> FileIO:
    """An ordinary file of this machine; of one in ``source``, no link on the way may lead out of it.

    The path without links is walked from ``source`` on, part by part: whatever becomes a link meanwhile is not followed.

    Raises:
        OSError: it cannot be opened, or is no ordinary file; EXDEV where a link leads out.
        UnicodeError: its name is no UTF-8.
    """
    path.encode()
    found = (
        _open_beneath(path, source)
        if source is not None and _is_below(path, source)
        else os.open(path, _READ)  # named by a stored row of before, when the source was another, or by the user
    )
    kind = os.fstat(found).st_mode
    if not stat.S_ISREG(kind):
        os.close(found)
        raise OSError(errno.EISDIR if stat.S_ISDIR(kind) else errno.ENXIO, path)
    return FileIO(found, "rb")


_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # or opening a pipe would wait for its writer
_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


def _open_beneath(path: str, source: str) -> int:
    real, root = os.path.realpath(path), os.path.realpath(source)
    if not _is_below(real, root):
        raise OSError(errno.EXDEV, path)
    *folders, name = Path(os.path.relpath(real, root)).parts
    here = os.open(root, _PASS)
    try:
        for each in folders:
            below = os.open(each, _PASS | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        return os.open(name, _READ | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)


def _is_below(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder


def explain_unreadable(storage: Storage, uri: str, error: Exception) -> UnreadableFile | None:
    """Why the file cannot be read for good; None where the error says nothing of it."""
    if isinstance(error, (pa.ArrowInvalid, UnicodeError)):
        return UnreadableFile(f"a name that cannot be opened: {error}")
    if not is_s3(uri):
        number = getattr(error, "errno", None)
        return UnreadableFile(_LOCAL[number], number in _FORBIDDEN) if number in _LOCAL else None
    return find_refusals(storage, [uri]).get(uri)


def find_refusals(storage: Storage, uris: Sequence[str]) -> dict[str, UnreadableFile]:
    """The objects that S3 refuses to give for good, and why, in its own words.

    Arrow's errors hide the code where the answer has no body (HEAD), and where it does not know it.
    """
    if not uris:
        return {}
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        told = dict(zip(uris, pool.map(_s3(storage).refusal, uris), strict=True))
    return {
        uri: UnreadableFile(": ".join(refused), refused[0] == "AccessDenied")
        for uri, refused in told.items()
        if refused and (refused[0] in _ABOUT_THE_OBJECT or refused[0].startswith("KMS"))
    }


def _s3(storage: Storage) -> S3Objects:
    from streaming_app.storage.s3_objects import S3Objects  # noqa: PLC0415 - boto3 takes a third of a second, and is rarely needed

    return S3Objects.connect(storage.endpoint, storage.region)


def _parts(uri: str) -> list[str]:
    return uri.partition("://")[2].split("/")
