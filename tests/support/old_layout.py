"""A lake as an older version of this application left it: today's, with the columns and properties taken away that came since.

Versions, transactions and the ids of the tables stay as they are, so a checkpoint of derive goes on to be one of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq

from streaming_app.lake.layout import LAYOUT_KEY, properties_of
from streaming_app.model.tables import TABLES

LAYOUT_1: dict[str, dict[str, Any]] = json.loads((Path(__file__).parents[1] / "data" / "layout-1.json").read_text())
"""Columns, partition columns and properties of each table."""


def as_layout_1(lake: Path) -> None:
    """Tables that were not there then go."""
    for name in TABLES:
        if name in LAYOUT_1:
            _age(lake / name, set(LAYOUT_1[name]["columns"]), LAYOUT_1[name]["properties"])
        else:
            _remove(lake / name)


def without(lake: Path, columns: Mapping[str, set[str]]) -> None:
    """As if some columns of some tables, of any type, had been added only since."""
    for name, missing in columns.items():
        table = TABLES[name]
        _age(lake / name, set(table.schema.names) - missing, {**properties_of(table), LAYOUT_KEY: "1"})


def as_layout(lake: Path, name: str, version: int) -> None:
    """A table of which only the version is another."""
    _age(lake / name, set(TABLES[name].schema.names), {**properties_of(TABLES[name]), LAYOUT_KEY: str(version)})


def _age(table: Path, columns: set[str], properties: Mapping[str, str]) -> None:
    for checkpoint in [*(table / "_delta_log").glob("*.parquet"), table / "_delta_log" / "_last_checkpoint"]:
        checkpoint.unlink(missing_ok=True)  # the JSON entries say the same
    for entry in (table / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in entry.read_text().splitlines()]
        for action in actions:
            if "metaData" in action:
                action["metaData"]["configuration"] = dict(properties)
                schema = json.loads(action["metaData"]["schemaString"])
                schema["fields"] = [field for field in schema["fields"] if field["name"] in columns]
                action["metaData"]["schemaString"] = json.dumps(schema)
            if "add" in action:
                _age_file(table, action["add"], columns)
        entry.write_text("".join(f"{json.dumps(action)}\n" for action in actions))


def _age_file(table: Path, add: dict[str, Any], columns: set[str]) -> None:
    path = table / unquote(add["path"])
    file = pq.ParquetFile(path)
    kept = [name for name in file.schema_arrow.names if name in columns]
    groups = [file.read_row_group(number, columns=kept) for number in range(file.num_row_groups)]
    with pq.ParquetWriter(path, file.schema_arrow.empty_table().select(kept).schema, compression="ZSTD") as writer:
        for group in groups:
            writer.write_table(group)
    stats = json.loads(add["stats"])
    for kind in ("minValues", "maxValues", "nullCount"):
        stats[kind] = {name: value for name, value in stats[kind].items() if name in columns}
    add["stats"] = json.dumps(stats)
    add["size"] = path.stat().st_size


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
