"""Isolates the files of a micro-batch that kill their tasks, so that the others are processed.

A file can kill the process that reads it: a plugin crashes the interpreter, a value takes all memory, this application has a bug.
Such a file would stop its stream for good, because the next run gets the same micro-batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from streaming_app.errors import ClickstreamError

F = TypeVar("F")
R = TypeVar("R")


@dataclass
class Isolated(Generic[F, R]):
    """The results of the good files, and the failed files, each with its last error."""

    results: list[R] = field(default_factory=list)
    failed: list[tuple[F, Exception]] = field(default_factory=list)


def isolate(files: Sequence[F], run: Callable[[Sequence[F]], R]) -> Isolated[F, R]:
    """Run all files together; if that fails, find the files that cause it by bisection.

    1. Run all files; if that fails, try once more, since most failures are transient.
    2. Run without any file: if that fails too, the files are not the cause, and the error is raised.
    3. Run the halves (every second file, which separates neighbours), then the halves of those that fail, and so on.
       A single file that fails twice is given up.

    ``run`` may be called with the same file any number of times: what a failed call leaves behind must have no effect.

    Raises:
        ClickstreamError: as ``run`` raises it, such as a storage failure: the files are not the cause.
        Exception: the first error, if the files are not the cause.
    """
    if not files:
        return Isolated([run(files)])
    for last in (False, True):
        try:
            return Isolated([run(files)])
        except ClickstreamError:
            raise
        except Exception as error:
            if last:
                _raise_if_it_fails_without_files(run, error)
                if len(files) == 1:
                    return Isolated(failed=[(files[0], error)])
    found: Isolated[F, R] = Isolated()
    waiting = _halves(files)
    while waiting:
        part = waiting.pop()
        try:
            found.results.append(run(part))
        except ClickstreamError:
            raise
        except Exception:
            if len(part) > 1:
                waiting += _halves(part)
            elif again := _error_of(part, run, found):
                found.failed.append((part[0], again))
    return found


def _halves(files: Sequence[F]) -> list[Sequence[F]]:
    """The halves of a list, the second one first, because the caller takes them from the end."""
    return [files[1::2], files[::2]]


def _error_of(part: Sequence[F], run: Callable[[Sequence[F]], R], found: Isolated[F, R]) -> Exception | None:
    """Run a part once more; returns its error, or None if it succeeds."""
    try:
        found.results.append(run(part))
    except ClickstreamError:
        raise
    except Exception as error:
        return error
    return None


def _raise_if_it_fails_without_files(run: Callable[[Sequence[F]], R], error: Exception) -> None:
    try:
        run(())
    except Exception:
        raise error from None
