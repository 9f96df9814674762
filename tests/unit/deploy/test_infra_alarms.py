"""Alarms and the dashboard look at what is emitted, and failed runs are told."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from moto.events.models import EventPattern

from streaming_app.metrics.cloudwatch import JOB_METRICS, print_metrics
from streaming_app.metrics.summary import Summary
from submitter.decision_report import SUBMITTER_METRICS
from submitter.handler import metrics
from tests.support.infra import DEFAULTS, OPTIONS, PARSED, every_option, nested, stack
from tests.support.stack import Stack

ALARMS_OF_DEFAULTS = nested(DEFAULTS, "Alarms")
METRICS = {*SUBMITTER_METRICS, *JOB_METRICS}


@every_option
def test_every_alarm_tells_the_topic(any_stack: Stack) -> None:
    alarms = nested(any_stack, "Alarms").of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) == 8
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == ["<Topic>"]
        assert len(alarm["AlarmDescription"]) > 40, name
        assert alarm.get("ActionsEnabled", True) == (name != "NoDataAlarm" or any_stack.given.get("ScheduleState") != "DISABLED")
        assert int(alarm["EvaluationPeriods"]) * alarm.get("Period", 300) <= 7 * 86_400, "CloudWatch looks back a week"


HOURS_OF = {"15-minutes": 0.25, "hour": 1.0, "6-hours": 6.0, "day": 24.0}
SLOW_RUN_HOURS = 2.0


@pytest.mark.parametrize("every", HOURS_OF)
def test_alarms_follow_from_the_schedule(every: str) -> None:
    """Looks that find files, whose runs take between no time and two hours: no alarm. Two looks a day apart that do nothing: both."""
    hours, whole = HOURS_OF[every], stack(RunEvery=every)
    resources = nested(whole, "Alarms").resources
    assert _hours_between(whole.resources["Schedule"]["ScheduleExpression"]) == hours
    no_data, backlog = int(resources["NoDataAlarm"]["EvaluationPeriods"]), int(resources["BacklogAlarm"]["Threshold"])
    healthy_gap, oldest = hours + SLOW_RUN_HOURS, hours + SLOW_RUN_HOURS
    assert no_data >= healthy_gap + 1, "rows are counted by whole hours"
    assert backlog > oldest
    assert backlog <= max(2 * hours, 9), "a file that waits for the second look after its own is told"
    assert no_data <= max(2 * hours, 24)


def _hours_between(expression: str) -> float:
    """Of the schedules of the template's own: a rate, or a daily cron."""
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return int(rate[1]) * {"minute": 1 / 60, "hour": 1, "day": 24}[rate[2]]
    assert re.fullmatch(r"cron\(\d+ \d+ \* \* \? \*\)", expression), expression
    return 24


def test_hours_may_be_set_and_must_be_with_a_schedule_of_its_own() -> None:
    whole = stack(**OPTIONS["a schedule of its own"])
    own = nested(whole, "Alarms").resources
    assert whole.resources["Schedule"]["ScheduleExpression"] == "cron(0 1 * * ? *)"
    assert (own["NoDataAlarm"]["EvaluationPeriods"], own["BacklogAlarm"]["Threshold"]) == (30, 26)
    assert "26 hours" in own["BacklogAlarm"]["AlarmDescription"]
    rule = PARSED["Rules"]["OwnScheduleNeedsHours"]
    needed = {assertion["Assert"]["Fn::Not"][0]["Fn::Equals"][0]["Ref"] for assertion in rule["Assertions"]}
    assert needed == {"AlarmNoDataHours", "AlarmBacklogHours"}


def test_a_hung_run_is_told_after_some_hours() -> None:
    alarm = nested(stack(AlarmRunHours=3), "Alarms").resources["HungRunAlarm"]
    assert alarm["Threshold"] == 3
    assert [each.get("Expression") for each in alarm["Metrics"]] == ["minutes / 60", None]
    assert alarm["Metrics"][1]["MetricStat"]["Metric"]["MetricName"] == "ActiveRunMinutes"


def test_alarms_and_dashboard_show_what_is_emitted() -> None:
    shown = set(_alarm_metrics()) | set(_dashboard_metrics())
    assert {name for namespace, name, *_ in shown if namespace == "Clickstream"} <= METRICS
    assert {tuple(rest) for namespace, _, *rest in shown if namespace == "Clickstream"} == {("Pipeline", "demo")}
    assert {name for namespace, name, *_ in _dashboard_metrics() if namespace == "Clickstream"} == METRICS


