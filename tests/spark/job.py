"""The whole job in this process's Spark session."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from streaming_app import pipeline
from streaming_app.lake.lake import Lake
from streaming_app.metrics.progress import LogProgress
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import TABLES
from streaming_app.storage.files import Storage
from tests.support.lake import config_for, rows_of, without_lineage


@dataclass
class Job:
    """A pipeline over ``folder/raw`` into ``folder/lake``."""

    folder: Path
    extra: str = ""
    runs: list[Summary] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "raw").mkdir(parents=True, exist_ok=True)
        self.config = config_for(self.folder, self.extra)
        self.lake = Lake(self.config.sink.uri, Storage())

    def run(self) -> Summary:
        self.runs.append(pipeline.run(self.config, LogProgress(), f"job-{len(self.runs)}"))
        return self.runs[-1]

    def copied(self, folder: Path) -> Job:
        """Elsewhere, with tables and checkpoints of its own; the raw files are the same."""
        shutil.copytree(self.folder / "lake", folder / "lake")
        _rename_streams(folder / "lake")
        copy = Job(folder, self.extra)
        copy.config = copy.config.model_copy(update={"source": self.config.source})
        return copy

    @contextmanager
    def kept_as_it_is(self) -> Iterator[Job]:
        """This job, whose files are afterwards what they were before."""
        with TemporaryDirectory() as kept:
            shutil.copytree(self.folder, kept, dirs_exist_ok=True)
            yield self
            shutil.rmtree(self.folder)
            shutil.copytree(kept, self.folder)
        self.lake = Lake(self.config.sink.uri, Storage())  # which remembers them as well
        session = SparkSession.getActiveSession()
        assert session
        session._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # it remembers versions that are no more

    @property
    def raw(self) -> Path:
        return Path(self.config.source.uri)

    def config_file(self) -> str:
        """For the command line."""
        path = self.folder / "pipeline.json"
        path.write_text(self.config.model_dump_json(exclude_defaults=True))
        return str(path)

    def rows(self, table: str, where: str = "true") -> list[dict[str, Any]]:
        """Rows without lineage, ordered by everything."""
        found = rows_of(self.lake, f'SELECT * FROM "{table}" WHERE {where} ORDER BY ALL')
        rows: list[dict[str, Any]] = found.select(without_lineage(table, found.column_names)).to_pylist()
        return rows

    def query(self, sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = rows_of(self.lake, sql).to_pylist()
        return rows

    def frame(self, table: str, spark: SparkSession) -> DataFrame:
        """A table as Spark reads it, its columns in the order of the contract."""
        return spark.read.format("delta").load(f"{self.folder}/lake/{table}").select(*TABLES[table].schema.names)

    def four_tables(self) -> dict[str, list[dict[str, Any]]]:
        return {table: self.rows(table) for table in ("event", "item", "user", "session")}

    def derived_tables(self) -> dict[str, list[dict[str, Any]]]:
        """All tables whose rows do not depend on how the input was split."""
        return {table: self.rows(table) for table in ("event", "item", "change", "user", "session", "item_attributes")}


def _rename_streams(lake: Path) -> None:
    """Spark runs two queries of one id at a time no more than a query twice: give new ids to those of a copied lake."""
    ids = {json.loads(path.read_text())["id"]: str(uuid.uuid4()) for path in (lake / "_checkpoints").rglob("metadata")}
    for path in lake.rglob("*"):
        if path.name == "metadata" or path.suffix == ".json":
            text = path.read_text()
            for old, new in ids.items():
                text = text.replace(old, new)
            path.write_text(text)
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
