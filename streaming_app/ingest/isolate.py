"""Which of a micro-batch's files its tasks die of, so that the others come through.

A file can kill the process that reads it: a plugin that crashes the interpreter, a value that takes all memory, a fault of ours.
Such a file would stop its stream for good, because the next run is given the same micro-batch.
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
    """What the good files made; and the others, each with the error of its last try."""

    results: list[R] = field(default_factory=list)
    failed: list[tuple[F, Exception]] = field(default_factory=list)


def isolate(files: Sequence[F], run: Callable[[Sequence[F]], R]) -> Isolated[F, R]:
    """Run all files together; after two failures by halves, down to single files, which fail for good when they do so twice.

    1. All together, and once more: most failures are of the moment.
    2. No file at all: what fails without one is no file's fault, and is raised.
    3. Halves (every second file, so that neighbours part), the halves of those that fail, and so on.

    ``run`` may be called with the same file any number of times: what a failed call left must not count.

    Raises:
        ClickstreamError: as ``run`` raises it, such as a failing storage: that is no file's fault either.
        Exception: the first error, where no file is to blame.
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
    """The second one first: the list is worked through from its end."""
    return [files[1::2], files[::2]]


def _error_of(part: Sequence[F], run: Callable[[Sequence[F]], R], found: Isolated[F, R]) -> Exception | None:
    """Run it once more; its error, None where it came through."""
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
