"""A digest of the tables that a fixed input makes: what is meant to change speed only, changes no digest.

``tests/data/digest.json`` was made before the tables were made faster. Where rows are meant to change, make it again and say why in
the commit:

    python -m tests.support.digest
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from streaming_app.demo.apps import APPS
from streaming_app.demo.generate import generate
from streaming_app.demo.geo import write_geo_database

RECORDED = Path(__file__).parent.parent / "data" / "digest.json"
EVENTS, FILES = 4_000, 8
TABLES = ("event", "item", "change", "user", "session", "item_attributes")
UNTIL = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make_input(folder: Path) -> tuple[list[Path], str]:
    """Raw files of all sources below ``folder/raw``, and the rest of a configuration: apps and all enrichers."""
    generate(folder / "raw", EVENTS, files=FILES, until=UNTIL, apps=list(APPS))
    geo = folder / "geo.mmdb"
    write_geo_database(geo)
    apps = "".join(f"  {name}: {{transformer: {app.transformer}}}\n" for name, app in APPS.items() if name != "shop")
    enrichers = f"enrichers: [{{ip: {{database: {geo}, trusted_proxies: 1}}}}, {{user_agent: {{}}}}, {{traffic_source: {{}}}}]\n"
    return sorted((folder / "raw").rglob("*.gz")), apps + enrichers


def digest(rows: Iterable[dict[str, Any]]) -> str:
    """Number and digest of rows, in whatever order they come."""
    lines = sorted(msgspec.json.encode(row, order="sorted") for row in rows)
    return f"{len(lines)} {sha256(b''.join(lines)).hexdigest()}"


def recorded() -> dict[str, str]:
    found: dict[str, str] = json.loads(RECORDED.read_text())
    return found


if __name__ == "__main__":
    import tempfile

    from tests.spark.job import Job

    with tempfile.TemporaryDirectory() as folder:
        job = Job(Path(folder), make_input(Path(folder))[1])
        job.run()
        RECORDED.write_text(json.dumps({table: digest(job.rows(table)) for table in TABLES}, indent=1) + "\n")
