"""A decision in a process of its own, as in a Lambda: what it found, what it listed, and how much memory it took for that.

Memory is that of the process, looked at before each page of a listing: to trace allocations would take ten times as long.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from streaming_app.config.read import read_config
from streaming_app.storage.s3_objects import S3Objects
from submitter.survey import survey

ROOT = Path(__file__).parents[2]


def measured(config: str, enough_bytes: float = float("inf")) -> dict[str, Any]:
    """The fields of the decision's work, ``lists`` by prefix, and ``mb``, by which the process grew."""
    command = [sys.executable, "-m", __name__, config, str(enough_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3_000:]
    return dict(json.loads(done.stdout))


def main(text: str, enough_bytes: float) -> None:
    config, objects = read_config(text, "test"), S3Objects.connect()
    list(objects.list_directory(config.sink.uri))  # botocore reads its models at the first call
    lists, sizes = Counter[str](), [_rss()]

    def look(params: dict[str, Any], **_: Any) -> None:
        lists[params["Prefix"]] += 1
        sizes.append(_rss())

    objects.client.meta.events.register("provide-client-params.s3.ListObjectsV2", look)
    work = survey(config, objects, enough_bytes)
    print(json.dumps({**asdict(work), "lists": lists, "mb": (max(*sizes, _rss()) - sizes[0]) / 1_000_000}))


def _rss() -> int:
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
