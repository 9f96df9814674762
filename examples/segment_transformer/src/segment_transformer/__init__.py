"""Segment-spec calls as events: one call a payload, an array of them, or ``{"batch": [...]}``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from streaming_app.errors import InputError, TooLarge
from streaming_app.model.coerce import as_float, as_text
from streaming_app.model.event import Event
from streaming_app.model.item import Item
from streaming_app.model.request import Request
from streaming_app.transformers.base import Limits, Rejected
from streaming_app.transformers.depth import check_depth
from streaming_app.transformers.payload import elements, payload_bytes
from streaming_app.transformers.urls import split_url

NAMES = {"page": "_page_view", "screen": "_screen_view", "identify": "_profile_set"}


class Segment:
    """Track, page, screen and identify calls of Segment's specification; other calls are rejected."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def transform(self, request: Request) -> Iterator[Event | Rejected]:
        payload = payload_bytes(request.data, request.uri, self._limits.max_payload_bytes)
        for position, element in enumerate(elements(payload, self._limits), request.first_position):
            batch = element.get("batch") if isinstance(element, dict) else None
            calls = batch if isinstance(batch, list) else [element]
            if len(calls) > self._limits.max_events_per_request:
                raise TooLarge(f"{len(calls)} calls in one batch, allowed are {self._limits.max_events_per_request}")
            for call in calls:
                try:
                    yield self._event(call, element, request.app_id, position)
                except InputError as error:
                    yield Rejected(error.reason, str(error), position, type(error).__name__)
