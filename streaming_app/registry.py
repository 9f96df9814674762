"""Where transformers and enrichers come from: built-ins and users' own classes enter by the same door."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from streaming_app.enrichers.base import Enricher
from streaming_app.errors import ConfigError
from streaming_app.transformers.base import Limits, Transformer

if TYPE_CHECKING:  # the configuration checks its plugins by this module
    from streaming_app.config.model import App, LimitsSection

TRANSFORMERS, ENRICHERS = "clickstream.transformers", "clickstream.enrichers"
"""Entry point groups of installed packages, this one included."""


def make_transformer(app: App, limits: LimitsSection) -> Transformer:
    """An app's transformer, made from the class that its configuration names.

    Raises:
        ConfigError: no such class, it cannot be imported, or it refuses its options.
    """
    bounds = Limits(
        max_payload_bytes=limits.max_payload_bytes,
        max_events_per_request=limits.max_events_per_request,
        max_depth=limits.max_depth,
        max_items_per_event=limits.max_items_per_event,
    )
    made: Transformer = _make(TRANSFORMERS, app.transformer, {"limits": bounds, **app.options}, "transform")
    return made


def make_enricher(name: str, options: Mapping[str, Any]) -> Enricher:
    """An enricher from its name and options, not yet opened.

    Raises:
        ConfigError: no such class, it cannot be imported, or it refuses its options.
    """
    made: Enricher = _make(ENRICHERS, name, options, "enrich")
    return made


def _make(group: str, name: str, options: Mapping[str, Any], method: str) -> Any:
    cls = _load(group, name)
    try:
        made = cls(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} refuses its options: {error}") from None
    if not callable(getattr(made, method, None)):
        raise ConfigError(f"{name} has no method {method}()")
    return made


def _load(group: str, name: str) -> Any:
    if ":" in name:
        module, _, attribute = name.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError, TypeError) as error:
            raise ConfigError(f"cannot import {name}: {error}") from None
    found = {each.name: each for each in entry_points(group=group)}
    if name not in found:
        close = get_close_matches(name, found, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"installed are: {', '.join(sorted(found)) or 'none'}"
        raise ConfigError(f"there is no {group.removeprefix('clickstream.').rstrip('s')} {name!r}, {hint}")
    try:
        return found[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"cannot import {name}: {error}") from None
