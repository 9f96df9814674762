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


@dataclass(frozen=True)
class Suspects(Generic[F]):
    """The files of a trial that ended the run which made it, and how many runs in a row this trial did; ``given_up`` are files
    that were found this way before."""

    files: Sequence[F]
    times: int
    given_up: Sequence[F] = ()

    def all_given_up(self) -> list[F]:
        """Those found before, and a single one that has ended enough runs."""
        is_found = len(self.files) == 1 and self.times >= GIVEN_UP
        return [*self.given_up, *(self.files if is_found else ())]


GIVEN_UP = 2
"""Number of trials after which a single file is given up, whether they failed or ended the run."""


def isolate(
    files: Sequence[F],
    run: Callable[[Sequence[F]], R],
    suspects: Suspects[F] | None = None,
    begin: Callable[[Sequence[F]], None] = lambda _: None,
) -> Isolated[F, R]:
    """Run all files together; if that fails, find the files that cause it by bisection.

    1. Run all files; if that fails, try once more, since most failures are transient.
    2. Run without any file: if that fails too, the files are not the cause, and the error is raised.
    3. Run the halves (every second file, which separates neighbours), then the halves of those that fail, and so on.
       A single file that fails twice is given up.

    With ``suspects``, an earlier run got as far as them: their halves run first, or a single one, then all other files. Step 2
    follows the first failure.

    ``run`` may be called with the same file any number of times: what a failed call leaves behind must have no effect.
    ``begin`` is called before each trial but the first of all files.

    Raises:
        ClickstreamError: as ``run`` raises it, such as a storage failure: the files are not the cause.
        Exception: the first error, if the files are not the cause.
    """
    found: Isolated[F, R] = Isolated()
    if suspects is not None:
        waiting = _after(suspects, files, found)
    else:
        waiting = _halves(files) if _fails_twice(files, run, begin, found) else []
    is_checked = suspects is None
    while waiting:
        part = waiting.pop()
        error = _error_of(part, run, begin, found)
        if error and not is_checked:
            _raise_if_it_fails_without_files(run, error)
            is_checked = True
        if error and len(part) > 1:
            waiting += _halves(part)
        elif error and (again := _error_of(part, run, begin, found)):
            found.failed.append((part[0], again))
    return found


def _fails_twice(
    files: Sequence[F], run: Callable[[Sequence[F]], R], begin: Callable[[Sequence[F]], None], found: Isolated[F, R]
) -> bool:
    """Run all files, twice if the first time fails; returns whether halves of them are to be run."""
    if not files:
        found.results.append(run(files))
        return False
    if not _error_of(files, run, lambda _: None, found):
        return False
    error = _error_of(files, run, begin, found)
    if error is None:
        return False
    _raise_if_it_fails_without_files(run, error)
    if len(files) == 1:
        found.failed.append((files[0], error))
        return False
    return True


def _after(suspects: Suspects[F], files: Sequence[F], found: Isolated[F, R]) -> list[Sequence[F]]:
    """What is to be run, the last one first."""
    given_up = suspects.all_given_up()
    found.failed += [(file, RuntimeError("runs ended while it was read alone")) for file in given_up]
    tried = [file for file in suspects.files if file not in given_up]
    others = [file for file in files if file not in given_up and file not in tried]
    waiting = [others, *(_halves(tried) if len(tried) > 1 else [tried])]
    return [part for part in waiting if part]


def _halves(files: Sequence[F]) -> list[Sequence[F]]:
    """The halves of a list, the second one first, because the caller takes them from the end."""
    return [files[1::2], files[::2]]


def _error_of(
    part: Sequence[F], run: Callable[[Sequence[F]], R], begin: Callable[[Sequence[F]], None], found: Isolated[F, R]
) -> Exception | None:
    """Run a part; returns its error, or None if it succeeds."""
    begin(part)
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
