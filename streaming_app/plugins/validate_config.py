"""Checks, before any data is read, that every transformer and enricher in the configuration can be created."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError

from streaming_app.config.model import AppSection, DeriveSection, LimitsSection
from streaming_app.config.problems import KeyPath, Problem
from streaming_app.errors import ClickstreamError
from streaming_app.model.tables import TABLES
from streaming_app.plugins.enricher import Enricher
from streaming_app.plugins.registry import (
    ENRICHERS,
    TRANSFORMERS,
    OptionsError,
    is_built_in,
    load_function,
    make_enricher,
    make_transformer,
)
from streaming_app.storage.files import Storage


def built_in_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Like :func:`plugin_problems`, for built-in plugins only; no others are imported."""
    known: dict[str, Any] = dict(document)
    apps, enrichers = document.get("apps"), document.get("enrichers")
    if isinstance(apps, Mapping):
        known["apps"] = {
            app_id: section
            for app_id, section in apps.items()
            if (app := _read(AppSection, section)) and is_built_in(TRANSFORMERS, app.transformer)
        }
    if isinstance(enrichers, list):
        # Entries that are left out keep their index, so that paths are those of the file.
        known["enrichers"] = [
            {name: options for name, options in section.items() if is_built_in(ENRICHERS, str(name))}
            if isinstance(section, Mapping)
            else section
            for section in enrichers
        ]
    return _problems_of_plugins(known, is_whole=known == document, hooks=False)


def plugin_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Path and problem of each plugin in the configuration that cannot be created.

    This checks the raw document, so that these problems are reported together with those of the model; a section that does not
    fit the model is skipped, since the model reports it.
    """
    return _problems_of_plugins(document, is_whole=True, hooks=True)


def _problems_of_plugins(document: Mapping[str, Any], *, is_whole: bool, hooks: bool) -> Iterator[Problem]:
    """``is_whole``: no enricher was left out, so the columns that enrichers need can be checked."""
    limits = _read(LimitsSection, document.get("limits", {})) or LimitsSection()
    apps = document.get("apps")
    for app_id, section in apps.items() if isinstance(apps, Mapping) else ():
        if app := _read(AppSection, section):
            place: KeyPath = ("apps", app_id)
            yield from _problems(partial(make_transformer, app, limits), (*place, "transformer"), (*place, "options"))
    enrichers = document.get("enrichers")
    made: dict[KeyPath, Enricher] = {}
    for position, section in enumerate(enrichers if isinstance(enrichers, list) else ()):
        for name, options in (_read(dict[str, dict[str, Any]], section) or {}).items():
            place = ("enrichers", position, name)
            yield from _problems(partial(_make_into, made, place, name, options), place, place)
    if is_whole:
        yield from _order_problems(made)
    derive = _read(DeriveSection, document.get("derive", {}))
    for position, hook in enumerate(derive.hooks if derive else ()):
        place = ("derive", "hooks", position, "function")
        if hooks:
            yield from _problems(partial(load_function, hook.function), place, place)
        if hook.table in TABLES:
            yield ("derive", "hooks", position, "table"), f"{hook.table} is a table of the pipeline's own, choose another name"


def _read(kind: Any, section: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(section)
    except ValidationError:
        return None


def _make_into(made: dict[KeyPath, Enricher], place: KeyPath, name: str, options: Mapping[str, Any]) -> None:
    made[place] = make_enricher(name, options, Storage())


def _problems(make: Callable[[], object], place: KeyPath, options: KeyPath) -> Iterator[Problem]:
    try:
        make()
    except OptionsError as error:
        yield from (((*options, *path), message) for path, message in error.problems)
    except ClickstreamError as error:
        yield place, str(error)


def _order_problems(made: Mapping[KeyPath, Enricher]) -> Iterator[Problem]:
    """Problems of enrichers that need columns which only a later enricher, or none, fills."""
    filled: set[str] = set()
    for place, enricher in made.items():
        for column in getattr(enricher, "NEEDS", ()):
            if column not in filled:
                later = [path[-1] for path, each in made.items() if column in getattr(each, "FILLS", ())]
                remedy = f"put it below {later[0]}" if later else "no enricher here fills that"
                yield place, f"needs {column}: {remedy}"
        filled |= set(getattr(enricher, "FILLS", ()))
