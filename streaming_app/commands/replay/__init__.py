"""``replay``: what is in quarantine, processed again with today's code and configuration."""

from streaming_app.commands.replay.quarantine_filter import QuarantineFilter
from streaming_app.commands.replay.replay import PHASES, plan, run

__all__ = ["PHASES", "QuarantineFilter", "plan", "run"]
