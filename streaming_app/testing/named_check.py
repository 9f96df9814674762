"""Lists installed transformers and enrichers, and checks one of them by its name and options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from streaming_app.config.model import AppSection, LimitsSection
from streaming_app.errors import ConfigError, InputError, SourceError
from streaming_app.ingest.read.lines import BadPart, LineReader
from streaming_app.model.request import Request, parse_request
from streaming_app.plugins.registry import ENRICHERS, TRANSFORMERS, OptionsError, load_function, make_enricher, make_transformer
from streaming_app.storage.files import Storage
from streaming_app.testing import Check, enricher_checks, sample_events, transformer_checks

_KINDS = {TRANSFORMERS: "transformer", ENRICHERS: "enricher"}
_NAMES = "clickstream plugins list shows what is installed; a class of your own is named package.module:Class"
_RAW = "give a raw file: one JSON request a line"


def list_installed() -> list[dict[str, str]]:
    """Kind, name, class, distribution and the first line of the docstring of each, in this order."""
    return [_describe_plugin(each, kind) for group, kind in _KINDS.items() for each in _entries(group)]


def checks_of(plugin: str, options: dict[str, Any], storage: Storage, requests: Sequence[Request] | None) -> list[Check]:
    """The checks of a plugin's contract; an enricher gets the events that clickstream_sdk makes of the requests.

    Raises:
        ConfigError: there is no such plugin, it cannot be created, or an enricher's requests contain no event.
    """
    try:
        if _is_transformer(plugin):
            section = AppSection(transformer=plugin, options=options)
            return transformer_checks(partial(make_transformer, section, LimitsSection()), requests)
        return enricher_checks(partial(make_enricher, plugin, options, storage), _events(requests))
    except OptionsError as error:
        raise ConfigError(str(error), 'give them as a JSON object: --options \'{"name": "value"}\'') from error
    except ConfigError as error:
        raise ConfigError(str(error), error.hint or _NAMES) from error


def read_requests(uri: str, storage: Storage) -> Iterator[Request]:
    """The requests of a raw file.

    Raises:
        SourceError: it cannot be read, or one of its lines is not a request.
    """
    for number, line in LineReader(storage, uri, LimitsSection().max_line_bytes):
        if isinstance(line, BadPart):
            raise SourceError(f"{uri}: {line.message}", _RAW)
        try:
            yield parse_request(line)
        except InputError as error:
            raise SourceError(f"{uri}:{number}: {error}", _RAW) from None


def _events(requests: Sequence[Request] | None) -> Any:
    try:
        return sample_events(requests)
    except ValueError as error:
        raise ConfigError(str(error), "an enricher is checked with requests of the Clickstream SDK") from None


def _is_transformer(plugin: str) -> bool:
    if ":" in plugin:
        found = load_function(plugin)
        methods = [name for name in ("transform", "enrich") if callable(getattr(found, name, None))]
        if not methods:
            raise ConfigError(f"{plugin} has neither a method transform() nor enrich()", _NAMES)
        return methods[0] == "transform"
    groups = {each.name: group for group in _KINDS for each in _entries(group)}
    if plugin not in groups:
        close = get_close_matches(plugin, groups, n=1)
        raise ConfigError(f"there is no plugin {plugin!r}" + (f", did you mean {close[0]!r}?" if close else ""), _NAMES)
    return groups[plugin] == TRANSFORMERS


def _entries(group: str) -> list[EntryPoint]:
    return sorted(entry_points(group=group), key=lambda each: each.name)


def _describe_plugin(plugin: EntryPoint, kind: str) -> dict[str, str]:
    try:
        says = (inspect.getdoc(plugin.load()) or "").partition("\n")[0]
    except Exception as error:  # a plugin that cannot be imported is listed too
        says = f"cannot be imported: {type(error).__name__}: {error}"
    distribution = f"{plugin.dist.name} {plugin.dist.version}" if plugin.dist else ""
    return {"kind": kind, "name": plugin.name, "class": plugin.value, "distribution": distribution, "says": says}
