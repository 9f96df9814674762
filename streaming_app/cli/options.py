"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from streaming_app.config import Config, load_config
from streaming_app.storage import Storage
from streaming_app.tables.delta import Sink

DEFAULT_CONFIG = "conf/pipeline.yaml"

ConfigOption = Annotated[str, Parameter(name=["--config", "-c"], help="configuration file, local or s3://")]


def sink_of(config_uri: str) -> Sink:
    """The tables that a configuration names."""
    config = load_config(config_uri)
    return Sink(config.sink.uri, storage_of(config))


def storage_of(config: Config) -> Storage:
    return Storage(config.s3.endpoint, config.s3.region)
