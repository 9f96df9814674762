"""What a transformer or an enricher of your own may import and rely on; all other modules may change without notice.

``Transformer`` and ``Enricher`` are the contracts, :mod:`streaming_app.testing` checks them.
"""

from streaming_app.config.section import Section as Options
from streaming_app.config.section import Uri
from streaming_app.errors import ConfigError, InputError, MalformedPayload, Reason, TooLarge
from streaming_app.model.change import Change
from streaming_app.model.coerce import as_bool, as_float, as_int, as_object, as_text
from streaming_app.model.event import Event
from streaming_app.model.item import Item
from streaming_app.model.request import Request
from streaming_app.model.tables import EVENT
from streaming_app.model.times import epoch_ms
from streaming_app.plugins.arrow_columns import column, distinct, distinct_rows, with_column
from streaming_app.plugins.depth import check_depth
from streaming_app.plugins.enricher import TRANSIENT, Enricher, Files
from streaming_app.plugins.payload import elements, payload_bytes
from streaming_app.plugins.transformer import Limits, Rejected, Transformer
from streaming_app.plugins.urls import split_url

EVENT_SCHEMA = EVENT.schema
"""Arrow schema of the table ``event``."""

__all__ = [
    "EVENT_SCHEMA",
    "TRANSIENT",
    "Change",
    "ConfigError",
    "Enricher",
    "Event",
    "Files",
    "InputError",
    "Item",
    "Limits",
    "MalformedPayload",
    "Options",
    "Reason",
    "Rejected",
    "Request",
    "TooLarge",
    "Transformer",
    "Uri",
    "as_bool",
    "as_float",
    "as_int",
    "as_object",
    "as_text",
    "check_depth",
    "column",
    "distinct",
    "distinct_rows",
    "elements",
    "epoch_ms",
    "payload_bytes",
    "split_url",
    "with_column",
]
