"""Checks of the configuration, and of the files and plugins that it names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from streaming_app.commands.doctor.finding import Finding, Pipeline
from streaming_app.config.model import Config
from streaming_app.enrichers.ip import Ip
from streaming_app.errors import ConfigError
from streaming_app.plugins.enricher import EnricherInfo
from streaming_app.plugins.load_config import load_config
from streaming_app.plugins.loading import open_enrichers

GEO_MAX_AGE = timedelta(days=60)
"""Providers publish a new database every week or month; addresses move, and MaxMind's licence asks to renew within 30 days."""

RENEW_CDN_NETWORKS = "streaming_app.privacy.renew_cdn_networks"
CDN_MAX_AGE = timedelta(days=365)
"""CDNs add a few networks a year."""


def read_configuration(uri: str) -> tuple[Config | None, list[Finding]]:
    """Read the configuration; None if it cannot be used, with every problem as a finding."""
    try:
        config = load_config(uri)
    except ConfigError as error:
        remedy = error.hint or "correct it, then: clickstream config validate"
        return None, [Finding("configuration", "problem", row, remedy) for row in str(error).splitlines()]
    except Exception as error:  # a plugin's module may raise whatever it likes
        return None, [
            Finding("configuration", "problem", f"{type(error).__name__}: {error}", "clickstream config validate --debug")
        ]
    return config, [Finding("configuration", "ok", f"{uri}: {len(config.apps)} apps, {len(config.enrichers)} enrichers")]


def plugins(_: Pipeline) -> Iterator[Finding]:
    """Whether all that is installed can be imported; what the configuration names was imported by reading it."""
    from streaming_app.testing.named_check import list_installed  # noqa: PLC0415 - it brings the whole pass

    found = list_installed()
    broken = [each for each in found if each["says"].startswith("cannot be imported")]
    for each in broken:
        yield Finding("plugins", "warning", f"{each['name']} {each['says']}", f"repair or remove {each['distribution']}")
    yield Finding("plugins", "ok", f"{len(found) - len(broken)} transformers and enrichers can be imported")


def enrichers(pipeline: Pipeline) -> Iterator[Finding]:
    """Whether each can open its rule files and databases, and how old these are."""
    for position, entry in enumerate(pipeline.config.enrichers):
        alone = pipeline.config.model_copy(update={"enrichers": (entry,)})
        try:
            [step] = open_enrichers(alone, pipeline.storage)
        except ConfigError as error:
            for row in str(error).splitlines():
                yield Finding("enrichers", "problem", row.replace("enrichers.0.", f"enrichers.{position}.", 1), error.hint)
            continue
        yield Finding("enrichers", "ok", f"{step.name}: its files can be read")
        if isinstance(step.enricher, Ip):
            info = step.enricher.info()
            yield from _check_databases(step.name, info["databases"])
            yield _check_cdn_networks(step.name, date.fromisoformat(info["cdn_networks"]))


def _check_databases(name: str, databases: list[EnricherInfo]) -> Iterator[Finding]:
    if not databases:
        yield Finding(
            "geo", "warning", f"{name} has no database: locations stay unknown", f"name one at enrichers: {name}: database"
        )
    for each in databases:
        age = datetime.now(UTC) - datetime.fromisoformat(each["built"])
        message = f"{each['uri']}: {each['type']}, built {each['built'][:10]}, {age.days} days ago"
        if age > GEO_MAX_AGE:
            yield Finding("geo", "warning", message, "fetch a newer one; the next run takes it")
        else:
            yield Finding("geo", "ok", message)


def _check_cdn_networks(name: str, read: date) -> Finding:
    age = datetime.now(UTC).date() - read
    message = f"{name}: the list of networks of CDNs is of {read}, {age.days} days old"
    if age > CDN_MAX_AGE:
        return Finding("geo", "warning", message, f"install a newer version, or in a checkout: python -m {RENEW_CDN_NETWORKS}")
    return Finding("geo", "ok", message)
