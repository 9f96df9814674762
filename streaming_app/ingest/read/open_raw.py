"""Opens raw files, and classifies errors: either this one file can never be read, or the storage fails.

A storage failure must end the run: if it were blamed on the file, an outage would set every file aside.
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
"""Operating system errors that concern a single file. EIO is not among them: a failing disk affects all files."""

_ABOUT_THE_OBJECT = frozenset(
    ("AccessDenied", "InvalidObjectState", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed", "KeyTooLongError", "InvalidRequest")
)
"""Error codes of S3's GetObject that concern a single object: no permission, archived, deleted, a delete marker, or encrypted
with a customer-provided key (InvalidRequest). So do all codes that begin with KMS. Expired or unknown credentials, a wrong
signature, a missing bucket, throttling and 5xx have other codes."""
# Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html

_ASKED_AT_ONCE = 8

_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM))


class UnreadableFile(NamedTuple):
    """Why a file can never be read; ``forbidden`` if a permission is missing."""

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
            yield stream  # Arrow refuses a key with an empty part, and requests a different key if a part is "." or ".."
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
    """Open a regular file of this machine; for a file below ``source``, no symbolic link may lead out of ``source``.

    The resolved path is opened part by part from ``source`` on, without following links: a part that is replaced by a link in
    the meantime is refused.

    Raises:
        OSError: it cannot be opened, or is not a regular file; EXDEV if a link leads out of ``source``.
        UnicodeError: its name is not UTF-8.
    """
    path.encode()
    found = (
        _open_beneath(path, source)
        if source is not None and _is_below(path, source)
        else os.open(
            path, _READ
        )  # outside of the source: named by a row that was stored when the source was another, or by the user
    )
    kind = os.fstat(found).st_mode
    if not stat.S_ISREG(kind):
        os.close(found)
        raise OSError(errno.EISDIR if stat.S_ISDIR(kind) else errno.ENXIO, path)
    return FileIO(found, "rb")


_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # without it, opening a pipe would wait for its writer
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
    """Why the file can never be read; None if the error does not concern the file."""
    if isinstance(error, (pa.ArrowInvalid, UnicodeError)):
        return UnreadableFile(f"a name that cannot be opened: {error}")
    if not is_s3(uri):
        number = getattr(error, "errno", None)
        return UnreadableFile(_LOCAL[number], number in _FORBIDDEN) if number in _LOCAL else None
    return find_refusals(storage, [uri]).get(uri)


def find_refusals(storage: Storage, uris: Sequence[str]) -> dict[str, UnreadableFile]:
    """Find the objects that S3 refuses for good, with the error that S3 returns.

    Arrow's errors do not contain the code if the response has no body (HEAD), or if Arrow does not know the code.
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
