"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from streaming_app.environment import open_lake
from streaming_app.lake.lake import Lake
from streaming_app.plugins.load_config import load_settings

DEFAULT_CONFIG = "conf/pipeline.yaml"

ConfigOption = Annotated[str, Parameter(name=["--config", "-c"], help="configuration file, local or s3://")]


DryRunOption = Annotated[bool, Parameter(negative="", help="say what would be done, do nothing")]

JsonOption = Annotated[bool, Parameter(negative="", help="print the result as one JSON line")]


def sink_of(config_uri: str) -> Lake:
    """The tables that a configuration names."""
    return open_lake(load_settings(config_uri))
