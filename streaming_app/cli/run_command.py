"""``clickstream run``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.cli.terminal import console, say, say_json_text
from streaming_app.metrics.cloudwatch import print_metrics
from streaming_app.metrics.progress import progress_for
from streaming_app.metrics.summary import Summary
from streaming_app.plugins.load_config import load_config


def run(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    json: Annotated[bool, Parameter(negative="", help="print the summary as one JSON line")] = False,
    job_id: Annotated[str | None, Parameter(help="name of the run in process_info and run_metrics")] = None,
    batch_bytes: Annotated[int | None, Parameter(help="stored bytes of a micro-batch, in place of the configuration's")] = None,
    metrics: Annotated[bool, Parameter(negative="", help="also print a line of metrics that CloudWatch reads")] = False,
) -> None:
    """Process every raw file that is unprocessed, once; then update user and session.

    Example: clickstream run --config conf/pipeline.yaml
    """
    from streaming_app import pipeline  # noqa: PLC0415 - PySpark takes half a second that other commands need not pay

    errors = console(stderr=True)
    loaded = load_config(config)
    if batch_bytes:
        bounded = loaded.source.model_copy(update={"max_bytes_per_batch": batch_bytes, "max_files_per_batch": None})
        loaded = loaded.model_copy(update={"source": bounded})
    with progress_for(errors) as progress:
        summary = pipeline.run(loaded, progress, job_id)
    print_summary(summary, json=json)
    if metrics:
        print_metrics(loaded.project_id, summary)


def print_summary(summary: Summary, *, json: bool) -> None:
    """Print a summary for people, or as one line of JSON."""
    if json:
        say_json_text(summary.as_json())
    else:
        say(summary.describe())