def _alarm_metrics() -> list[tuple[str, ...]]:
    alarms = ALARMS_OF_DEFAULTS.of_type("AWS::CloudWatch::Alarm").values()
    inner = [each["MetricStat"]["Metric"] for alarm in alarms for each in alarm.get("Metrics", ()) if "MetricStat" in each]
    return [
        (each["Namespace"], each["MetricName"], *(text for one in each["Dimensions"] for text in (one["Name"], one["Value"])))
        for each in [*inner, *(alarm for alarm in alarms if "MetricName" in alarm)]
    ]


def _dashboard_metrics() -> list[tuple[str, ...]]:
    """The metrics of all widgets, with "." replaced by what stands above it."""
    widgets = json.loads(ALARMS_OF_DEFAULTS.resources["Dashboard"]["DashboardBody"])["widgets"]
    found = []
    for widget in widgets:
        rows = [[each for each in row if isinstance(each, str)] for row in widget["properties"].get("metrics", ())]
        for above, row in pairwise([[], *rows]):
            row[:] = [above[at] if text == "." else text for at, text in enumerate(row)]
        found += [tuple(row) for row in rows if row]
    return found


def test_the_submitter_emits_the_dimension_that_alarms_look_at() -> None:
    """CloudWatch takes metrics of other dimensions for other metrics, and an alarm on one that is not emitted says nothing."""
    metrics.add_dimension("Pipeline", "demo")
    metrics.add_metric("Submitted", "Count", 1)
    emitted = metrics.serialize_metric_set()
    metrics.clear_metrics()
    assert [each["Dimensions"] for each in emitted["_aws"]["CloudWatchMetrics"]] == [[["Pipeline"]]]


def test_the_job_emits_the_dimension_that_alarms_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    print_metrics("demo", Summary("job"))
    emitted = json.loads(capsys.readouterr().out)
    assert [each["Dimensions"] for each in emitted["_aws"]["CloudWatchMetrics"]] == [[["Pipeline"]]]
    assert emitted["Pipeline"] == "demo"


def test_widgets_do_not_overlap_and_name_the_alarms() -> None:
    widgets = json.loads(ALARMS_OF_DEFAULTS.resources["Dashboard"]["DashboardBody"])["widgets"]
    cells = [(x, y) for w in widgets for x in range(w["x"], w["x"] + w["width"]) for y in range(w["y"], w["y"] + w["height"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert set(widgets[0]["properties"]["alarms"]) == {
        f"arn:<{name}>" for name in ALARMS_OF_DEFAULTS.of_type("AWS::CloudWatch::Alarm")
    }


@pytest.mark.parametrize(
    ("application", "state", "told"),
    [
        ("<Application>", "FAILED", True),
        ("<Application>", "CANCELLED", True),
        ("<Application>", "SUCCESS", False),
        ("<Application>", "RUNNING", False),
        ("another", "FAILED", False),
    ],
)
def test_failed_runs_of_this_application_are_told(application: str, state: str, told: bool) -> None:
    event = {
        "version": "0",
        "detail-type": "EMR Serverless Job Run State Change",
        "source": "aws.emr-serverless",
        "account": "111122223333",
        "time": "2026-11-23T11:00:00Z",
        "region": "eu-test-1",
        "resources": [],
        "detail": {"jobRunId": "00abc", "applicationId": application, "state": state, "previousState": "RUNNING"},
    }
    pattern = EventPattern.load(json.dumps(ALARMS_OF_DEFAULTS.resources["FailedRunRule"]["EventPattern"]))
    assert pattern.matches_event(event) == told


def test_the_message_about_a_failed_run_is_a_sentence_with_its_values() -> None:
    transformer = ALARMS_OF_DEFAULTS.resources["FailedRunRule"]["Targets"][0]["InputTransformer"]
    message = json.loads(transformer["InputTemplate"].replace("<JobLogs>", "/clickstream/demo/job"))
    assert message.startswith("Clickstream demo: run <run> is <state>")
    assert set(re.findall(r"<(\w+)>", message)) == set(transformer["InputPathsMap"])
