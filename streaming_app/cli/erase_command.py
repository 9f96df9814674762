"""``clickstream erase``: erasing one person, after the operator has seen whom a login id takes along."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.prompt import Confirm
from rich.table import Table as Grid
from rich.text import Text

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption, DryRunOption, JsonOption
from streaming_app.cli.results import print_result, run_with_progress
from streaming_app.cli.terminal import console
from streaming_app.errors import ConfigError
from streaming_app.model.client_text import escape
from streaming_app.plugins.load_config import load_config

if TYPE_CHECKING:
    from streaming_app.commands.erase.linked_ids import LinkedId

_COLUMNS = ("linked id", "rows with this login", "anonymous rows, which go", "rows of other logins, which stay")


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
    """Erase one person from all tables and quarantine, and say from which day on nothing remains.

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
    print_result(run_with_progress(command.PHASES, work), json=json)


def show_links(links: Sequence[LinkedId], *, chosen: bool) -> None:
    """Print the linked ids and their rows, on stderr: the result alone goes to standard output."""
    if not links:
        return
    what = "are linked to the login id, and go with it" if chosen else "are linked to the login id, and stay"
    out = console(stderr=True)
    out.print(f"{len(links):,} pseudonymous ids {what}:")
    grid = Grid(*_COLUMNS)
    for link in links:
        counts = (link.with_login, link.anonymous, link.other_logins)
        grid.add_row(Text(escape(link.user_pseudo_id)), *(Text(f"{count:,}") for count in counts))
    out.print(grid)


def confirm_links(links: Sequence[LinkedId], *, yes: bool) -> str:
    """Ask the operator at a terminal; returns how it was confirmed, for the audit.

    Raises:
        ConfigError: the operator has not agreed, or there is no terminal.
    """
    if not links:
        return ""
    if yes:
        return "--yes"
    rows = sum(link.anonymous for link in links)
    question = f"erase {rows:,} anonymous rows of {len(links):,} linked ids, too"
    if not sys.stdin.isatty():
        raise ConfigError(f"nothing was erased: {question}?", "--yes erases them, --linked none leaves them; see --dry-run")
    if not Confirm.ask(f"{question}?", console=console(stderr=True), default=False):
        raise ConfigError("nothing was erased", "--linked none erases the rows of the login id alone")
    return "asked"
