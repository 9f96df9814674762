"""``clickstream backfill|replay|rebuild``: processing again, by people who run a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter
from rich.console import Console

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.cli.run_command import describe
from streaming_app.config.load import load_config
from streaming_app.errors import Reason
from streaming_app.operations.days import Days
from streaming_app.progress import Progress, progress_for

FromOption = Annotated[datetime, Parameter(name="--from", help="first day, UTC: 2026-11-01")]
ToOption = Annotated[datetime, Parameter(name="--to", help="last day, UTC")]
DryRun = Annotated[bool, Parameter(negative="", help="say what would be done, do nothing")]
Json = Annotated[bool, Parameter(negative="", help="print the result as one JSON line")]


def backfill(
    config: ConfigOption = DEFAULT_CONFIG, *, first: FromOption, last: ToOption, dry_run: DryRun = False, json: Json = False
) -> None:
    """Process the raw files of some days again, or for the first time; what is there already stays single.

    Example: clickstream backfill --from 2026-11-01 --to 2026-11-03
    """
    from streaming_app.operations import backfill as command  # noqa: PLC0415 - PySpark takes half a second

    loaded, days = load_config(config), _days(first, last)
    if dry_run:
        found = command.planned(loaded, days)
        tell({"files": found.files, "bytes": found.bytes}, json)
        return
    with _progress(command.PHASES) as progress:
        summary = command.backfill(loaded, days, progress)
    print(summary.as_json() if json else describe(summary))


def reprocess(
    config: ConfigOption = DEFAULT_CONFIG, *, first: FromOption, last: ToOption, dry_run: DryRun = False, json: Json = False
) -> None:
    """Make some days of events anew from their raw files, with today's code and configuration; user and session follow.

    Example: clickstream reprocess --from 2026-11-01 --to 2026-11-03
    """
    from streaming_app.operations import reprocess as command  # noqa: PLC0415 - PySpark takes half a second

    loaded, days = load_config(config), _days(first, last)
    if dry_run:
        tell(command.planned(loaded, days), json)
        return
    with _progress(command.PHASES) as progress:
        result = command.reprocess(loaded, days, progress)
    tell(result, json)


def replay(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    reason: Annotated[tuple[Reason, ...], Parameter(help="only elements quarantined for this; more than once for several")] = (),
    since: Annotated[datetime | None, Parameter(help="only elements quarantined since this day or moment, UTC")] = None,
    app: Annotated[str | None, Parameter(help="only elements of this app")] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Try quarantined elements again, with today's code and configuration: what passes lands once and is marked.

    Example: clickstream replay --reason unknown_app --since 2026-11-01
    """
    from streaming_app.operations import replay as command  # noqa: PLC0415 - PySpark takes half a second

    loaded = load_config(config)
    moment = None if since is None else since.astimezone(UTC) if since.tzinfo else since.replace(tzinfo=UTC)
    wanted = command.Wanted(tuple(map(str, reason)), moment, app)
    if dry_run:
        tell(command.planned(loaded, wanted), json)
        return
    with _progress(command.PHASES) as progress:
        result = command.replay(loaded, wanted, progress)
    tell(result, json)


def rebuild(
    tables: Annotated[tuple[Literal["user", "session"], ...], Parameter(name="TABLE", negative="")] = ("user", "session"),
    /,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Make user or session (or both) anew from event, swapped in one commit.

    Example: clickstream rebuild session
    """
    from streaming_app.operations import rebuild as command  # noqa: PLC0415 - PySpark takes half a second

    loaded = load_config(config)
    if dry_run:
        tell(command.planned(loaded), json)
        return
    with _progress(command.PHASES) as progress:
        result = command.rebuild(loaded, tables, progress)
    tell(result, json)


def erase(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    app: Annotated[str, Parameter(help="app of the person")],
    user_pseudo_id: Annotated[str | None, Parameter(help="all rows of this pseudonymous id")] = None,
    user_id: Annotated[str | None, Parameter(help="all rows of this login id, and the anonymous ones of its pseudonyms")] = None,
    mode: Annotated[Literal["delete", "anonymise"], Parameter(help="rows go, or stay without what names the person")] = "delete",
    raw: Annotated[bool, Parameter(negative="", help="also write the raw files again that name the person")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Take one person out of all tables and quarantine, and say from which day on nothing remains.

    Example: clickstream erase --app shop --user-id 4711 --mode delete --raw
    """
    from streaming_app.erasure.person import Person  # noqa: PLC0415 - as below
    from streaming_app.operations import erase as command  # noqa: PLC0415 - PySpark takes half a second

    loaded, person = load_config(config), Person(app, user_pseudo_id, user_id)
    if dry_run:
        tell(command.planned(loaded, person, raw=raw), json)
        return
    with _progress(command.PHASES) as progress:
        result = command.erase(loaded, person, mode, progress, raw=raw)
    tell(result, json)


def tell(result: Mapping[str, Any], json: bool) -> None:
    """Counts for people, or as one JSON line."""
    if json:
        print(msgspec.json.encode(result).decode())
    else:
        print(", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in result.items()))


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _days(first: datetime, last: datetime) -> Days:
    return Days(_day(first), _day(last))


def _day(moment: datetime) -> date:
    return moment.date()


def _progress(phases: tuple[str, ...]) -> Progress:
    return progress_for(Console(stderr=True), phases)
