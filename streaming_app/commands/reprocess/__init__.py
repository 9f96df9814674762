"""``reprocess``: days of events, computed again from their raw files with today's code, rules and configuration."""

from streaming_app.commands.reprocess.reprocess import PHASES, plan, run

__all__ = ["PHASES", "plan", "run"]
