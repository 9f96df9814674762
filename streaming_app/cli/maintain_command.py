"""``clickstream maintain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption, DryRunOption, JsonOption
from streaming_app.cli.results import print_plan
from streaming_app.cli.terminal import console, say, say_json
from streaming_app.config.model import Config
from streaming_app.environment import open_lake
from streaming_app.metrics.progress import progress_for
from streaming_app.plugins.load_config import load_config

if TYPE_CHECKING:
    from streaming_app.commands.maintain import MaintenanceResult, WriteReport

_NOT_SHOWN = frozenset({"step", "seconds", "error", "remedy"})


def maintain(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    job_id: Annotated[str | None, Parameter(help="name of the runs between two steps, in process_info and run_metrics")] = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Do all that tables need at night: compact, delete old files once a week, check, and write the report beside the tables.

    Raw files that arrive meanwhile are processed between two steps. The exit code is that of the first step that failed.

    Example: clickstream maintain --config conf/pipeline.yaml
    """
    from streaming_app.commands import maintain as maintaining  # noqa: PLC0415 - PySpark takes half a second

    loaded = load_config(config)
    steps = maintaining.plan(loaded, _report_writer())
    if dry_run:
        print_plan([{"step": step.name} for step in steps], json=json)
        return
    with progress_for(console(stderr=True), ()) as progress:
        result = maintaining.run(loaded, steps, progress, job_id)
    if json:
        say_json(result.as_dict())
    else:
        say("\n".join(_describe(result)))
    if result.first_failure:
        raise result.first_failure


def _describe(result: MaintenanceResult) -> list[str]:
    lines = []
    for entry in result.steps:
        shown = ", ".join(f"{name} {value}" for name, value in entry.items() if name not in _NOT_SHOWN)
        lines.append(f"{entry['step']}: {entry.get('error') or shown or 'nothing to do'} ({entry['seconds']} s)")
    return lines


def _report_writer() -> WriteReport | None:
    """The report, where its library is installed."""
    try:
        from streaming_app.report.make import make_report  # noqa: PLC0415 - an extra of the wheel
    except ModuleNotFoundError:
        return None
    from datetime import UTC, datetime  # noqa: PLC0415 - with it

    def write_report(config: Config, uri: str) -> None:
        open_lake(config).storage.write_text(uri, make_report(config, None, None, None, datetime.now(UTC)))

    return write_report
