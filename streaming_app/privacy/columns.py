"""Treats addresses that clients send outside of the address header: in payloads, URIs, user agents and columns."""

from __future__ import annotations

import re

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.errors import InputError
from streaming_app.model.arrow import one_array
from streaming_app.model.change import Change
from streaming_app.model.event import Event
from streaming_app.model.lineage import LINEAGE_COLUMNS
from streaming_app.model.request import Request
from streaming_app.plugins.payload import payload_bytes
from streaming_app.plugins.transformer import Limits
from streaming_app.privacy.address_text import HOST, MAYBE, VERSION
from streaming_app.privacy.addresses import AddressPrivacy

_PAYLOAD = re.compile(r"((?:^|[?&])data(?:_list)?=)[^&]*")
_GZIP = re.compile(r"H4sI[A-Za-z0-9+/=%]{8,}")
_PACKED = re.compile(r"(?:H4sI|e[AFJN])[A-Za-z0-9+/=%]{8,}|[A-Za-z0-9+/=%]{33,}")
"""Text that may be compressed: base64 of gzip or zlib by its first bytes, and any run longer than a request id."""
_AS_SENT = frozenset({*LINEAGE_COLUMNS, "event_id", "app_id", "project_id", "user_pseudo_id", "user_id", "session_id"})
"""Columns that are not treated as free text: the lineage, whose addresses are treated already, and ids."""

_HOSTS = frozenset({"page_view_hostname", "page_view_latest_referrer_host", "outbound_link_domain"})


def clean_payload(request: Request, privacy: AddressPrivacy, limits: Limits) -> tuple[str, bool]:
    """The payload as quarantine may store it, decompressed and with its addresses treated, and whether it is complete.

    Text that may be compressed but cannot be decompressed is left out.
    """
    text = request.data or ""
    if privacy.mode == "keep":
        return text, True
    if text.lstrip()[:1] not in ("[", "{"):
        try:
            text = payload_bytes(request.data, request.uri, limits).decode("utf-8", "replace")
        except InputError:
            return clean_text(text, privacy, request.ip)
    return clean_json(text, privacy, request.ip)


def clean_json(text: str, privacy: AddressPrivacy, known: str | None) -> tuple[str, bool]:
    """Treat the JSON of one or several elements, without compressed text inside it; returns whether the result is complete."""
    if privacy.mode == "keep":
        return text, True
    left = _GZIP.sub("", text)
    return privacy.clean(left, known), left == text


def clean_text(text: str, privacy: AddressPrivacy, known: str | None = None) -> tuple[str, bool]:
    """Treat any text, which may be JSON in part, without compressed text inside it; returns whether the result is complete."""
    if privacy.mode == "keep":
        return text, True
    left = _PACKED.sub("", text)
    return privacy.clean(left, known), left == text


def clean_uri(uri: str, privacy: AddressPrivacy, known: str | None) -> str:
    """A URI without the payload in its parameters, which quarantine keeps beside it."""
    return uri if privacy.mode == "keep" else privacy.clean(_PAYLOAD.sub(r"\1", uri), known)


def clean_result(result: Event | Change, privacy: AddressPrivacy, known: str | None) -> None:
    """Treat the addresses in the notes of an event or a change, and in JSON whose keys say that a value is one."""
    if privacy.mode == "keep":
        return
    if result.notes:
        notes = privacy.clean(msgspec.json.encode(result.notes).decode(), known)
        try:
            result.notes = msgspec.json.decode(notes)
        except (msgspec.MsgspecError, RecursionError):  # lose the notes rather than store an address
            result.notes = None
    if isinstance(result, Change):
        if result.properties_json_str:
            result.properties_json_str = privacy.clean(result.properties_json_str, known)
    elif result.custom_parameters_json_str:
        result.custom_parameters_json_str = privacy.scrub(result.custom_parameters_json_str)


def clean_columns(rows: pa.Table, privacy: AddressPrivacy) -> pa.Table:
    """Treat the addresses in the free text of rows; a row's ``ip`` is known to be the client's."""
    if privacy.mode == "keep":
        return rows
    for place, field in enumerate(rows.schema):
        if field.type == pa.string() and field.name not in _AS_SENT and field.name != "ip":
            lead = HOST if field.name in _HOSTS else VERSION if field.name.endswith("_version") else ""
            rows = _clean_column(rows, place, privacy, lead)
    return rows


def _clean_column(rows: pa.Table, place: int, privacy: AddressPrivacy, lead: str) -> pa.Table:
    column = rows.column(place)
    suspect = pc.fill_null(pc.match_substring_regex(column, MAYBE), False)
    if not pc.any(suspect).as_py():
        return rows
    texts = column.filter(suspect).to_pylist()
    known = rows["ip"].filter(suspect).to_pylist() if "ip" in rows.column_names else [None] * len(texts)
    cleaned = [privacy.clean(text, header, lead) for text, header in zip(texts, known, strict=True)]
    replaced = pc.replace_with_mask(one_array(column), one_array(suspect), pa.array(cleaned, pa.string()))
    return rows.set_column(place, rows.schema.field(place), replaced)
