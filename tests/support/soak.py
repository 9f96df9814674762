"""Many small runs in a row, as a pipeline has them in weeks: late and duplicate data, dirt, kills, and upkeep now and then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from streaming_app.commands import optimize
from streaming_app.lake.lake import live_files
from streaming_app.metrics.progress import LogProgress
from streaming_app.model.tables import TABLES
from tests.spark.job import Job
from tests.support.killed import life_of, other_process_is_dead
from tests.support.raw import NOW, event, line, write
from tests.support.sources import APPS

HOUR = 3_600_000
USERS = 12
KILLED = 0.25
"""Share of the runs that die in the middle."""
MOST_CHANGES = 14
"""A run changes what is stored about so often."""


@dataclass
class Soak:
    """A pipeline over months; ``seed`` decides on all that happens."""

    job: Job
    seed: int
    upkeep: int = 10
    """So many runs between two optimizes."""
    chance: Random = field(init=False)
    sent: list[dict[str, Any]] = field(default_factory=list)
    deaths: int = 0
    most_files: int = 0
    """Of a partition after an optimize."""

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)

    def live(self, runs: int) -> None:
        for number in range(runs):
            for at in range(self.chance.randint(1, 2)):
                write(self.job.folder / "raw", f"{number:04}-{at}.gz", *self._hour(number, at))
            with other_process_is_dead():
                self._run()
                if number % self.upkeep == self.upkeep - 1:
                    self._optimize()
        with other_process_is_dead():
            self.job.run()
            self._optimize()

    def _run(self) -> None:
        """A run; or one that dies at some moment, whose files are left to the next."""
        if self.chance.random() >= KILLED:
            self.job.run()
            return
        lived = []
        with life_of(self.chance.randint(0, MOST_CHANGES)):
            self.job.run()
            lived.append(True)
        self.deaths += not lived

    def _hour(self, number: int, at: int) -> Iterator[bytes]:
        """New events, late ones, ones that were sent before, changes, and what cannot be used."""
        received = NOW + number * HOUR
        rid = f"r-{number}-{at}"
        for part in range(2):
            new = [self._event(f"e-{number}-{at}-{part}-{n}", received) for n in range(3)]
            again = self.chance.sample(self.sent, min(2, len(self.sent)))
            self.sent += new
            yield line(*new, *again, rid=f"{rid}-{part}", ingest_time=received, client_timestamp=received - 100)
        change = {"type": "profile_increment", "distinct_id": self._user(), "properties": {"n": 1}, "time": received - 500}
        yield line(
            {**change, "_track_id": number * 10 + at}, appId="sensors", rid=rid, ingest_time=received, client_timestamp=None
        )
        yield f"broken {rid}".encode()

    def _event(self, event_id: str, received: int) -> dict[str, Any]:
        late = self.chance.choice([1_000, 1_000, 60_000, HOUR, 30 * HOUR, 80 * HOUR])
        attributes = {"_session_id": f"s-{self.chance.randint(0, 30)}"} if self.chance.random() < 0.7 else {}
        items = [{"id": "i"}] if self.chance.random() < 0.3 else []
        return event(event_id, unique_id=self._user(), timestamp=received - late, attributes=attributes, items=items)

    def _user(self) -> str:
        return f"u-{self.chance.randint(0, USERS)}"

    def _optimize(self) -> None:
        optimize.run(self.job.config, TABLES.values(), LogProgress())
        for table in TABLES.values():
            files = Counter(tuple(file.partition.items()) for file in live_files(self.job.lake.open(table)))
            self.most_files = max(self.most_files, *files.values(), 0)


def soaked(folder: Path, runs: int, seed: int, upkeep: int = 10) -> tuple[Soak, Job]:
    """A life of many runs, and all of its files in one run."""
    soak = Soak(Job(folder / "soak", APPS), seed, upkeep)
    soak.live(runs)
    at_once = Job(folder / "at-once", APPS)
    at_once.config = at_once.config.model_copy(update={"source": soak.job.config.source})
    at_once.run()
    return soak, at_once


OPEN = "SELECT reason, source_line, raw FROM quarantine ORDER BY ALL"
SUMS = "SELECT sum(received) r, sum(written) w, sum(duplicate) d, sum(quarantined) q FROM run_metrics"
OFF = "SELECT count(*) AS n FROM run_metrics WHERE received <> written + duplicate + filtered + quarantined"


def check(soak: Soak, at_once: Job) -> None:
    """Balance exact, tables those of one big run, few files."""
    assert soak.job.query(OFF) == [{"n": 0}]
    assert soak.job.query(SUMS) == at_once.query(SUMS)
    assert soak.job.derived_tables() == at_once.derived_tables()
    assert soak.job.query(OPEN) == at_once.query(OPEN)
    [sums] = soak.job.query(SUMS)
    assert sums["w"] == len(soak.job.rows("event")) + len(soak.job.rows("change"))
    assert soak.most_files <= 5
