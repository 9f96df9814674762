"""What operators do with a lake, step by step, here or on S3: each step is files that arrive and a command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streaming_app.lake.lake import Lake
from streaming_app.lake.query import query_session, snapshot
from streaming_app.model.tables import TABLES
from streaming_app.storage.files import Storage
from tests.spark.conftest import FAST
from tests.spark.test_crash import write_first, write_second
from tests.support.cli_process import Cli, Done
from tests.support.lake import without_lineage
from tests.support.raw import NOW, event, line, write
from tests.support.sources import APPS

DERIVED = ("event", "item", "change", "user", "session", "item_attributes")
OPEN = "SELECT reason, source_line, raw FROM quarantine WHERE resolved_time IS NULL ORDER BY ALL"
OFF = "SELECT DISTINCT received - written - duplicate - filtered - quarantined AS off FROM run_metrics"


def late(raw: Path) -> None:
    """Events that strict rules quarantine."""
    sent = [event(f"late-{n}", timestamp=NOW - n * 36_000_000, items=[{"id": "x"}]) for n in range(1, 4)]
    write(raw, "late.gz", line(*sent, rid="r-late"), line(event("of-another", unique_id="u-2"), rid="r-other"))


def nothing(_: Path) -> None:
    """No file arrives."""


@dataclass(frozen=True)
class Step:
    """``strict``: by a configuration that quarantines what is five hours old."""

    command: tuple[str, ...]
    arrives: Callable[[Path], None] = nothing
    strict: bool = False


_DAY = ("--from", "2026-05-28", "--to", "2026-05-28")
STEPS = {
    "run": Step(("run",), write_first, strict=True),
    "run with what is late": Step(("run",), late, strict=True),
    "replay": Step(("replay",)),
    "backfill": Step(("backfill", *_DAY), write_second),
    "run again": Step(("run",)),
    "reprocess": Step(("reprocess", *_DAY)),
    "rebuild": Step(("rebuild",)),
    "erase": Step(("erase", "--app", "shop", "--user-pseudo-id", "u-1", "--raw")),
    "run at last": Step(("run",)),
}


@dataclass
class Place:
    """Where a lake is: ``uri`` of the folder with ``raw`` and ``lake``; ``put`` brings a raw file there."""

    uri: str
    folder: Path
    put: Callable[[Path], None]
    endpoint: str | None = None
    """What the commands are led to; the test itself looks straight at what is stored."""
    region: str | None = None
    straight: str | None = None
    repeated: list[str] = field(default_factory=list)
    """Errors of commands that were repeated."""

    @property
    def lake(self) -> Lake:
        return Lake(f"{self.uri}/lake", Storage(self.straight, self.region))

    def config(self, *, strict: bool) -> str:
        path = self.folder / ("strict.yaml" if strict else "pipeline.yaml")
        s3 = f's3: {{endpoint: "{self.endpoint}", region: {self.region}}}\n' if self.endpoint else ""
        rules = "rules: {freshness_hours: 5}\n" if strict else ""
        path.write_text(
            f"project_id: test\nsource: {{uri: {self.uri}/raw}}\nsink: {{uri: {self.uri}/lake}}\n{s3}{rules}"
            f"apps:\n  shop: {{transformer: clickstream_sdk}}\n{APPS}{FAST}"
        )
        return str(path)

    def take(self, step: Step, cli: Cli) -> Done:
        """Bring the files and give the command once."""
        before = set((self.folder / "raw").rglob("*.gz"))
        step.arrives(self.folder / "raw")
        for path in sorted(set((self.folder / "raw").rglob("*.gz")) - before):
            self.put(path)
        return cli(*step.command, "--config", self.config(strict=step.strict))

    def take_until_done(self, step: Step, cli: Cli, tries: int) -> None:
        """The same, repeated until it succeeds; each failure must be one that the command tells."""
        done = self.take(step, cli)
        while done.code:
            assert "error: " in done.err, done
            self.repeated.append(f"{' '.join(step.command)}: {done.code} {done.err}")
            assert len(self.repeated) < tries, self.repeated
            done = cli(*step.command, "--config", self.config(strict=step.strict))

    def state(self) -> dict[str, Any]:
        """What must be the same everywhere: derived tables, quarantine, balance."""
        with query_session(self.lake, snapshot(self.lake)) as ask:
            columns = {name: ", ".join(without_lineage(name, TABLES[name].schema.names)) for name in DERIVED}
            tables = {name: ask(f'SELECT {columns[name]} FROM "{name}" ORDER BY ALL') for name in DERIVED}
            found = {name: rows.to_pylist() for name, rows in tables.items()}
            return {**found, "quarantine": ask(OPEN).to_pylist(), "off": ask(OFF)["off"].to_pylist()}


def tale(place: Place, cli: Cli, steps: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Some steps, none of which may fail; the state after each."""
    states = {}
    for name in steps:
        done = place.take(STEPS[name], cli)
        assert done.code == 0, (name, done.err)
        states[name] = told(place.state())
    return states


def told(state: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it, for messages that can be read."""
    return dict(json.loads(json.dumps(state, default=str)))
