"""``clickstream backfill|reprocess|replay|rebuild``: processing again what was processed."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Literal

from cyclopts import Parameter

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption, DryRunOption, JsonOption
from streaming_app.cli.results import print_result, run_with_progress
from streaming_app.cli.run_command import print_summary
from streaming_app.commands.days import Days
from streaming_app.errors import Reason
from streaming_app.plugins.load_config import load_config

FromOption = Annotated[datetime, Parameter(name="--from", help="first day, UTC: 2026-11-01")]
ToOption = Annotated[datetime, Parameter(name="--to", help="last day, UTC")]


def backfill(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    first: FromOption,
    last: ToOption,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Process the raw files of some days again, or for the first time; what is stored already stays single.

    Example: clickstream backfill --from 2026-11-01 --to 2026-11-03
    """
    from streaming_app.commands import backfill as command  # noqa: PLC0415 - PySpark takes half a second

    loaded, days = load_config(config), Days(first.date(), last.date())
    if dry_run:
        found = command.plan(loaded, days)
        print_result({"files": found.files, "bytes": found.bytes}, json=json)
        return
    summary = run_with_progress(command.PHASES, partial(command.run, loaded, days))
    print_summary(summary, json=json)


def reprocess(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    first: FromOption,
    last: ToOption,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Compute some days of events again from their raw files, with today's code and configuration; user and session follow.

    Example: clickstream reprocess --from 2026-11-01 --to 2026-11-03
    """
    from streaming_app.commands import reprocess as command  # noqa: PLC0415 - PySpark takes half a second

    loaded, days = load_config(config), Days(first.date(), last.date())
    work = partial(command.run, loaded, days)
    print_result(command.plan(loaded, days) if dry_run else run_with_progress(command.PHASES, work), json=json)


def replay(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    reason: Annotated[tuple[Reason, ...], Parameter(help="only elements quarantined for this; more than once for several")] = (),
    since: Annotated[datetime | None, Parameter(help="only elements quarantined since this day or moment, UTC")] = None,
    app: Annotated[str | None, Parameter(help="only elements of this app")] = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Process quarantined elements again, with today's code and configuration: what passes is stored once, and marked.

    Example: clickstream replay --reason unknown_app --since 2026-11-01
    """
    from streaming_app.commands import replay as command  # noqa: PLC0415 - PySpark takes half a second

    loaded = load_config(config)
    moment = None if since is None else since.astimezone(UTC) if since.tzinfo else since.replace(tzinfo=UTC)
    row_filter = command.QuarantineFilter(tuple(map(str, reason)), moment, app)
    work = partial(command.run, loaded, row_filter)
    print_result(command.plan(loaded, row_filter) if dry_run else run_with_progress(command.PHASES, work), json=json)


def rebuild(
    tables: Annotated[tuple[Literal["user", "session"], ...], Parameter(name="TABLE", negative="")] = ("user", "session"),
    /,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Compute all of user or session (or both) again from event, and replace the table in one commit.

    Example: clickstream rebuild session
    """
    from streaming_app.commands import rebuild as command  # noqa: PLC0415 - PySpark takes half a second

    loaded = load_config(config)
    work = partial(command.run, loaded, tables)
    print_result(command.plan(loaded) if dry_run else run_with_progress(command.PHASES, work), json=json)
