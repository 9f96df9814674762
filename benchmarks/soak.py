"""Two hundred small runs with late and duplicate data, a quarter of them killed, against one big run.

``python -m benchmarks.soak [RUNS] [SEED]``
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.support.soak import check, soaked

RUNS, SEED = 200, 1


def main(runs: int = RUNS, seed: int = SEED) -> None:
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        soak, at_once = soaked(Path(folder), runs, seed)
        seconds = time.monotonic() - began
        check(soak, at_once)
        [metrics] = soak.job.query("SELECT sum(received)::BIGINT AS received, count(*) AS batches FROM run_metrics")
    print(
        f"{runs} runs, {soak.deaths} killed, {metrics['batches']} micro-batches of {metrics['received']} elements: "
        f"{seconds / 60:.0f} minutes; at most {soak.most_files} files in a partition after an optimize; equal to one big run"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
