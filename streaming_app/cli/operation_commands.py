"""``clickstream backfill|reprocess|replay|rebuild|erase``: changing what was processed, by people who run a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Literal, TypeVar

from cyclopts import Parameter

from streaming_app.cli.linked_ids_prompt import confirm_links, show_links
from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption, DryRunOption, JsonOption
from streaming_app.cli.results import print_result
from streaming_app.cli.run_command import print_summary
from streaming_app.cli.terminal import console
from streaming_app.commands.days import Days
from streaming_app.errors import Reason
from streaming_app.metrics.progress import Progress, progress_for
from streaming_app.plugins.load_config import load_config

FromOption = Annotated[datetime, Parameter(name="--from", help="first day, UTC: 2026-11-01")]
ToOption = Annotated[datetime, Parameter(name="--to", help="last day, UTC")]

T = TypeVar("T")


def backfill(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    first: FromOption,
    last: ToOption,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Process the raw files of some days again, or for the first time; what is there already stays single.

    Example: clickstream backfill --from 2026-11-01 --to 2026-11-03
    """
    from streaming_app.commands import backfill as command  # noqa: PLC0415 - PySpark takes half a second

    loaded, days = load_config(config), Days(first.date(), last.date())
    if dry_run:
        found = command.plan(loaded, days)
        print_result({"files": found.files, "bytes": found.bytes}, json=json)
        return
    summary = _run(command.PHASES, partial(command.run, loaded, days))
    print_summary(summary, json=json)


def reprocess(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    first: FromOption,
    last: ToOption,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Make some days of events anew from their raw files, with today's code and configuration; user and session follow.

    Example: clickstream reprocess --from 2026-11-01 --to 2026-11-03
    """
    from streaming_app.commands import reprocess as command  # noqa: PLC0415 - PySpark takes half a second

    loaded, days = load_config(config), Days(first.date(), last.date())
    work = partial(command.run, loaded, days)
    print_result(command.plan(loaded, days) if dry_run else _run(command.PHASES, work), json=json)


def replay(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    reason: Annotated[tuple[Reason, ...], Parameter(help="only elements quarantined for this; more than once for several")] = (),
    since: Annotated[datetime | None, Parameter(help="only elements quarantined since this day or moment, UTC")] = None,
    app: Annotated[str | None, Parameter(help="only elements of this app")] = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Try quarantined elements again, with today's code and configuration: what passes lands once and is marked.

    Example: clickstream replay --reason unknown_app --since 2026-11-01
    """
    from streaming_app.commands import replay as command  # noqa: PLC0415 - PySpark takes half a second

    loaded = load_config(config)
    moment = None if since is None else since.astimezone(UTC) if since.tzinfo else since.replace(tzinfo=UTC)
    row_filter = command.QuarantineFilter(tuple(map(str, reason)), moment, app)
    work = partial(command.run, loaded, row_filter)
    print_result(command.plan(loaded, row_filter) if dry_run else _run(command.PHASES, work), json=json)


def rebuild(
    tables: Annotated[tuple[Literal["user", "session"], ...], Parameter(name="TABLE", negative="")] = ("user", "session"),
    /,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Make user or session (or both) anew from event, swapped in one commit.

    Example: clickstream rebuild session
    """
    from streaming_app.commands import rebuild as command  # noqa: PLC0415 - PySpark takes half a second

    loaded = load_config(config)
    work = partial(command.run, loaded, tables)
    print_result(command.plan(loaded) if dry_run else _run(command.PHASES, work), json=json)


def erase(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    app: Annotated[str, Parameter(help="app of the person")],
    user_pseudo_id: Annotated[str | None, Parameter(help="all rows of this pseudonymous id")] = None,
    user_id: Annotated[str | None, Parameter(help="all rows of this login id, and the anonymous ones of its pseudonyms")] = None,
    linked: Annotated[
        Literal["none", "listed"], Parameter(help="pseudonymous ids that go with the login id: those that are shown, or none")
    ] = "listed",
    mode: Annotated[Literal["delete", "anonymise"], Parameter(help="rows go, or stay without what names the person")] = "delete",
    raw: Annotated[bool, Parameter(negative="", help="also write the raw files again that name the person")] = False,
    yes: Annotated[bool, Parameter(negative="", help="do not ask whether linked ids go as well")] = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Take one person out of all tables and quarantine, and say from which day on nothing remains.

    With a login id, the pseudonymous ids that it was seen with are shown first, with what they would take along: whoever can send
    an event can link the id of another to a login.

    Example: clickstream erase --app shop --user-id 4711 --mode delete --raw
    """
    from streaming_app.commands import erase as command  # noqa: PLC0415 - PySpark takes half a second
    from streaming_app.commands.erase.person import Person  # noqa: PLC0415 - as below

    loaded, person = load_config(config), Person(app, user_pseudo_id, user_id)
    links = command.find_linked_ids(loaded, person) if user_id else []
    show_links(links, chosen=linked == "listed")
    if dry_run:
        plan = command.plan(loaded, person, raw=raw, linked=linked)
        print_result(plan | {"linked": [asdict(each) for each in links]} if json else plan, json=json)
        return
    confirmed = confirm_links(links, yes=yes) if linked == "listed" else ""
    listed = [each.user_pseudo_id for each in links] if linked == "listed" else []
    work = partial(command.run, loaded, person, mode, raw=raw, linked=linked, listed=listed, confirmed=confirmed)
    print_result(_run(command.PHASES, work), json=json)


def _run(phases: tuple[str, ...], work: Callable[[Progress], T]) -> T:
    with progress_for(console(stderr=True), phases) as progress:
        return work(progress)
