"""A run's metrics as one line of JSON that CloudWatch turns into metrics (embedded metric format)."""

from __future__ import annotations

from aws_lambda_powertools.metrics import EphemeralMetrics

from streaming_app.metrics.summary import Summary

JOB_METRICS = {
    "Files": "Count",
    "Bytes": "Bytes",
    "Received": "Count",
    "Written": "Count",
    "Duplicate": "Count",
    "Filtered": "Count",
    "Quarantined": "Count",
    "QuarantinedPercent": "Percent",
    "Late": "Count",
    "LatencyP95Seconds": "Seconds",
    "RunSeconds": "Seconds",
    "CpuSeconds": "Seconds",
}
"""Metrics of a run in CloudWatch and their units; dimension Pipeline is the project's id."""


def print_metrics(project_id: str, summary: Summary) -> None:
    """Print the line to standard output, which EMR Serverless hands to CloudWatch Logs."""
    metrics = EphemeralMetrics(namespace="Clickstream")
    metrics.add_dimension("Pipeline", project_id)
    for name, value in _values(summary).items():
        metrics.add_metric(name, JOB_METRICS[name], value)
    metrics.flush_metrics()


def _values(summary: Summary) -> dict[str, float]:
    counts = summary.counts
    counted = {name: float(getattr(counts, name.lower())) for name in JOB_METRICS if hasattr(counts, name.lower())}
    share = 100 * counts.quarantined / counts.received if counts.received else 0.0
    spent = {"RunSeconds": sum(summary.seconds.values()), "CpuSeconds": sum(summary.cpu_seconds.values())}
    latency = {} if summary.latency_p95_seconds is None else {"LatencyP95Seconds": summary.latency_p95_seconds}
    return counted | {"QuarantinedPercent": share} | spent | latency
