"""Brings tables of older layouts up to date: each step is a commit, and a migration that was killed goes on at the next one.

Columns are added without touching a file: a column that a file does not have is null, and :mod:`.older_rows` fills it when the
file is rewritten. ``user`` and ``session`` lose columns in layout 3, which Delta allows only together with all files that have
them, as long as tables are to be read without column mapping: so their files are rewritten, and exchanged with the schema in
one commit. See docs/decisions/0035-table-layout-3.md.
"""

from __future__ import annotations

from deltalake import DeltaTable, Schema

from streaming_app.lake.buckets import BucketWriter, modulus_for
from streaming_app.lake.commit import overwrite
from streaming_app.lake.files import by_partition
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.layout import properties_of
from streaming_app.lake.rewrite import read_row_groups
from streaming_app.model.merge_state import MERGE_STATE
from streaming_app.model.tables import Table


def migrate(lake: Lake, table: Table, found: DeltaTable) -> None:
    """Bring one table up to date; nothing happens if it is.

    1. Add missing columns, where no column has to go. Older code goes on to write files without them, which are read like all
       older files.
    2. Set the properties, the layout's version among them: from here on, older code refuses the table.
    3. Exchange all files, where columns have to go. The version comes first, because older code would take the new rows for
       rows without a state.
    """
    present = {field.name for field in found.schema().fields}
    missing = [field for field in Schema.from_arrow(table.schema).fields if field.name not in present]
    must_rewrite = any(field.name == MERGE_STATE for field in missing)
    if missing and not must_rewrite:
        found.alter.add_columns(missing)
    wanted, current = properties_of(table), found.metadata().configuration
    if any(current.get(key) != value for key, value in wanted.items()):
        found.alter.set_table_properties(wanted, raise_if_not_exists=False)
    if must_rewrite:
        _rewrite_all(lake, table)


def _rewrite_all(lake: Lake, table: Table) -> None:
    """Write all rows again, one row group at a time, into the buckets of their partition; memory grows with the number of files
    only."""
    target = lake.open(table)
    writer = BucketWriter(lake, table)
    for files in by_partition(live_files(target), table.partition_by).values():
        modulus = modulus_for(sum(file.size for file in files), sum(file.rows for file in files))
        for file in files:
            for _, rows in read_row_groups(lake, table, file):
                writer.divide(rows, modulus)
    overwrite(lake, table, writer.close(), target)
