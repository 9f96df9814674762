"""The one validated configuration file: its model, its reader, its errors."""

from streaming_app.config.load import load_config, parse_config
from streaming_app.config.model import Config

__all__ = ["Config", "load_config", "parse_config"]
