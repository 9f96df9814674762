"""``doctor``: all checks, one after the other. Whatever goes wrong in one of them is a finding, never an error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from streaming_app.commands.doctor.finding import Finding, Pipeline
from streaming_app.commands.doctor.machine import jars, java, packages, python, spark
from streaming_app.commands.doctor.paths import aws, checkpoint, lake, source
from streaming_app.commands.doctor.settings import enrichers, plugins, read_configuration
from streaming_app.commands.doctor.state import addresses, backlog, last_run, lease, operations, tables

log = logging.getLogger("clickstream")

MACHINE: tuple[Callable[[], Iterable[Finding]], ...] = (python, java, packages)
PIPELINE: tuple[Callable[[Pipeline], Iterable[Finding]], ...] = (
    plugins,
    enrichers,
    aws,
    source,
    lake,
    checkpoint,
    tables,
    lease,
    backlog,
    last_run,
    addresses,
    operations,
)
"""What needs a configuration."""


def diagnose(config_uri: str, *, with_spark: bool = False) -> Iterator[Finding]:
    """Run all checks; ``with_spark`` also reads the jars and starts a session, which takes seconds."""
    for check in MACHINE:
        yield from _run_check(check.__name__, check)
    config, findings = read_configuration(config_uri)
    yield from findings
    if config is None:
        return
    pipeline = Pipeline(config)
    yield from _run_check("jars", partial(jars, pipeline, checksums=with_spark))
    for each in (*PIPELINE, *([spark] if with_spark else [])):
        yield from _run_check(each.__name__.replace("_", " "), partial(each, pipeline))


def _run_check(name: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:
        log.debug("doctor: %s", name, exc_info=True)
        message = " ".join(str(error).split()) or "no details"
        hint = getattr(error, "hint", "") or "clickstream doctor --debug shows where"
        yield Finding(name, "problem", f"{type(error).__name__}: {message}", hint)
