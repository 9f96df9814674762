"""Finds and creates transformers and enrichers, built-in and custom ones alike, by name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from streaming_app.config.problems import KeyPath, Problem, problems_of
from streaming_app.errors import ClickstreamError, ConfigError
from streaming_app.plugins.enricher import Enricher, Files
from streaming_app.plugins.transformer import Limits, Transformer

if TYPE_CHECKING:  # the configuration uses this module to check its plugins
    from streaming_app.config.model import AppSection, Config, LimitsSection

TRANSFORMERS, ENRICHERS = "clickstream.transformers", "clickstream.enrichers"
"""Entry point groups of installed packages, including this one."""


def make_transformer(app: AppSection, limits: LimitsSection) -> Transformer:
    """Create an app's transformer from the class that its configuration names.

    Raises:
        ConfigError: there is no such class, it cannot be imported, or it refuses its options.
    """
    made: Transformer = _make(TRANSFORMERS, app.transformer, app.options, "transform", limits=make_limits(limits))
    return made


def make_limits(limits: LimitsSection) -> Limits:
    """The limits that transformers get, from the configuration's."""
    return Limits(
        max_payload_bytes=limits.max_payload_bytes,
        max_payload_ratio=limits.max_payload_ratio,
        max_event_bytes=limits.max_event_bytes,
        max_events_per_request=limits.max_events_per_request,
        max_depth=limits.max_depth,
        max_items_per_event=limits.max_items_per_event,
    )


def apps_with_profiles(config: Config) -> frozenset[str]:
    """Apps whose transformer declares that all of its events may carry user attributes."""
    names = {app.transformer for app in config.apps.values()}
    with_profiles = {name for name in names if getattr(transformer_class(name), "PROFILES_IN_ALL_EVENTS", False)}
    return frozenset(app_id for app_id, app in config.apps.items() if app.transformer in with_profiles)


def transformer_class(name: str) -> Any:
    """The class of a configured transformer, which is not made.

    Raises:
        ConfigError: there is no such class, or it cannot be imported.
    """
    return _load(TRANSFORMERS, name)


def make_enricher(name: str, options: Mapping[str, Any], files: Files) -> Enricher:
    """Create an enricher from its name and options, without opening it.

    Raises:
        ConfigError: there is no such class, it cannot be imported, or it refuses its options.
    """
    made: Enricher = _make(ENRICHERS, name, options, "enrich", files=files)
    return made


class OptionsError(ConfigError):
    """The options of a plugin do not fit its model; ``problems`` has the path of each problem."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        super().__init__(f"{name} refuses its options: " + "; ".join(_format_path(*problem) for problem in problems))
        self.problems = problems


def _format_path(path: KeyPath, message: str) -> str:
    return f"{'.'.join(map(str, path))}: {message}" if path else message


def _make(group: str, name: str, options: Mapping[str, Any], method: str, **offered: Any) -> Any:
    """Create a plugin; of the ``offered`` arguments its constructor gets those that it has as parameters.

    Only a class with the contract's method is called, since a configured name may be that of any function.
    """
    cls = _load(group, name)
    if not isinstance(cls, type):
        raise ConfigError(f"{name} is no class")
    if not callable(getattr(cls, method, None)):
        raise ConfigError(f"{name} has no method {method}()")
    model = getattr(cls, "Options", None)
    try:
        wanted = inspect.signature(cls).parameters
        given = {key: value for key, value in offered.items() if key in wanted}
        if isinstance(model, type) and issubclass(model, BaseModel):
            return cls(_options(name, model, options), **given)
        return cls(**{**given, **options})
    except ClickstreamError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} refuses its options: {error}") from None
    except Exception as error:
        raise ConfigError(f"{name} cannot be made: {type(error).__name__}: {error}") from error


def _options(name: str, model: type[BaseModel], options: Mapping[str, Any]) -> BaseModel:
    try:
        return model.model_validate(options)
    except ValidationError as error:
        raise OptionsError(name, problems_of(error, model)) from None


def is_built_in(group: str, name: str) -> bool:
    """Whether the name is that of a built-in transformer or enricher; nothing is imported."""
    found = _find_installed(group)
    return name in found and found[name].module.partition(".")[0] == _OWN


_OWN = __name__.partition(".")[0]


@cache
def _find_installed(group: str) -> dict[str, EntryPoint]:
    """The plugins of a group that are installed, by name: finding them takes 15 ms, for each app of a task."""
    return {each.name: each for each in entry_points(group=group)}


def load_function(name: str) -> Any:
    """Import a user's function by ``package.module:function``.

    Raises:
        ConfigError: it cannot be imported, or is not callable.
    """
    function = _import_object(name)
    if not callable(function):
        raise ConfigError(f"{name} is no function")
    return function


def _load(group: str, name: str) -> Any:
    if ":" in name:
        return _import_object(name)
    found = _find_installed(group)
    if name not in found:
        close = get_close_matches(name, found, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"installed are: {', '.join(sorted(found)) or 'none'}"
        raise ConfigError(f"there is no {group.removeprefix('clickstream.').rstrip('s')} {name!r}, {hint}")
    try:
        return found[name].load()
    except Exception as error:
        raise _not_imported(name, error) from error


def _import_object(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise _not_imported(name, error) from error


def _not_imported(name: str, error: Exception) -> ConfigError:
    """The error of a module that cannot be imported, whatever it raised; the run stops before any data is read."""
    kind = "" if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: "
    return ConfigError(f"cannot import {name}: {kind}{error}")
