"""The Lambda: on each schedule it looks for unprocessed files and starts one run, or says why not.

What the event may say is in :mod:`submitter.trigger`. Whatever goes wrong is raised: Lambda tries again, and then hands the
event to the dead-letter queue.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from submitter.decision_report import decision_metrics, describe_decision
from submitter.deployment import Deployment
from submitter.submit import submit

logger = Logger(service="clickstream-submitter")
metrics = Metrics(namespace="Clickstream")  # a service would be one more dimension, which no alarm looks at


@logger.inject_lambda_context
def handler(event: object, _context: Any) -> dict[str, Any]:
    """Decide and start a run; returns the decision as it is logged."""
    done = submit(Deployment.from_environment(os.environ), event)
    shown = describe_decision(done.decision, done.job_run_id) | ({"dry_run": True} if done.trigger.dry_run else {})
    logger.info(done.decision.action.value, extra={"pipeline": done.project_id, **shown})
    if done.trigger.dry_run:
        return shown  # and no metric: alarms and the dashboard look at runs
    if done.trigger.command != "run":
        return shown  # the same
    metrics.add_dimension("Pipeline", done.project_id)
    for name, unit, value in decision_metrics(done.decision, done.trigger.moment):
        metrics.add_metric(name, unit, value)
    metrics.flush_metrics()
    return shown
