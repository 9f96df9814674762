"""``clickstream doctor``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.cli.terminal import say, say_json
from streaming_app.commands.doctor.finding import Finding
from streaming_app.errors import MissingDependencyError


def doctor(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    spark: Annotated[bool, Parameter(negative="", help="also read the jars and start Spark, which takes some seconds")] = False,
    json: Annotated[bool, Parameter(negative="", help="print one JSON object a line")] = False,
) -> None:
    """Check all that a run needs, and say what to fix; creates no tables. The exit code is 5 where a run would not work.

    Example: clickstream doctor --config conf/pipeline.yaml --spark
    """
    from streaming_app.commands.doctor.doctor import diagnose  # noqa: PLC0415 - what looks at everything imports everything

    problems = 0
    for found in diagnose(config, with_spark=spark):
        if json:
            say_json(asdict(found), flush=True)
        else:
            say(_format_finding(found), flush=True)
        problems += found.status == "problem"
    if problems:
        raise MissingDependencyError(f"{problems:,} problems", "each line above says what to do")


def _format_finding(found: Finding) -> str:
    line = f"{found.status:<8} {found.check:<13} {found.message}"
    return f"{line}\n{'':<22} → {found.remedy}" if found.remedy else line
