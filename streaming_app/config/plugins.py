"""Checking, before any data is touched, that every transformer and enricher named in the configuration can be made."""

from __future__ import annotations

from collections.abc import Iterator

from streaming_app.config.model import Config
from streaming_app.errors import ClickstreamError
from streaming_app.registry import make_enricher, make_transformer

Problem = tuple[tuple[str | int, ...], str]


def plugin_problems(config: Config) -> Iterator[Problem]:
    """Path in the configuration and what is wrong there, for each plugin that cannot be made."""
    for app_id, app in config.apps.items():
        try:
            make_transformer(app, config.limits)
        except ClickstreamError as error:
            yield ("apps", app_id, "transformer"), str(error)
    for position, entry in enumerate(config.enrichers):
        [(name, options)] = entry.items()
        try:
            make_enricher(name, options)
        except ClickstreamError as error:
            yield ("enrichers", position, name), str(error)
