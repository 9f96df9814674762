"""The configured enrichers, opened: in the driver to find what is wrong before any data is touched, in workers to work."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from streaming_app.config.model import Config
from streaming_app.errors import ClickstreamError, ConfigError
from streaming_app.plugins.enricher import Enricher, Files
from streaming_app.plugins.registry import make_enricher

log = logging.getLogger("clickstream.plugins")


@dataclass(frozen=True)
class ConfiguredEnricher:
    """One entry of ``enrichers`` in the configuration; it does not serve the apps in ``excluded_apps``."""

    name: str
    enricher: Enricher
    excluded_apps: frozenset[str] = frozenset()


def open_enrichers(config: Config, files: Files) -> list[ConfiguredEnricher]:
    """Every configured enricher in its order, opened.

    Raises:
        ConfigError: some cannot be; the message lists all their problems.
    """
    steps, problems = [], []
    for position, entry in enumerate(config.enrichers):
        for name, options in entry.items():
            try:
                step = ConfiguredEnricher(name, make_enricher(name, options, files), _not_served(config, name))
                step.enricher.open()
            except Exception as error:
                log.debug("enricher %s", name, exc_info=True)
                problems += [f"enrichers.{position}.{name}: {line}" for line in _error_lines(error)]
            else:
                steps.append(step)
    if problems:
        raise ConfigError("\n".join(problems), "nothing was processed; correct the files, then: clickstream config validate")
    return steps


def _error_lines(error: Exception) -> list[str]:
    """An error line by line; one that was not meant for users' eyes with its class."""
    meant = isinstance(error, ClickstreamError | OSError) and str(error)
    return str(error).splitlines() if meant else [f"{type(error).__name__}: {error}"]


def _not_served(config: Config, name: str) -> frozenset[str]:
    return frozenset(app_id for app_id, app in config.apps.items() if app.enrichers is not None and name not in app.enrichers)


_OPEN: dict[str, list[ConfiguredEnricher]] = {}


def open_worker_enrichers(config: Config, files: Files, run_id: str) -> list[ConfiguredEnricher]:
    """The same, opened once per worker process and run: the next run sees a database that was replaced."""
    key = f"{run_id} {files!r} {config.enrichers!r} {config.apps!r}"
    if key not in _OPEN:
        _OPEN.clear()
        _OPEN[key] = open_enrichers(config, files)
    return _OPEN[key]
