"""Whole commands while S3 fails in every way it has: what they end in is what they end in on a good day.

Every client goes through it: S3A in the JVM, pyarrow in the workers and the driver, deltalake, boto3.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import boto3
import pytest

from streaming_app.lake.lake import Lake, live_files
from streaming_app.model.tables import RUN_METRICS
from streaming_app.storage.files import Storage
from tests.aws.conftest import Story
from tests.support import committer
from tests.support.cli_process import ROOT
from tests.support.committer import COMMITS
from tests.support.faults import INTERNAL_ERROR, SLOW_DOWN, Answer, Fault, Faults, done_but, reset, serving_faults, stalled
from tests.support.moto import REGION
from tests.support.s3_story import STEPS, told

EVERYWHERE: dict[str, Answer] = {
    "throttled": SLOW_DOWN,
    "internal error": INTERNAL_ERROR,
    "reset": reset,
    "stalled": stalled,
}
"""Together they strike three calls in a hundred."""
WRITES: dict[str, Answer] = {"done, but 500": done_but(INTERNAL_ERROR), "done, but reset": done_but(reset)}
LOG = r"^PUT /\S+/_delta_log/\d+\.json"
MOST_FAILURES = 6
"""So many commands of all may fail, and are repeated. Each client repeats a call by itself, but for one case: pyarrow does not,
where the text of an error is longer than what it asked for ("Failed to flush response stream")."""
FEW = ("run", "reprocess", "erase")
"""Between them they read, write, rewrite, move and delete, by every client."""


@pytest.fixture(scope="module")
def service(endpoint: str) -> Iterator[tuple[Faults, str]]:
    with serving_faults() as found:
        yield found


def faults_of(seed: int) -> list[Fault]:
    chances = (Random(seed * 100 + number) for number in range(100))
    everywhere = [Fault(answer, share=0.03 / len(EVERYWHERE), chance=next(chances)) for answer in EVERYWHERE.values()]
    commits = [Fault(answer, LOG, share=0.025, chance=next(chances)) for answer in WRITES.values()]
    return [*commits, *everywhere]


@pytest.mark.parametrize("answer", WRITES.values(), ids=WRITES)
def test_a_commit_whose_answer_is_lost_is_done_once(answer: Answer, service: tuple[Faults, str], endpoint: str) -> None:
    faults, proxy = service
    bucket = f"clickstream-lost-{len(faults.calls)}"
    boto3.client("s3", region_name=REGION, endpoint_url=endpoint).create_bucket(Bucket=bucket)
    faults.faults = [Fault(answer, rf"^PUT /\S+/_delta_log/0+{number}\.json", times=1) for number in (1, 2, COMMITS)]
    faults.struck = 0
    command = [sys.executable, "-m", committer.__name__, f"s3://{bucket}/lake", proxy, REGION]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert faults.struck == COMMITS
    table = Lake(f"s3://{bucket}/lake", Storage(endpoint, REGION)).open(RUN_METRICS)
    assert ([file.rows for file in live_files(table)], table.version()) == ([1], COMMITS)


@pytest.mark.parametrize(
    ("seed", "steps"), [(1, FEW), *(pytest.param(seed, (*STEPS,), marks=pytest.mark.exhaustive) for seed in (0, 1, 2))]
)
def test_nothing_is_lost_or_doubled(
    seed: int, steps: tuple[str, ...], story: Story, service: tuple[Faults, str], endpoint: str, tmp_path: Path
) -> None:
    """What operators do ends on S3 as it ends here, in good hours (seed 0) and in bad ones."""
    faults, proxy = service
    place = story.on_s3(f"clickstream-faults-{seed}-{len(steps)}", tmp_path, proxy, endpoint)
    faults.faults, faults.struck = faults_of(seed) if seed else [], 0
    here = story.here(steps, tmp_path)
    for name in steps:
        place.take_until_done(STEPS[name], story.cli, MOST_FAILURES)
        assert told(place.state()) == here[name], name
    assert faults.struck > 20 or not seed
