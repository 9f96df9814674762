"""``clickstream tables``."""

from __future__ import annotations

import json as json_text
import logging
from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter, validators

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption, DryRunOption, JsonOption
from streaming_app.cli.results import print_plan, print_result
from streaming_app.cli.terminal import console, say, say_json, say_json_text
from streaming_app.commands.check.check_tables import CheckResult, check_tables
from streaming_app.deploy import glue
from streaming_app.deploy.ddl import athena_ddl, default_database, glue_table
from streaming_app.environment import holder_of, open_lake
from streaming_app.errors import BalanceError, QueryError
from streaming_app.metrics.progress import progress_for
from streaming_app.model.tables import TABLES, Table
from streaming_app.plugins.load_config import load_settings

log = logging.getLogger("clickstream")

tables_app = App(name="tables", help="What the tables are, and whether they are as they should be.")


@tables_app.command
def describe(table: str | None = None) -> None:
    """Print the contract of one table, or of all, as Markdown: column, type, meaning.

    Example: clickstream tables describe session
    """
    if table is not None and table not in TABLES:
        raise QueryError(f"there is no table {table!r}", f"tables are {', '.join(TABLES)}")
    chosen = TABLES.values() if table is None else [TABLES[table]]
    say("\n\n".join(markdown(each) for each in chosen))


@tables_app.command
def ddl(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    database: Annotated[str | None, Parameter(help="database of the tables; by default clickstream_<project_id>")] = None,
    json: Annotated[bool, Parameter(negative="", help="print the TableInput of Glue's CreateTable instead, one a line")] = False,
) -> None:
    """Print the SQL that makes the tables known to Athena, which runs one statement at a time.

    Example: clickstream tables ddl --database clickstream
    """
    loaded = load_settings(config)
    if json:
        say_json_text("\n".join(json_text.dumps(glue_table(table, loaded.sink.uri)) for table in TABLES.values()))
    else:
        say(athena_ddl(loaded.sink.uri, database or default_database(loaded.project_id)))


@tables_app.command(name="sync-glue")
def sync_glue(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    database: Annotated[str | None, Parameter(help="database of the tables; by default clickstream_<project_id>")] = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Bring the Glue catalog up to date with the columns of the tables as they are, for views and filters of Athena.

    Example: clickstream tables sync-glue --dry-run
    """
    loaded = load_settings(config)
    name, client = database or default_database(loaded.project_id), glue.glue_client(loaded.s3.region)
    changes = [each for each in glue.plan(open_lake(loaded), name, client) if each.action != "none"]
    rows = [{"table": each.table, "action": each.action, "columns": list(each.columns)} for each in changes]
    if dry_run:
        print_plan(rows, json=json)
        return
    glue.run(changes, name, client)
    print_result({"database": name, "changed": [each.table for each in changes]}, json=json)


@tables_app.command
def check(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    sample: Annotated[int, Parameter(help="users whose rows are computed again", validator=validators.Number(gte=0))] = 100,
    json: Annotated[bool, Parameter(negative="", help="print one JSON object a check")] = False,
) -> None:
    """Check that the tables keep what they promise, without writing; the exit code is 6 where they do not.

    Example: clickstream tables check --sample 1000
    """
    loaded = load_settings(config)
    if holder := holder_of(loaded, open_lake(loaded).storage):
        log.warning("the tables are in use, so unfinished work shows as a problem: %s", holder)
    found = 0
    with progress_for(console(stderr=True), (), log_steps=False) as progress:
        for each in check_tables(loaded, sample, progress):
            if json:
                say_json(asdict(each))
            else:
                say(_format_check(each))
            found += len(each.problems)
    if found:
        raise BalanceError(f"{found:,} problems in {loaded.sink.uri}", "each says above what to do")


def _format_check(checked: CheckResult) -> str:
    lines = [f"{'problem' if checked.problems else 'ok':<8}{checked.name}: {checked.promise}"]
    for each in (*checked.problems, *checked.notes):
        lines += [f"        {each.table + ': ' if each.table else ''}{each.message}", f"        → {each.remedy}"]
    return "\n".join(lines)


def markdown(table: Table) -> str:
    """A table's contract for people."""
    lines = [f"## {table.name}", "", table.meaning]
    if table.key:
        lines.append(f"Key: {', '.join(table.key)}.")
    if table.partition_by:
        lines.append(f"Partitioned by {', '.join(table.partition_by)}.")
    rows = [f"| {column.name} | {column.type} | {column.meaning} |" for column in table.columns]
    return "\n".join([*lines, "", "| column | type | meaning |", "|---|---|---|", *rows])
