"""Reprocessing without Spark: the shadow is a lake of its own, everything after it is the command's own code."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from streaming_app.commands.days import Days
from streaming_app.commands.operation import Operation
from streaming_app.commands.reprocess.affected_rows import find_affected_files
from streaming_app.commands.reprocess.reprocess import swap_days
from streaming_app.commands.reprocess.requarantine import requarantine
from streaming_app.config.model import Config
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.ingest.commit.task_runner import TaskRunner
from tests.support.lake import LocalPipeline


def open_shadow(pipeline: LocalPipeline, raw_files: Iterable[Path]) -> LocalPipeline:
    """The raw files by the lake's configuration of now, in batches of one file; files that it has already are not read again."""
    shadow = LocalPipeline(pipeline.folder / "shadow", pipeline.extra, stream_id="shadow")
    shadow.config = with_config(pipeline.config, sink=shadow.config.sink)
    for path in raw_files:
        shadow.ingest(path)
    return shadow


def with_config(config: Config, **sections: Any) -> Config:
    return config.model_copy(update=sections)


def reprocess_here(
    pipeline: LocalPipeline, raw_files: list[Path], days: Days, change_shadow: Callable[[LocalPipeline], Any] = lambda _: None
) -> Operation:
    """What ``reprocess`` does once it knows its raw files."""
    shutil.rmtree(pipeline.folder / "shadow", ignore_errors=True)
    shadow = open_shadow(pipeline, raw_files)
    change_shadow(shadow)
    return swap_here(pipeline, shadow, raw_files, days)


def swap_here(pipeline: LocalPipeline, shadow: LocalPipeline, raw_files: list[Path], days: Days) -> Operation:
    this = Operation("reprocess", pipeline.config, pipeline.lake)
    affected = find_affected_files(shadow.lake, map(str, raw_files), *days.span_ms)
    swap_days(this, shadow.config, shadow.lake, affected, frozenset(days), f"{pipeline.folder}/shadow/days.json", TaskRunner())
    rebuild_stale_users(pipeline.config, pipeline.lake, this.job_id)
    requarantine(this, shadow.lake, affected.raw_files)
    return this
