"""``clickstream plugins``: which transformers and enrichers there are, and whether one keeps its contract."""

from __future__ import annotations

import os
from typing import Annotated, Any

import msgspec
import pyarrow as pa
from cyclopts import App, Parameter

from streaming_app.cli.query_commands import RowsJsonOption, console_for_grids, print_grid, print_rows_as_json
from streaming_app.cli.terminal import say
from streaming_app.errors import ConfigError
from streaming_app.storage.files import Storage

plugins_app = App(name="plugins", help="Transformers and enrichers: built-in, installed, your own.")


@plugins_app.command(name="list")
def list_plugins(*, json: RowsJsonOption = False) -> None:
    """Show every transformer and enricher that is installed: name, class, distribution, what it says of itself.

    Example: clickstream plugins list
    """
    from streaming_app.testing.named_check import list_installed  # noqa: PLC0415 - it brings the whole pass, which most commands do without

    rows = pa.Table.from_pylist(list_installed())
    if json:
        print_rows_as_json(rows)
    else:
        print_grid(rows, console_for_grids())


@plugins_app.command
def check(
    plugin: str,
    *,
    options: Annotated[str, Parameter(help="its options, as a JSON object")] = "{}",
    requests: Annotated[str | None, Parameter(help="raw file with real requests (gzip too), local or s3://")] = None,
) -> None:
    """Make a plugin with its options and check that it keeps its contract; the exit code is 2 where it does not.

    PLUGIN is a name that `clickstream plugins list` shows, or package.module:Class. A transformer is given the requests; an
    enricher the events that the clickstream_sdk transformer makes of them.

    Example: clickstream plugins check user_agent --options '{"bots": "drop"}'
    """
    from streaming_app.testing.named_check import checks_of, read_requests  # noqa: PLC0415

    storage = Storage(endpoint=os.environ.get("AWS_ENDPOINT_URL"))
    given = None if requests is None else list(read_requests(requests, storage))
    for each in checks_of(plugin, _parse_options(options), storage, given):
        if problem := each.problem():
            raise ConfigError(f"{plugin} breaks its contract ({each.promise}): {problem}", each.remedy)
        say(f"ok  {each.promise}")
    if given is None:
        say("checked with sample requests; give real ones with --requests FILE")


def _parse_options(options: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(options, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ConfigError(f"--options: no JSON object: {error}", 'for example: --options \'{"bots": "drop"}\'') from None
