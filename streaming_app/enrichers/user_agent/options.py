"""What a configuration may say of the ``user_agent`` enricher."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streaming_app.config.section import Section


class UserAgentOptions(Section):
    bots: Literal["keep", "drop"] = "keep"
    """keep: bots' events stay, with is_bot and bot_source; drop: they are left out of all tables and counted as filtered."""
    bot_patterns: str | None = Field(default=None, min_length=1)
    """Further bots: a text file (path or s3:// URI) with one regular expression (RE2 syntax) a line; # begins a comment line."""
    not_bots: str | None = Field(default=None, min_length=1)
    """The same for user agents that are no bots, whatever any list or sign says: an app's, say, that is nothing but its name."""
