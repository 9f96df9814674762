"""What several commands share: options, and the check that an extra of the wheel is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter

from streaming_app.environment import open_lake
from streaming_app.errors import MissingDependencyError
from streaming_app.lake.lake import Lake
from streaming_app.plugins.load_config import load_settings

DEFAULT_CONFIG = "conf/pipeline.yaml"

ConfigOption = Annotated[str, Parameter(name=["--config", "-c"], help="configuration file, local or s3://")]


DryRunOption = Annotated[bool, Parameter(negative="", help="say what would be done, do nothing")]

JsonOption = Annotated[bool, Parameter(negative="", help="print the result as one JSON line")]


def open_lake_of(config_uri: str) -> Lake:
    """The tables that a configuration names."""
    return open_lake(load_settings(config_uri))


@contextmanager
def extras_installed(*names: str) -> Iterator[None]:
    """For a block that imports what extras of the wheel bring.

    Raises:
        MissingDependencyError: a library of an extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        remedy = f"pip install 'clickstream-lake[{','.join(names)}]'"
        raise MissingDependencyError(f"{error.name} is not installed, which this command needs", remedy) from None
