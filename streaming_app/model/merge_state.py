"""The column ``merge_state`` of ``user`` and ``session``: what the merge rules need of a row and analysts do not, in one struct.

In table layouts 1 and 2 its fields were columns of their own, with the same names.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.table_contract import Table

MERGE_STATE = "merge_state"


def merge_state_fields(table: Table) -> list[str]:
    """Names of the fields; empty for tables without the column."""
    return [each.name for column in table.columns if column.name == MERGE_STATE for each in column.fields]


def flat_types(table: Table) -> dict[str, pa.DataType]:
    """The types of a table's columns and of the fields of ``merge_state``, by name."""
    found = {field.name: field.type for field in table.schema}
    return found | {field.name: field.type for field in found.pop(MERGE_STATE)}


def pack_merge_state(table: Table, columns: Mapping[str, pa.ChunkedArray]) -> pa.ChunkedArray:
    """The column ``merge_state`` from columns with the names of its fields."""
    kind = table.schema.field(MERGE_STATE).type
    fields = pa.table([columns[field.name] for field in kind], pa.schema(list(kind)))
    chunks = [pa.StructArray.from_arrays(batch.columns, fields=list(kind)) for batch in fields.to_batches()]
    return pa.chunked_array(chunks, kind)


def unpack_merge_state(table: Table, rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    """The fields of ``merge_state`` of rows as columns, by name."""
    return {name: pc.struct_field(rows[MERGE_STATE], name) for name in merge_state_fields(table)}
