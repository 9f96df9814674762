"""``config init`` and ``config validate``: writing a configuration to start from, and checking one with the files it names."""

from __future__ import annotations

from pathlib import Path

from streaming_app.config.model import Config
from streaming_app.config.shipped_files import conf_file
from streaming_app.environment import open_lake
from streaming_app.errors import ConfigError
from streaming_app.plugins.load_config import load_config, load_with_built_ins
from streaming_app.plugins.loading import open_enrichers
from streaming_app.plugins.registry import ENRICHERS, TRANSFORMERS, is_built_in


def write_template(path: Path, *, full: bool, force: bool) -> None:
    """Write a configuration to start from: the minimal one, or ``full`` with every key.

    Raises:
        ConfigError: the file exists, without ``force``.
    """
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already", "--force replaces it")
    template = conf_file("pipeline.reference.yaml" if full else "pipeline.minimal.yaml").read_text()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(template)


def validate(uri: str, *, no_plugins: bool) -> list[str]:
    """Check a configuration and the files that it names; returns the plugins and hooks that are not part of this application.

    With ``no_plugins``, no code runs but this application's own: these plugins are not loaded and not checked.

    Raises:
        ConfigError: it has problems; the message lists all of them.
    """
    if no_plugins:
        config = load_with_built_ins(uri)
        own = tuple(entry for entry in config.enrichers if all(is_built_in(ENRICHERS, name) for name in entry))
        open_enrichers(config.model_copy(update={"enrichers": own}), open_lake(config).storage)
    else:
        config = load_config(uri)
        open_enrichers(config, open_lake(config).storage)
    return _list_foreign_plugins(config)


def _list_foreign_plugins(config: Config) -> list[str]:
    apps = [app.transformer for app in config.apps.values() if not is_built_in(TRANSFORMERS, app.transformer)]
    enrichers = [name for entry in config.enrichers for name in entry if not is_built_in(ENRICHERS, name)]
    return list(dict.fromkeys([*apps, *enrichers, *(hook.function for hook in config.derive.hooks)]))
