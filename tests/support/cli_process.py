"""Many commands in one process, whose JVM starts once: ``python -m tests.support.cli_process``.

Each line of its input is the arguments of a command, each line of its output what became of it, both as JSON.
"""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from streaming_app.cli import _exit_code

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    """Exit code, output and errors of a command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Cli:
    """The process."""

    process: subprocess.Popen[str]

    def __call__(self, *arguments: str) -> Done:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{json.dumps(arguments)}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the process ended: {self.process.poll()}"
        return Done(**json.loads(answer))


@contextmanager
def cli_process(log: Path, constants: Mapping[tuple[str, str], float] | None = None) -> Iterator[Cli]:
    """What its JVM has to say goes to a file. ``constants`` are values that it has in place of a module's own, by module and name."""
    given = json.dumps([[*names, value] for names, value in (constants or {}).items()])
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with log.open("w") as errors, subprocess.Popen([sys.executable, "-m", __name__, given], stderr=errors, **pipes) as process:
        try:
            yield Cli(process)
        finally:
            process.communicate()


def _serve(answers: IO[str]) -> None:
    for line in sys.stdin:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = _exit_code(json.loads(line), debug=False)
        print(json.dumps({"code": code, "out": out.getvalue(), "err": err.getvalue()}), file=answers, flush=True)


if __name__ == "__main__":
    # A JVM writes to its parent's output: the answers have one of their own.
    for module, name, value in json.loads(sys.argv[1]):
        assert hasattr(importlib.import_module(module), name)
        setattr(importlib.import_module(module), name, value)
    own = open(1, "w", closefd=False)  # noqa: SIM115 - a descriptor, open until the end
    _serve(own)
