"""What run_metrics tells of a micro-batch beside the balance: how old events are, how many are late, which files were made."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pytest

from streaming_app.ingest.write.latency import LATE_MS, STEP, LatencyHistogram
from streaming_app.metrics.cloudwatch import JOB_METRICS, print_metrics
from streaming_app.metrics.summary import Summary
from tests.support.lake import LocalPipeline
from tests.support.raw import NOW, event, line, write


def latency_of(*ages_ms: int, delays_ms: int = 0) -> LatencyHistogram:
    happened = [NOW - age for age in ages_ms]
    latency = LatencyHistogram()
    latency.observe(pa.table({"event_time_msec": happened, "ingest_time_msec": [each + delays_ms for each in happened]}), NOW)
    return latency


@pytest.mark.parametrize("share", [0.5, 0.95, 1.0])
def test_quantiles_are_exact_to_a_step(share: float) -> None:
    draw = random.Random(7)
    values = sorted(int(draw.lognormvariate(9, 2)) + 1_000 for _ in range(5_000))
    true = values[max(0, round(share * len(values)) - 1)] / 1_000
    told = latency_of(*values).quantile(share)
    assert told is not None
    assert true / STEP <= told <= true * STEP


def test_parts_add_up_to_the_whole() -> None:
    values = [1_000 * n for n in range(1, 200)]
    whole, parts = latency_of(*values), LatencyHistogram()
    for number in range(3):
        parts.merge(latency_of(*values[number::3]))
    assert parts == whole


@pytest.mark.parametrize(("delay", "late"), [(0, 0), (LATE_MS, 0), (LATE_MS + 1, 2)])
def test_late_is_more_than_an_hour(delay: int, late: int) -> None:
    assert latency_of(5_000, 6_000, delays_ms=delay).late == late


def test_of_no_events_nothing_is_told() -> None:
    assert LatencyHistogram().quantile(0.5) is None


def test_clocks_that_run_ahead_count_as_a_second() -> None:
    assert latency_of(-50_000).quantile(0.5) == 1.0


def test_the_row_of_a_batch(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    hour = 3_600_000
    sent = [event("now"), event("old", timestamp=NOW - 10 * hour, items=[{"id": "i"}]), event("older", timestamp=NOW - 22 * hour)]
    row = pipeline.ingest(write(tmp_path / "raw", "a.gz", line(*sent), b"broken"))
    assert row["late"] == 2
    assert row["latency_p50_seconds"] <= row["latency_p95_seconds"]
    assert row["latency_max_seconds"] > 22 * 3_600
    assert row["commit_cpu_seconds"] > 0
    made = json.loads(row["files_by_table"])
    assert made == {"event": 2, "item": 1, "quarantine": 1}
    [stored] = pipeline.rows("run_metrics")
    assert {name: stored[name] for name in ("late", "files_by_table")} == {name: row[name] for name in ("late", "files_by_table")}


def test_counts_of_enrichers_are_summed_over_tasks(tmp_path: Path) -> None:
    """Events, not addresses; of the events of this micro-batch alone, although a worker's enricher serves many."""
    pipeline = LocalPipeline(tmp_path, "enrichers: [{ip: {}}, {user_agent: {}}]\n")
    for name in ("a", "b"):
        cdn = [line(event(f"{name}-{number}"), ip="130.176.1.9") for number in range(3)]
        hidden = line(event(f"{name}-visitor"), event(f"{name}-second"), ip="192.0.2.1, 130.176.1.9")
        files = [write(tmp_path / "raw", f"{name}-{number}.gz", *cdn[number:], hidden) for number in range(2)]
        row = pipeline.ingest(*files, tasks=2)
        stats = json.loads(row["enrichers"])
        assert stats["ip"]["counts"] == {"cdn_addresses": 3 + 2}
        assert stats["user_agent"]["counts"] == {}


def test_every_metric_of_a_run_is_emitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary("job")
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("a")), b"broken"))
    summary.add(pipeline.batch_metrics)
    print_metrics("demo", summary)
    told = json.loads(capsys.readouterr().out)
    assert {name for name in told if name not in ("_aws", "Pipeline")} == set(JOB_METRICS)
    assert (told["Received"], told["Written"], told["QuarantinedPercent"]) == ([2.0], [1.0], [50.0])
