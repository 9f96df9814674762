"""A lake as an older version of this application left it: today's, with what came since taken away.

Versions, transactions and the ids of the tables stay as they are, so a checkpoint of derive goes on to be one of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import Schema

from streaming_app.lake.layout import LAYOUT_KEY, properties_of
from streaming_app.model.columns import ARROW_TYPES
from streaming_app.model.merge_state import MERGE_STATE
from streaming_app.model.tables import TABLES

Described = dict[str, dict[str, Any]]
"""Columns, partition columns and properties of each table."""


def _described(version: int) -> Described:
    found: Described = json.loads((Path(__file__).parents[1] / "data" / f"layout-{version}.json").read_text())
    return found


LAYOUTS = {version: _described(version) for version in (1, 2)}
"""As the code of these versions made them; a table that is not named came later."""


def as_older(lake: Path, version: int) -> None:
    """Tables that were not there then go."""
    for name in TABLES:
        described = LAYOUTS[version].get(name)
        if described:
            columns = described["columns"].items()
            _age(lake / name, pa.schema([(column, ARROW_TYPES[kind]) for column, kind in columns]), described["properties"])
        else:
            _remove(lake / name)


def without(lake: Path, columns: Mapping[str, set[str]]) -> None:
    """As if some columns of some tables, of any type, had been added only since."""
    for name, missing in columns.items():
        table = TABLES[name]
        kept = pa.schema([field for field in table.schema if field.name not in missing])
        _age(lake / name, kept, {**properties_of(table), LAYOUT_KEY: "1"})


def as_layout(lake: Path, name: str, version: int) -> None:
    """A table of which only the version is another."""
    _age(lake / name, TABLES[name].schema, {**properties_of(TABLES[name]), LAYOUT_KEY: str(version)})


def _age(table: Path, schema: pa.Schema, properties: Mapping[str, str]) -> None:
    for checkpoint in [*(table / "_delta_log").glob("*.parquet"), table / "_delta_log" / "_last_checkpoint"]:
        checkpoint.unlink(missing_ok=True)  # the JSON entries say the same
    for entry in (table / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in entry.read_text().splitlines()]
        for action in actions:
            if "metaData" in action:
                action["metaData"]["configuration"] = dict(properties)
                action["metaData"]["schemaString"] = Schema.from_arrow(schema).to_json()
            if "add" in action:
                _age_file(table, action["add"], schema)
        entry.write_text("".join(f"{json.dumps(action)}\n" for action in actions))


def _age_file(table: Path, add: dict[str, Any], schema: pa.Schema) -> None:
    path = table / unquote(add["path"])
    file = pq.ParquetFile(path)
    groups = [_columns_of(file.read_row_group(number), schema) for number in range(file.num_row_groups)]
    kept = _columns_of(file.schema_arrow.empty_table(), schema).schema
    with pq.ParquetWriter(path, kept, compression="ZSTD") as writer:
        for group in groups:
            writer.write_table(group)
    stats = json.loads(add["stats"])
    for kind in ("minValues", "maxValues", "nullCount"):
        stats[kind] = {name: value for name, value in stats[kind].items() if name in schema.names}
    add["stats"] = json.dumps(stats)
    add["size"] = path.stat().st_size


def _columns_of(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of a file that an older schema has; what is in one column now was one each."""
    found = {name: rows[name] for name in rows.column_names}
    if MERGE_STATE in found and MERGE_STATE not in schema.names:
        found |= {field.name: pc.struct_field(rows[MERGE_STATE], field.name) for field in found.pop(MERGE_STATE).type}
    return pa.table({name: found[name] for name in schema.names if name in found})


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
