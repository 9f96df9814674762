"""Brings the Glue catalog up to date with the tables: columns as they are in the tables' logs, after a migration, too.

Views, Lake Formation, and filters of rows and columns need them to be the same. Source: Athena user guide, "Synchronize Delta
Lake metadata".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from streaming_app.deploy.ddl import GlueColumn, glue_column, glue_table
from streaming_app.errors import ClickstreamError
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import TABLES, Table

_ATHENA_TYPES = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}
"""Types of Delta that Athena spells in another way."""

_OURS = ("Description", "TableType", "PartitionKeys")


@dataclass(frozen=True)
class CatalogChange:
    """What is to be done about a table: ``action`` is create, update or none; ``columns`` tells what differs."""

    table: str
    action: str
    columns: tuple[str, ...]
    given: dict[str, Any]
    """TableInput of the request."""


def plan(lake: Lake, database: str, client: Any) -> list[CatalogChange]:
    """What differs between the catalog and the tables.

    Raises:
        ClickstreamError: there is no such database, or it may not be read.
    """
    with _Refused(database):
        client.get_database(Name=database)
        return [_compare(lake, table, database, client) for table in TABLES.values()]


def run(changes: list[CatalogChange], database: str, client: Any) -> None:
    """Make the changes.

    Raises:
        ClickstreamError: a table may not be written.
    """
    with _Refused(database):
        for change in changes:
            if change.action == "create":
                client.create_table(DatabaseName=database, TableInput=change.given)
            elif change.action == "update":
                client.update_table(DatabaseName=database, TableInput=change.given)


def glue_client(region: str | None) -> Any:
    """boto3's client of Glue."""
    return boto3.client("glue", region_name=region)


def columns_of_log(lake: Lake, table: Table) -> list[GlueColumn] | None:
    """The columns of a table as its log has them, with the meanings of the contract; None where there is no table yet."""
    found = lake.find(table)
    if found is None:
        return None
    meanings = {column.name: column.meaning for column in table.columns}
    fields = json.loads(found.schema().to_json())["fields"]
    return [glue_column(each["name"], athena_type(each["type"]), meanings.get(each["name"], "")) for each in fields]


def athena_type(kind: str | dict[str, Any]) -> str:
    """Athena's name of a type of Delta, as the log's schema has it.

    >>> athena_type({"type": "struct", "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]})
    'struct<a:bigint,b:string>'
    """
    if isinstance(kind, str):
        return _ATHENA_TYPES.get(kind, kind)
    if kind["type"] == "struct":
        inside = ",".join(f"{each['name']}:{athena_type(each['type'])}" for each in kind["fields"])
        return f"struct<{inside}>"
    if kind["type"] == "array":
        return f"array<{athena_type(kind['elementType'])}>"
    return f"map<{athena_type(kind['keyType'])},{athena_type(kind['valueType'])}>"


def _compare(lake: Lake, table: Table, database: str, client: Any) -> CatalogChange:
    wanted = glue_table(table, lake.root, columns_of_log(lake, table))
    try:
        there = client.get_table(DatabaseName=database, Name=table.name)["Table"]
    except client.exceptions.EntityNotFoundException:
        return CatalogChange(table.name, "create", (), wanted)
    # What others have set besides, such as parameters of a governance tool, stays.
    wanted["Parameters"] = {**there.get("Parameters", {}), **wanted["Parameters"]}
    storage = {**there.get("StorageDescriptor", {}), **wanted["StorageDescriptor"]}
    wanted["StorageDescriptor"] = storage
    differs = tuple(_different_columns(there.get("StorageDescriptor", {}).get("Columns", []), storage["Columns"]))
    same = storage == there.get("StorageDescriptor") and wanted["Parameters"] == there.get("Parameters")
    same = same and all(there.get(name, [] if name == "PartitionKeys" else None) == wanted[name] for name in _OURS)
    return CatalogChange(table.name, "none" if same else "update", differs, wanted)


def _different_columns(there: list[GlueColumn], wanted: list[GlueColumn]) -> Iterator[str]:
    before, after = ({each["Name"]: each.get("Type") for each in columns} for columns in (there, wanted))
    yield from (f"+{name}" for name in after if name not in before)
    yield from (f"-{name}" for name in before if name not in after)
    yield from (f"{name}: {before[name]} → {after[name]}" for name in after if name in before and before[name] != after[name])


class _Refused:
    """Raises what Glue refuses as an error with a remedy."""

    def __init__(self, database: str) -> None:
        self._database = database

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, ClientError | BotoCoreError):
            hint = "give the stack's DatabaseName as --database; rights: glue:GetDatabase, GetTable, CreateTable, UpdateTable"
            raise ClickstreamError(f"Glue database {self._database}: {error}", hint) from None
