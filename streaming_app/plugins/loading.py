"""Creates and opens the configured enrichers: in the driver to find problems before any data is read, in workers to use them."""

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
    """One entry of ``enrichers`` in the configuration; it is disabled for the apps in ``excluded_apps``."""

    name: str
    enricher: Enricher
    excluded_apps: frozenset[str] = frozenset()


def open_enrichers(config: Config, files: Files) -> list[ConfiguredEnricher]:
    """Open every configured enricher, in order.

    Raises:
        ConfigError: some cannot be opened; the message lists all their problems.
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
    """The lines of an error's message; with its class, unless it was written for users."""
    meant = isinstance(error, ClickstreamError | OSError) and str(error)
    return str(error).splitlines() if meant else [f"{type(error).__name__}: {error}"]


def _not_served(config: Config, name: str) -> frozenset[str]:
    return frozenset(app_id for app_id, app in config.apps.items() if app.enrichers is not None and name not in app.enrichers)


_OPEN: dict[str, list[ConfiguredEnricher]] = {}


def open_worker_enrichers(config: Config, files: Files, run_id: str) -> list[ConfiguredEnricher]:
    """Open every configured enricher once per worker process and run, so that the next run uses a database that was replaced."""
    key = f"{run_id} {files!r} {config.enrichers!r} {config.apps!r}"
    if key not in _OPEN:
        _OPEN.clear()
        _OPEN[key] = open_enrichers(config, files)
    return _OPEN[key]
