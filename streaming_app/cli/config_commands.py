"""``clickstream config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.config.load import load_config
from streaming_app.config.model import Config
from streaming_app.enrichers.opened import open_enrichers
from streaming_app.errors import ConfigError
from streaming_app.resources import conf_file
from streaming_app.tables.delta import sink_for

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
    print(f"wrote {path}: set source.uri, sink.uri and apps, then: clickstream config validate --config {path}")


@config_app.command
def validate(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Check a configuration and the files it names; shows every problem with its place and what to do."""
    checked = load_config(config)
    open_enrichers(checked, sink_for(checked).storage)
    print(f"{config}: valid")


@config_app.command
def show(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print a configuration with all defaults, as JSON."""
    print(msgspec.json.format(load_config(config).model_dump_json(), indent=2))


@config_app.command
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    print(msgspec.json.format(msgspec.json.encode(Config.model_json_schema()), indent=2).decode())
