"""How the tables are made known to Athena: SQL for its console, or input for the Glue catalog's API.

Athena itself reads the schema, the partitions and the files of a Delta table from its log. Views, Lake Formation, and filters of
rows and columns look at the columns in Glue, which therefore have to be those of the log. Source: Athena user guide, "Synchronize
Delta Lake metadata".
"""

from __future__ import annotations

import re
from typing import Any

from streaming_app.errors import ConfigError
from streaming_app.model.client_text import cut
from streaming_app.model.tables import TABLES, Table
from streaming_app.storage.uris import absolute, is_s3

MAX_COMMENT_BYTES = 255
"""Of a column in Glue. Source: AWS Glue API, Column."""


def athena_ddl(sink_uri: str, database: str) -> str:
    """The statements that make all tables of a sink known to Athena engine version 3, one a line.

    Raises:
        ConfigError: Athena cannot read tables there, or does not know databases of such a name.
    """
    if not re.fullmatch(r"[a-z0-9_]{1,255}", database):
        raise ConfigError(f"{database!r} is no name for an Athena database", "--database takes lower-case letters, digits and _")
    tables = [
        # DDL is Hive's dialect: a reserved word (user) stands in backticks, while SELECT wants "user".
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`{table.name}` LOCATION '{_location(table, sink_uri)}' "
        "TBLPROPERTIES ('table_type'='DELTA');"
        for table in TABLES.values()
    ]
    return "\n".join([f"CREATE DATABASE IF NOT EXISTS `{database}`;", *tables])


def default_database(project_id: str) -> str:
    """The name that the stack gives to the database of a project.

    >>> default_database("my-Shop")
    'clickstream_my_shop'
    """
    return "clickstream_" + re.sub("[^a-z0-9]+", "_", project_id.lower())


GlueColumn = dict[str, str]
"""Name, Type and Comment."""


def glue_table(table: Table, sink_uri: str, columns: list[GlueColumn] | None = None) -> dict[str, Any]:
    """The TableInput of Glue's CreateTable for one table, in the form that lets Athena read it as Delta.

    Args:
        table: Its contract.
        sink_uri: The folder of the tables.
        columns: Those of the table as it is; the contract's where None.

    Raises:
        ConfigError: Athena cannot read tables there.
    """
    location = _location(table, sink_uri)
    if columns is None:
        columns = [glue_column(each.name, each.type, each.meaning) for each in table.columns]
    return {
        "Name": table.name,
        "Description": table.meaning,
        "TableType": "EXTERNAL_TABLE",
        # By this way not table_type, which is the DDL's.
        "Parameters": {"EXTERNAL": "TRUE", "spark.sql.sources.provider": "delta"},
        "StorageDescriptor": {
            "Columns": columns,
            "Location": location,
            "SerdeInfo": {"Parameters": {"serialization.format": "1", "path": location}},
        },
        "PartitionKeys": [],  # partitions are in the log, and their columns among the others
    }


def glue_column(name: str, kind: str, meaning: str) -> GlueColumn:
    """A column in Glue; Athena spells types as the contracts do."""
    return {"Name": name, "Type": kind, "Comment": cut(meaning, MAX_COMMENT_BYTES)}


def _location(table: Table, sink_uri: str) -> str:
    if not is_s3(sink_uri):
        raise ConfigError(
            f"sink.uri: Athena reads tables on S3 only, these are in {sink_uri}",
            "name an s3:// URI, or look with: clickstream sql",
        )
    return f"{absolute(sink_uri)}/{table.name}/"
