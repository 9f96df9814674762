"""What a run tells: a bar at a terminal, log lines elsewhere."""

from __future__ import annotations

import inspect
import io
import logging
import re
from types import ModuleType

import pytest
from rich.console import Console

from streaming_app.commands import backfill, erase, rebuild, replay, reprocess
from streaming_app.metrics.progress import Progress, progress_for
from streaming_app.model.run_metrics import BatchMetrics
from streaming_app.model.tables import RUN_METRICS

BATCH = BatchMetrics(
    job_id="job",
    window="all",
    batch_id=7,
    created_time=None,
    files=2,
    bytes=0,
    decoded_bytes=0,
    lines=0,
    received=3000,
    written=2990,
    duplicate=10,
    filtered=0,
    quarantined=0,
    quarantined_by_reason={},
    items=0,
    changes=0,
    first_ingest_time=None,
    last_ingest_time=None,
    pass_seconds=1.0,
    pass_cpu_seconds=1.0,
    enrichers={},
    late=0,
    files_by_table={},
    latency_p50_seconds=None,
    latency_p95_seconds=None,
    latency_max_seconds=None,
    commit_seconds=0.5,
)


def tell(progress: Progress) -> None:
    with progress:
        progress.phase("start")
        progress.phase("ingest")
        progress.backlog(5, 1_500_000)
        progress.batch(BATCH)
        progress.batch(BATCH)
        progress.phase("derive")


def test_at_a_terminal() -> None:
    screen = io.StringIO()
    tell(progress_for(Console(file=screen, force_terminal=True, width=200)))
    assert "4 of 5 files; batch 7: 2 files, 3,000 received" in screen.getvalue()
    assert "done" in screen.getvalue()


def test_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="clickstream"):
        tell(progress_for(Console(file=io.StringIO(), force_terminal=False)))
    assert caplog.messages[2] == "5 unprocessed files, 1.5 MB"
    assert caplog.messages[3] == "batch 7: 2 files, 3,000 received, 2,990 written, 10 duplicate, 0 quarantined, 1.5 s"


def report_steps(progress: Progress) -> None:
    with progress:
        progress.expect(30)
        for name, size in (("event [a]", 10), ("item", 20)):
            progress.step(name)
            progress.advance(size)


def test_steps_at_a_terminal_and_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    screen = io.StringIO()
    report_steps(progress_for(Console(file=screen, force_terminal=True, width=200), ()))
    assert "done" in screen.getvalue()
    with caplog.at_level(logging.INFO, logger="clickstream"):
        report_steps(progress_for(Console(file=io.StringIO(), force_terminal=False), ()))
        assert caplog.messages == ["event [a]", "item"]
        report_steps(progress_for(Console(file=io.StringIO(), force_terminal=False), (), log_steps=False))
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("command", [backfill, erase, rebuild, replay, reprocess], ids=lambda module: module.__name__)
def test_every_phase_of_a_command_has_words(command: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    """Each that it may report, not only those that it lists."""
    reported = re.findall(r'progress\.phase\("(\w+)"\)', inspect.getsource(inspect.getmodule(command.run)))
    assert set(reported) <= set(command.PHASES)
    with caplog.at_level(logging.INFO, "clickstream"), progress_for(Console(file=io.StringIO()), command.PHASES) as progress:
        for phase in command.PHASES:
            progress.phase(phase)
    assert len(caplog.messages) == len(command.PHASES)


def test_metrics_have_the_columns_of_their_table() -> None:
    assert set(BATCH.to_row()) == set(RUN_METRICS.schema.names)
