"""Event names that other clients use for what the Clickstream SDK has a preset event for (the reference system's mapping)."""

from __future__ import annotations

PRESETS = {"page_view": "_page_view", "login": "_profile_set", "user_engagement": "_user_engagement", "click": "_click"}
"""Name to preset; all others stay as they are."""
