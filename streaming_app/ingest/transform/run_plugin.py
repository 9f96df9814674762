"""Calls transformers so that a failure at one element never loses the other elements of its request."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import msgspec

from streaming_app.errors import InputError, Reason
from streaming_app.ingest.transform.time_budget import time_limit
from streaming_app.model.change import Change
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.plugins.payload import payload_bytes
from streaming_app.plugins.split import split_elements
from streaming_app.plugins.transformer import Limits, Rejected, Transformer
from streaming_app.plugins.validate_elements import validate_result

Result = Event | Change | Rejected


class Bounds(NamedTuple):
    """Limits on a call of a transformer; ``max_seconds`` applies to custom transformers only, not to built-in ones."""

    payload: Limits | int
    max_events: int
    max_seconds: float


def transform(transformer: Transformer, request: Request, bounds: Bounds) -> list[Result]:
    """Transform a request; an exception becomes a :class:`Rejected` in the position of its element.

    So does exceeding the time limit, unless the transformer is built in.
    """
    if type(transformer).__module__.startswith(_OWN):
        return _results(transformer, request, bounds, _no_limit)
    results = _results(transformer, request, bounds, lambda parts: time_limit(bounds.max_seconds / parts))
    return [validate_result(result, plugin_name(transformer)) for result in results]


def plugin_name(plugin: object) -> str:
    """The name of a plugin in messages."""
    return type(plugin).__qualname__


_OWN = "streaming_app.transformers."

Limit = Callable[[int], AbstractContextManager[None]]
"""Returns the time limit of each call, given the number of calls for a request."""


_UNLIMITED = nullcontext()


def _no_limit(_parts: int) -> AbstractContextManager[None]:
    return _UNLIMITED


def _results(transformer: Transformer, request: Request, bounds: Bounds, limit: Limit) -> list[Result]:
    try:
        with limit(1):
            return list(transformer.transform(request))
    except InputError as error:
        return [Rejected(error.reason, str(error), error_class=type(error).__name__)]
    except Exception as error:
        parts = raw_elements(request, bounds.payload)
        if len(parts) > bounds.max_events:
            message = f"{len(parts)} events in one request, allowed are {bounds.max_events}"
            return [Rejected(Reason.TOO_LARGE, message)]
        return _one_by_one(transformer, request, parts, limit) if len(parts) > 1 else [_reject_failure(transformer, error, None)]


def _one_by_one(transformer: Transformer, request: Request, parts: list[str], limit: Limit) -> list[Result]:
    results: list[Result] = []
    for position, part in enumerate(parts):
        single = msgspec.structs.replace(request, data=part, first_position=position)
        try:
            with limit(len(parts)):
                results.extend(list(transformer.transform(single)))
        except InputError as error:
            results.append(Rejected(error.reason, str(error), position, type(error).__name__))
        except Exception as error:
            results.append(_reject_failure(transformer, error, position))
    return results


def _reject_failure(transformer: Transformer, error: Exception, position: int | None) -> Rejected:
    kind = type(error).__name__
    return Rejected(Reason.TRANSFORMER_ERROR, f"{plugin_name(transformer)}: {kind}: {error}", position, kind)


def raw_elements(request: Request, limits: Limits | int) -> list[str]:
    """The raw text of each element of a request's payload, with U+FFFD for invalid UTF-8; [] if the payload cannot be split."""
    try:
        payload = payload_bytes(request.data, request.uri, limits)
    except InputError:
        return []
    return [part.decode("utf-8", "replace") for part in split_elements(payload)]
