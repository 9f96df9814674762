"""Every operator's command has the same two functions."""

from __future__ import annotations

from types import ModuleType

import pytest

from streaming_app.commands import backfill, erase, maintain, optimize, rebuild, replay, reprocess, vacuum


@pytest.mark.parametrize(
    "command", [backfill, erase, maintain, optimize, rebuild, replay, reprocess, vacuum], ids=lambda module: module.__name__
)
def test_every_command_has_plan_and_run(command: ModuleType) -> None:
    assert callable(command.plan)
    assert callable(command.run)
    assert command.plan.__doc__
    assert command.run.__doc__
