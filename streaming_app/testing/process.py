"""``process``: raw requests in, all tables out. A stable interface for tests."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

import pyarrow as pa
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from streaming_app.config.model import CheckpointSection, Config, SinkSection
from streaming_app.plugins.load_config import load_config, parse_config
from streaming_app.plugins.loading import open_enrichers
from streaming_app.testing.pipeline import InProcessPipeline

Raw = str | bytes | Path
"""A raw line (one request as JSON), or the path of a raw file, gzip or not."""


def process(config: Config | Path | str, raw: Iterable[Raw], *, created_ms: int | None = None) -> dict[str, pa.Table]:
    """Process raw requests as one run of the job would, and return all tables as it would write them.

    The same code as the job's runs in this process, without Spark and without a JVM, on tables in a temporary folder: some
    0.1 s for a few requests. Hooks are not called.

    Args:
        config: a configuration: its YAML text, its path, or the object. Its ``source`` and ``sink`` are not used, so that a text
            may leave them out.
        raw: raw lines (``bytes`` or ``str``) and paths of raw files, in any mixture.
        created_ms: the time of the run in epoch milliseconds; now where absent.

    Returns:
        Tables by name: event, item, change, user, session, item_attributes, quarantine and run_metrics, each with the columns
        of its contract, in no order of rows.

    Raises:
        ConfigError: the configuration has problems; the message lists all of them.

    >>> tables = process("{project_id: p, apps: {shop: {transformer: clickstream_sdk}}}", [b"no JSON"])
    >>> tables["quarantine"]["reason"].to_pylist(), len(tables["event"])
    (['malformed_line'], 0)
    """
    with tempfile.TemporaryDirectory(prefix="clickstream-process-") as folder:
        sections = {"sink": SinkSection(uri=f"{folder}/lake"), "checkpoint": CheckpointSection()}
        local = _load(config).model_copy(update=sections)
        pipeline = InProcessPipeline(local, created_ms=created_ms)
        open_enrichers(local, pipeline.lake.storage)
        pipeline.ingest(_files(raw, Path(folder)))
        pipeline.derive()
        return pipeline.read_tables()


def _load(config: Config | Path | str) -> Config:
    if isinstance(config, Config):
        return config
    return load_config(str(config)) if isinstance(config, Path) else parse_config(_with_places(config))


def _with_places(text: str) -> str:
    """Add a source and a sink to a configuration that has none; text that is not a YAML mapping is returned unchanged."""
    yaml = YAML()
    yaml.width = sys.maxsize  # lines stay as they are, for messages name them
    try:
        document = yaml.load(text)
    except YAMLError:
        return text
    missing = [name for name in ("source", "sink") if isinstance(document, dict) and name not in document]
    if not missing:
        return text
    document.update({name: {"uri": "/unused"} for name in missing})
    completed = StringIO()
    yaml.dump(document, completed)
    return completed.getvalue()


def _files(raw: Iterable[Raw], folder: Path) -> list[str]:
    """The paths of the raw files; lines are written to a file of their own."""
    lines: list[bytes] = []
    files: list[str] = []
    for each in raw:
        if isinstance(each, Path):
            files.append(str(each))
        else:
            lines.append(each.encode() if isinstance(each, str) else each)
    if lines:
        path = folder / "requests.ndjson"
        path.write_bytes(b"\n".join(line.rstrip(b"\r\n") for line in lines) + b"\n")
        files.append(str(path))
    return files
