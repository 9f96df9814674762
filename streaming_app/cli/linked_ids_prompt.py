"""Showing an operator whom an erasure by a login id would take along, and asking whether it should."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.prompt import Confirm
from rich.table import Table as Grid
from rich.text import Text

from streaming_app.cli.terminal import console
from streaming_app.errors import ConfigError
from streaming_app.model.client_text import escape

if TYPE_CHECKING:
    from streaming_app.commands.erase.linked_ids import LinkedId

_COLUMNS = ("linked id", "rows with this login", "anonymous rows, which go", "rows of other logins, which stay")


def show_links(links: Sequence[LinkedId], *, chosen: bool) -> None:
    """On stderr, where neither a pipe nor a file takes it for the answer."""
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
    """Ask the operator at a terminal; how it was confirmed, for the audit.

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
