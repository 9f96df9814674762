"""Checking, before any data is touched, that every transformer and enricher named in the configuration can be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError

from streaming_app.config.model import App, LimitsSection
from streaming_app.errors import ClickstreamError
from streaming_app.registry import make_enricher, make_transformer

Problem = tuple[tuple[str | int, ...], str]


def plugin_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Path in the configuration and what is wrong there, for each plugin that cannot be made.

    Looks at the document as it was read, so that these problems show together with those of the model; a section that
    does not fit the model is the model's business.
    """
    limits = _read(LimitsSection, document.get("limits", {})) or LimitsSection()
    apps = document.get("apps")
    for app_id, section in apps.items() if isinstance(apps, Mapping) else ():
        app = _read(App, section)
        if app and (problem := _problem(partial(make_transformer, app, limits))):
            yield ("apps", app_id, "transformer"), problem
    enrichers = document.get("enrichers")
    for position, section in enumerate(enrichers if isinstance(enrichers, list) else ()):
        for name, options in (_read(dict[str, dict[str, Any]], section) or {}).items():
            if problem := _problem(partial(make_enricher, name, options)):
                yield ("enrichers", position, name), problem


def _read(kind: Any, section: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(section)
    except ValidationError:
        return None


def _problem(make: Callable[[], object]) -> str | None:
    try:
        make()
    except ClickstreamError as error:
        return str(error)
    return None
