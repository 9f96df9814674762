"""Cases of our own: a request as a client sends it, and every row that it becomes. One YAML file below tests/data/conformance each.

A file has ``requests`` (``line``: what the ingestion endpoint writes beside the payload; ``form``: how the client packs it, of
:data:`FORMS`; ``payload``) and ``rows``, by table. ``every`` has what the lines, the elements of the payloads, and the rows of a
table have in common; a null takes a common key away again. ``config`` is further YAML of the configuration.

A row lists **every** column that has a value, so an unexpected one fails; JSON text is written as the object it says, times as UTC.
Left out is what names the run: when it wrote, its job, and the path of the raw file. Columns that only repeat ``event_timestamp``
(``event_date``, ``year``, ``month``, ``day``) or ``process_info`` (``request_id``, ``source_line``) are compared with it here. The
fields of ``merge_state`` are listed like columns.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from ruamel.yaml import YAML

from streaming_app.model.lineage import LINEAGE
from streaming_app.model.merge_state import MERGE_STATE, merge_state_fields
from streaming_app.model.tables import TABLES
from tests.support.lake import LocalPipeline
from tests.support.raw import write

Row = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[1] / "data" / "conformance"
APPS = """\
  teahouse: {transformer: clickstream_sdk}
  teahouse-gtm: {transformer: gtm_server}
  teahouse-sensors: {transformer: sensors_data}
"""
INGESTED, DERIVED = ("event", "item", "change", "quarantine"), ("user", "session", "item_attributes")
"""Tables that a case tells wholly (none where it does not name one), and those that it need not tell."""

_NAMES_THE_RUN = {"created_time", "batch_id", "source_file"}
_DAY = ("year", "month", "day")


def column_names(table: str) -> set[str]:
    """The columns of a table as cases list them."""
    return {*TABLES[table].schema.names, *merge_state_fields(TABLES[table])} - {MERGE_STATE}


NOT_COMPARED = _NAMES_THE_RUN | {*_DAY, "event_date", "ingest_date"}
"""Columns that no row lists."""
_OF_THE_RUN = {"process_job_id", "process_time", "input_file_name"}
"""Keys of ``process_info``."""
_OF_THE_FILE = {"source_file", "source_line"}
"""Keys of ``envelope``."""
_JSON = {
    *(column.name for table in TABLES.values() for each in table.columns for column in (each, *each.fields) if column.is_json),
    *("envelope", "traffic_source_clid", "first_traffic_clid", "session_clid"),
}


@dataclass(frozen=True)
class Case:
    """One file."""

    name: str
    requests: list[Row]
    rows: dict[str, list[Row]]
    every: dict[str, Row]
    config: str

    def lines(self) -> Iterator[bytes]:
        """The raw lines."""
        for request in self.requests:
            line = _with_common(self.every.get("line", {}), request.get("line", {}))
            payload = self._payload(request["payload"])
            yield json.dumps(FORMS[request["form"]](line, payload), ensure_ascii=False).encode()

    def _payload(self, sent: Any) -> Any:
        common = self.every.get("element", {})
        if isinstance(sent, list):
            return [_with_common(common, each) for each in sent]
        return _with_common(common, sent)

    def keys_sent(self) -> Iterator[str]:
        """Keys of the payloads, at any depth."""
        payloads: list[Any] = [self._payload(request["payload"]) for request in self.requests]
        while payloads:
            value = payloads.pop()
            if isinstance(value, dict):
                yield from value
                payloads += value.values()
            elif isinstance(value, list):
                payloads += value

    def expected(self, table: str) -> list[Row]:
        """The rows of a table, without what they have in common only."""
        return [_with_common(self.every.get(table, {}), row) for row in self.rows.get(table, [])]


def _with_common(common: Row, own: Any) -> Any:
    if not isinstance(own, dict):
        return own
    taken_away = {name for name, value in own.items() if name in common and value is None}
    return {name: value for name, value in (common | own).items() if name not in taken_away}


@cache
def load(name: str) -> Case:
    """The case in a file, by its name without suffix."""
    document = YAML(typ="safe").load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    if unknown := document.keys() - {"requests", "rows", "every", "config"}:
        raise ValueError(f"{name}: no such keys: {sorted(unknown)}")
    if unknown := document["rows"].keys() - {*INGESTED, *DERIVED}:
        raise ValueError(f"{name}: rows of no such tables: {sorted(unknown)}")
    return Case(name, document["requests"], document["rows"], document.get("every", {}), document.get("config", ""))


def names() -> list[str]:
    """All cases."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "enrichers")


def _text(payload: Any) -> str:
    return payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def _base64(payload: Any, *, packed: bool) -> str:
    text = _text(payload).encode()
    return base64.b64encode(gzip.compress(text, mtime=0) if packed else text).decode()


def _quoted(payload: Any, *, packed: bool) -> str:
    return quote(_base64(payload, packed=packed), safe="")


def _body(make: Callable[[Any], str | None]) -> Callable[[Row, Any], Row]:
    return lambda line, payload: {**line, "data": make(payload)}


