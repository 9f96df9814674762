"""Raw lines and files as the ingestion endpoint writes them, from few words."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

NOW = 1_780_000_000_000
"""An ingest time: whole seconds, epoch ms."""


def event(event_id: str, **fields: Any) -> dict[str, Any]:
    """A Clickstream SDK event; ``attributes`` and other keys replace or add."""
    basis = {
        "event_id": event_id,
        "event_type": "_page_view",
        "app_id": "shop",
        "unique_id": "u-1",
        "timestamp": NOW - 1_000,
        "platform": "Web",
        "attributes": {"_session_id": "s-1", "_page_url": "https://shop.example/"},
    }
    return {**basis, **fields}


def line(*events: Any, packed: bool = False, **envelope: Any) -> bytes:
    """A request of some events (JSON values, or one str or bytes taken as the payload as it is)."""
    as_it_is = len(events) == 1 and isinstance(events[0], str | None)
    data = events[0] if as_it_is else json.dumps(list(events))
    if packed:
        data = base64.b64encode(gzip.compress((data or "").encode(), mtime=0)).decode()
    basis = {"appId": "shop", "data": data, "ip": "203.0.113.7", "rid": "r-1", "ua": "Mozilla/5.0", "uri": "/collect?appId=shop"}
    times = {"ingest_time": NOW, "client_timestamp": str(NOW - 100), "upload_timestamp": None}
    return json.dumps({**basis, **times, **envelope}).encode()


def write(folder: Path, name: str, *lines: bytes, compress: bool = True) -> Path:
    """A raw file in its hour's folder."""
    path = folder / "year=2026" / "month=05" / "day=28" / "hour=20" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = b"\n".join(lines) + b"\n"
    path.write_bytes(gzip.compress(content, mtime=0) if compress else content)
    return path
