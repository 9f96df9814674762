"""The Lambda: on each schedule it looks for unprocessed files and starts one run, or says why not.

The event may hold ``emr``, which is laid over the section of that name for this run (``{"emr": {"sizing": {"max_vcpu":
128}}}``), and ``scheduled_time`` (or EventBridge's own ``time``), from which the age of the backlog is told. Whatever goes
wrong is raised: Lambda tries again, and then hands the event to the dead-letter queue.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from submitter.deployment import Deployment
from submitter.report import described, measured
from submitter.submit import submit

logger = Logger(service="clickstream-submitter")
metrics = Metrics(namespace="Clickstream")  # a service would be one more dimension, which no alarm looks at


@logger.inject_lambda_context
def handler(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """What was decided, as it is logged."""
    done = submit(Deployment.from_environment(os.environ), event)
    shown = described(done.decision, done.job_run_id)
    logger.info(done.decision.action.value, extra={"pipeline": done.project_id, **shown})
    metrics.add_dimension("Pipeline", done.project_id)
    for name, unit, value in measured(done.decision, event):
        metrics.add_metric(name, unit, value)
    metrics.flush_metrics()
    return shown
