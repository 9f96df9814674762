"""What a run costs by the submitter's own model, from the constants of the default configuration.

    python -m benchmarks.cost

The output is the table of docs/explanation/performance.md; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator

from streaming_app.config.emr import EmrSection
from submitter.ratio import DEFAULT
from submitter.sizing import plan_for

REFERENCE_PER_GB = 0.26
"""US dollars that the reference system takes for a GB of decoded requests."""
VOLUMES_GB = (1, 10, 100, 1_000)
"""Decoded, a day."""
SCHEDULES = {"hourly": 24, "daily": 1}
"""Runs a day."""
USERS_PER_GB = 100_000
"""Stored users for each GB a day: about twice those of a day."""
DAYS = 30

_HEAD = (
    "GB a day",
    "stored users",
    "schedule",
    "workers",
    "minutes",
    "$ a run",
    "$ a month",
    "$ a GB",
    f"of ${REFERENCE_PER_GB}",
)


def rows(emr: EmrSection) -> Iterator[tuple[str, ...]]:
    for gb in VOLUMES_GB:
        for schedule, runs in SCHEDULES.items():
            plan = plan_for(emr, int(gb * 1e9 / runs / DEFAULT), DEFAULT, gb * USERS_PER_GB)
            per_gb = plan.dollars * runs / gb
            yield (
                f"{gb:,}",
                f"{gb * USERS_PER_GB:,}",
                schedule,
                f"1 + {plan.executors}",
                f"{plan.minutes:.1f}",
                f"{plan.dollars:.4f}",
                f"{plan.dollars * runs * DAYS:,.2f}",
                f"{per_gb:.4f}",
                f"{per_gb / REFERENCE_PER_GB:.1%}",
            )


def markdown(emr: EmrSection) -> str:
    lines = (_HEAD, ("---",) * len(_HEAD), *rows(emr))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    print(markdown(EmrSection()), end="")


if __name__ == "__main__":
    main()
