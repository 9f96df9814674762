"""Whether an operator's command, which is no job run, holds the lease on the tables."""

from __future__ import annotations

import json
import time
from typing import Any

from streaming_app.config.model import Config
from streaming_app.storage.objects import Objects

pause = time.sleep


def tables_in_use(config: Config, objects: Objects) -> str | None:
    """Who holds the lease; None where nobody does that is alive: a lease is alive if it is renewed while we look.

    That takes a third of its length, 20 seconds, and happens only where there is a lease that was not given back.
    """
    uri = config.lease_uri
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
