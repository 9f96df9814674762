"""``clickstream config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.cli.terminal import say, say_json_text
from streaming_app.config.model import Config
from streaming_app.config.shipped_files import conf_file
from streaming_app.environment import open_lake
from streaming_app.errors import ConfigError
from streaming_app.plugins.load_config import load_config, load_settings, load_with_built_ins
from streaming_app.plugins.loading import open_enrichers
from streaming_app.plugins.registry import ENRICHERS, TRANSFORMERS, is_built_in

config_app = App(name="config", help="Make, check and show the configuration.")


@config_app.command
def init(
    path: Path = Path(DEFAULT_CONFIG),
    *,
    full: Annotated[bool, Parameter(negative="", help="every key, each with its meaning and default")] = False,
    force: Annotated[bool, Parameter(negative="", help="replace a file that is there")] = False,
) -> None:
    """Write a configuration to start from.

    Example: clickstream config init my-pipeline.yaml --full
    """
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already", "--force replaces it")
    template = conf_file("pipeline.reference.yaml" if full else "pipeline.minimal.yaml").read_text()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(template)
    say(f"wrote {path}: set source.uri, sink.uri and apps, then: clickstream config validate --config {path}")


@config_app.command
def validate(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    no_plugins: Annotated[bool, Parameter(negative="", help="load no plugins but the built-in ones")] = False,
) -> None:
    """Check a configuration and the files it names; shows every problem with its place and what to do.

    It loads and makes the plugins that the configuration names, so their code runs here, as it does in a run. With --no-plugins
    no code runs but this application's own: use it for a configuration that you have not read.
    """
    if no_plugins:
        checked = load_with_built_ins(config)
        own = tuple(entry for entry in checked.enrichers if all(is_built_in(ENRICHERS, name) for name in entry))
        open_enrichers(checked.model_copy(update={"enrichers": own}), open_lake(checked).storage)
    else:
        checked = load_config(config)
        open_enrichers(checked, open_lake(checked).storage)
    others = ", ".join(_from_elsewhere(checked))
    say(f"{config}: valid" + (f", {'not looked at' if no_plugins else 'plugins loaded'}: {others}" if others else ""))


def _from_elsewhere(config: Config) -> list[str]:
    """Plugins that are not part of this application, and functions of the user."""
    apps = [app.transformer for app in config.apps.values() if not is_built_in(TRANSFORMERS, app.transformer)]
    enrichers = [name for entry in config.enrichers for name in entry if not is_built_in(ENRICHERS, name)]
    return list(dict.fromkeys([*apps, *enrichers, *(hook.function for hook in config.derive.hooks)]))


@config_app.command
def show(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print a configuration with all defaults, as JSON."""
    say_json_text(msgspec.json.format(load_settings(config).model_dump_json(), indent=2))


@config_app.command
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    say_json_text(msgspec.json.format(msgspec.json.encode(Config.model_json_schema()), indent=2).decode())
