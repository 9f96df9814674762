"""All tables by name. Schemas and documentation come from their contracts: columns in order, partitions, key."""

from __future__ import annotations

from streaming_app.model.derived_tables import MERGED_BYTES, SESSION, SESSION_TRAFFIC, TRAFFIC, USER, USER_TRAFFIC
from streaming_app.model.event_tables import CHANGE, EVENT, ITEM, ITEM_ATTRIBUTES
from streaming_app.model.log_tables import OPERATION, QUARANTINE, RUN_METRICS
from streaming_app.model.table_contract import Table

__all__ = [
    "CHANGE",
    "EVENT",
    "ITEM",
    "ITEM_ATTRIBUTES",
    "MERGED_BYTES",
    "OPERATION",
    "QUARANTINE",
    "RUN_METRICS",
    "SESSION",
    "SESSION_TRAFFIC",
    "TABLES",
    "TRAFFIC",
    "USER",
    "USER_TRAFFIC",
    "Table",
]

TABLES = {
    table.name: table for table in (EVENT, ITEM, USER, SESSION, QUARANTINE, RUN_METRICS, CHANGE, ITEM_ATTRIBUTES, OPERATION)
}
