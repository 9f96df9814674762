"""Columns from a small table of your own: a CSV file with a header, joined to events by one column."""

import csv
from io import StringIO
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field

from streaming_app import api


def _known(name: str) -> str:
    if name not in api.EVENT_SCHEMA.names:
        raise ValueError("is no column of event")
    return name


EventColumn = Annotated[str, AfterValidator(_known)]


class ReferenceOptions(api.Options):
    uri: api.Uri
    """The file, local or s3://."""
    key: str
    """Its column that is looked up, no value twice."""
    match: EventColumn
    """The column of event that is compared with it."""
    columns: dict[str, EventColumn] = Field(min_length=1)
    """Columns of the file to the columns of event that they fill where there is a match."""


class Reference:
    """Fills columns of events whose ``match`` is among the keys of a table; all others stay as they are."""

    Options = ReferenceOptions

    def __init__(self, options: ReferenceOptions, files: api.Files) -> None:
        self._options, self._files, self.FILLS = options, files, tuple(options.columns.values())

    def open(self) -> None:
        uri, key, columns = self._options.uri, self._options.key, self._options.columns
        reader = csv.DictReader(StringIO(self._files.read_text(uri)))
        rows = list(reader)
        if missing := {key, *columns} - set(reader.fieldnames or ()):
            raise api.ConfigError(f"{uri}: there is no column {', '.join(sorted(missing))}")
        self._place = {row[key]: number for number, row in enumerate(rows)}
        if len(self._place) < len(rows):
            raise api.ConfigError(f"{uri}: column {key} has a value twice")
        texts = {name: pa.array([row[column] or None for row in rows], pa.string()) for column, name in columns.items()}
        self._values = {name: text.cast(api.EVENT_SCHEMA.field(name).type) for name, text in texts.items()}

    def enrich(self, events: pa.Table) -> pa.Table:
        keys, which = api.distinct(api.column(events, self._options.match, pa.string()))
        places = pa.array([self._place.get(key) for key in keys], pa.int64()).take(which)
        for name, values in self._values.items():
            events = api.with_column(events, name, pc.coalesce(values.take(places), api.column(events, name, values.type)))
        return events
