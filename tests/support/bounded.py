"""The pass over requests that need much memory or many files, within limits: ``python -m tests.support.bounded FOLDER CASE LIMITS``."""

from __future__ import annotations

import base64
import gzip
import json
import random
import resource
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from tests.support.lake import LocalPipeline, balance
from tests.support.raw import NOW, event, line, write

DAY = 86_400_000


def packed(payload: str) -> str:
    """A payload as the SDK packs it: what is alike takes next to nothing."""
    return base64.b64encode(gzip.compress(payload.encode(), mtime=0)).decode()


def requests(case: str) -> Iterator[bytes]:
    """The raw lines of a case."""
    ones = packed(f"[{','.join(['1'] * 10_000)}]")
    if case == "alike":
        yield from (line(ones, rid=f"r-{number}") for number in range(140))
    elif case == "long uri":
        yield from (line(ones, rid=f"r-{number}", uri="/collect?" + "x" * 8_000) for number in range(12))
    elif case == "long ua":
        payload = packed(json.dumps([event(f"e{number}") for number in range(10_000)]))
        yield line(payload, ua="Mozilla/5.0 " + "x" * 300_000)
    elif case == "long attributes":
        yield from (_long(f"e{number}") for number in range(30))
    elif case == "whole bodies":
        yield from (line(whole_body(number), rid=f"r-{number}") for number in range(2))
    elif case == "largest payloads":
        yield from (line(fill(shape), rid=shape) for shape in SHAPES)
    elif case == "many days":
        yield line(*(event(f"e{day}", event_type="_first_open", timestamp=NOW - day * DAY) for day in range(10_000)))
        yield from (
            line(event(f"f{day}", event_type="_first_open", timestamp=NOW - day * DAY), rid=f"r{day}") for day in range(400)
        )
    elif case == "maximal":
        element = json.dumps({"event_id": "x", "filler": "y" * 900})
        rejected = packed(f"[{','.join([element] * 10_000)}]")
        yield from (line(rejected, rid=f"r-{number}") for number in range(500))
        yield from (_long(f"e{number}") for number in range(300))


BODY = 1 << 20
"""Bytes of a body that the ingestion endpoint accepts."""


def whole_body(number: int) -> str:
    """As many ordinary events as a body holds, 30 bytes for each packed one."""
    noise = random.Random(number)
    attributes = {f"parameter_{each}": f"some text that does not change {each}" for each in range(12)}
    packer, events = zlib.compressobj(wbits=31), 0
    content = packer.compress(b"[")
    while len(content) < BODY * 3 // 4 - 50_000:
        each = event(f"{noise.getrandbits(64):016x}", timestamp=NOW - events % 9_000, attributes=attributes)
        content += packer.compress(b"," * (events > 0) + json.dumps(each).encode())
        events += 1
    return base64.b64encode(content + packer.compress(b"]") + packer.flush()).decode()


SHAPES: dict[str, tuple[str, str, str]] = {
    "objects": ("[", "{}", "]"),
    "numbers": ("[", "1.5", "]"),
    "arrays of an event": (f'[{json.dumps(event("a"))[:-1]},"x":[', "[]", "]}]"),
    "objects of an event": (f'[{json.dumps(event("b"))[:-1]},"x":[', '{"a":1}', "]}]"),
}
"""What takes the most memory for a byte of JSON: beginning, what is repeated, end."""
LARGEST = 39_000_000


def fill(shape: str) -> str:
    """A payload of nearly the largest size, with noise enough to be no bomb; elements of an event below their largest size."""
    begin, each, end = SHAPES[shape]
    noise = json.dumps(base64.b64encode(random.Random(1).randbytes(400_000)).decode())
    size = 9_000_000 if "event" in shape else LARGEST
    middle = ",".join([each] * ((size - len(noise)) // (len(each) + 1)))
    return packed(f"{begin}{noise},{middle}{end}")


def _long(event_id: str) -> bytes:
    return line(packed(json.dumps([event(event_id, attributes={"x": "y" * 9_900_000})])), rid=event_id)


def main(folder: Path, case: str, limits: dict[str, int]) -> None:
    pipeline = LocalPipeline(folder)
    path = write(folder / "raw", "a.gz", *requests(case))
    if "memory" in limits:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + limits["memory"],) * 2)
    if "descriptors" in limits:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits["descriptors"],) * 2)
    metrics = pipeline.ingest(path)
    received, accounted_for = balance(metrics)
    counts = {name: metrics[name] for name in ("written", "quarantined", "files")}
    found = {
        "received": received,
        "accounted": accounted_for,
        "reasons": json.loads(metrics["quarantined_by_reason"]),
        "quarantine_rows": pipeline.query("SELECT count(*) AS n FROM quarantine")["n"][0].as_py(),
        "event_files": json.loads(metrics["files_by_table"])["event"],
    }
    print(json.dumps(counts | found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