FORMS: dict[str, Callable[[Row, Any], Row]] = {
    # Clickstream SDK and Google Tag Manager: JSON as it is; the SDKs of phones pack it.
    "json": _body(_text),
    "base64 of gzip": _body(lambda payload: _base64(payload, packed=True)),
    # Sensors Data, JavaScript: a form by POST or beacon, for several messages another one, or the address of an image.
    "data": _body(lambda payload: f"data={_quoted(payload, packed=False)}&ext=crc%3D-1163527093"),
    "data_list": _body(lambda payload: f"data_list={_quoted(payload, packed=False)}"),
    "image": lambda line, payload: {
        **line,
        "data": "",
        "uri": f"{line['uri']}&data={_quoted(payload, packed=False)}&ext=crc%3D1409412041",
    },
    # Sensors Data, Android and iOS, and servers.
    "crc, gzip, data_list": _body(lambda payload: f"crc=-812348021&gzip=1&data_list={_quoted(payload, packed=True)}"),
    "data, gzip": _body(lambda payload: f"data={_quoted(payload, packed=True)}&gzip=1"),
    "data_list, gzip": _body(lambda payload: f"data_list={_quoted(payload, packed=True)}&gzip=1"),
    # No client at all.
    "nothing": _body(lambda _: None),
}
"""From the rest of a line and a payload (JSON, or text that is sent as it is) to the whole line."""


def run(case: Case, folder: Path) -> LocalPipeline:
    """Ingest the lines, and derive: the real pass, commit and upserts, without Spark."""
    pipeline = LocalPipeline(folder, APPS + case.config)
    pipeline.ingest(write(folder / "raw", "case.gz", *case.lines()))
    pipeline.derive()
    return pipeline


def stored(pipeline: LocalPipeline, table: str) -> list[Row]:
    """The rows of a table as cases write them."""
    return [_as_written(row) for row in pipeline.query(f'SELECT * FROM "{table}"').to_pylist()]


def _as_written(row: Row) -> Row:
    if "event_date" in row:
        info = msgspec.json.decode(row["process_info"])
        assert (info.get("rid"), info["input_file_name"], info["input_file_line"]) == tuple(row.pop(name) for name in LINEAGE)
    if "ingest_date" in row:
        received = row.get("ingest_time_msec")
        since = row["created_time"] if received is None else datetime.fromtimestamp(received / 1_000, UTC)
        assert row.pop("ingest_date") == since.date()
    row |= row.pop(MERGE_STATE, {})
    row = {name: _shown(name, value) for name, value in row.items() if value is not None and name not in _NAMES_THE_RUN}
    for name, left_out in (("process_info", _OF_THE_RUN), ("envelope", _OF_THE_FILE)):
        if name in row:
            row[name] = {key: value for key, value in row[name].items() if key not in left_out}
    if "year" in row:
        day = "{}-{:02}-{:02}".format(*(row.pop(name) for name in _DAY))
        assert row["event_timestamp"].startswith(day), row
        assert row.pop("event_date") == day
    return row


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    if isinstance(value, date):
        return value.isoformat()
    return msgspec.json.decode(value) if name in _JSON else value


def enricher_cases() -> tuple[str, list[Row]]:
    """YAML of the configuration of the enrichers, and a table of what they are given and the columns that they fill."""
    document = YAML(typ="safe").load((FOLDER / "enrichers.yaml").read_text(encoding="utf-8"))
    return document["config"], document["cases"]


_ENRICHED = {"geo": "geo_", "ua": "device_ua_", "traffic": "traffic_source_"}
_ALONE = {"is_bot", "bot_source", "device_ua"}


def wanted_columns(case: Row) -> Row:
    """The columns of an enrichers' case by their names in the table."""
    columns = {name: case[name] for name in _ALONE & case.keys()}
    for group, prefix in _ENRICHED.items():
        columns |= {f"{prefix}{name}": value for name, value in case.get(group, {}).items()}
    return columns


def enriched_columns(row: Row) -> Row:
    """The same columns of a row."""
    return {name: value for name, value in row.items() if name in _ALONE or name.startswith(tuple(_ENRICHED.values()))}


def enricher_line(number: int, case: Row) -> bytes:
    """A request whose event has what an enrichers' case is given; its id is the number of the case."""
    app, sent, time = case.get("app", "teahouse"), case.get("sent", {}), 1_773_477_000_000
    elements: dict[str, Row] = {
        "teahouse": {"app_id": app, "event_id": f"e-{number}", "event_type": "x", "timestamp": time, "attributes": sent},
        "teahouse-gtm": {"event_name": "x", "client_id": "c", **sent},
        "teahouse-sensors": {"type": "track", "event": "x", "distinct_id": "d", "time": time, "_track_id": number, **sent},
    }
    line = {"rid": f"r-{number}", "appId": app, "ip": case.get("ip"), "ua": case.get("agent"), "ingest_time": time}
    return json.dumps({**line, "data": json.dumps(elements[app])}).encode()
