"""Whether an operator's command, which is no job run, holds the lock on the tables."""

from __future__ import annotations

import json
import time
from typing import Any

from streaming_app.config.model import Config
from streaming_app.storage.objects import Objects

pause = time.sleep


def tables_in_use(config: Config, objects: Objects) -> str | None:
    """The process that holds the lock; None where there is none that is alive: a live holder renews it while we look.

    That takes a third of its length, 20 seconds, and happens only where there is a lock that was not released.
    """
    uri = config.lock_uri
    first = _lease(uri, objects)
    if first is None or first["released"]:
        return None
    pause(first["ttl_seconds"] / 3)
    second = _lease(uri, objects)
    if second is None or second["released"] or second == first:
        return None
    return f"{second['what']} since {second['since']}, on {second['host']}"


def _lease(uri: str, objects: Objects) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads("".join(objects.lines(uri)))
    except FileNotFoundError:
        return None
    return found
