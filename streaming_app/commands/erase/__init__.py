"""``erase``: one person of an app leaves all tables and quarantine, and raw files if asked for."""

from streaming_app.commands.erase.erase import PHASES, find_linked_ids, plan, run

__all__ = ["PHASES", "find_linked_ids", "plan", "run"]
