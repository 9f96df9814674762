"""``erase``: erases one person of an app from all tables and quarantine, and on request from raw files."""

from streaming_app.commands.erase.erase import PHASES, find_linked_ids, plan, run

__all__ = ["PHASES", "find_linked_ids", "plan", "run"]
