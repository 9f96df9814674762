"""Whatever is in a raw file: the pass never raises, everything good is written, everything bad is quarantined, all counted."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import costly
from tests.support.lake import LocalPipeline, balance
from tests.support.raw import NOW, event, line, write

GOOD = line(event("good"))
BOMB = base64.b64encode(gzip.compress(b"0" * 50_000_000)).decode()
DEEP = "[" * 10_000 + "]" * 10_000

# name: (raw lines, event ids that must be written, reasons that must be in quarantine)
CASES: dict[str, tuple[list[bytes], list[str], list[str]]] = {
    "not json": ([b"nonsense", GOOD], ["good"], ["malformed_line"]),
    "not an object": ([b"[1]", b"null", GOOD], ["good"], ["malformed_line"] * 2),
    "invalid utf-8": ([b'{"appId":"shop","data":"\xff\xfe"}', GOOD], ["good"], ["malformed_payload"]),
    "invalid utf-8 outside of texts": ([b"\xff" + GOOD, GOOD + b"\xff", GOOD], ["good"], ["malformed_line"] * 2),
    "deep line": ([DEEP.encode(), GOOD], ["good"], ["malformed_line"]),
    "blank lines": ([b"", b"  ", GOOD], ["good"], []),
    "only bad lines": ([b"{", b"}"], [], ["malformed_line"] * 2),
    "no data": ([line(""), line(None)], [], ["malformed_payload"] * 2),
    "data is no text": ([line("x", data=5), line("x", data=[event("list")])], ["list"], ["malformed_payload"]),
    "garbage payload": ([line("%%%"), line("H4sI!!")], [], ["malformed_payload"] * 2),
    "empty array": ([line("[]"), GOOD], ["good"], []),
    "single object": ([line(json.dumps(event("one")))], ["one"], []),
    "packed object": ([line(json.dumps(event("one")), packed=True)], ["one"], []),
    "payload cut short": ([line('[{"event_id":"x"')], [], ["malformed_event"]),
    "sibling is broken": (
        [line(f"[{json.dumps(event('a'))},{{bad}},{json.dumps(event('b'))}]")],
        ["a", "b"],
        ["malformed_event"],
    ),
    "gzip cut short": ([line(base64.b64encode(gzip.compress(b"[]" * 999)[:-9]).decode())], [], ["malformed_payload"]),
    "bomb": ([line(BOMB), GOOD], ["good"], ["too_large"]),
    "deep payload": ([line(f"[{json.dumps(event('a'))},{DEEP}]")], ["a"], ["malformed_event"]),
    "deep parameter": ([line(f'[{json.dumps(event("a"))[:-1]},"x":{"[" * 200}{"]" * 200}}}]')], [], ["too_large"]),
    "too many events": ([line("[" + ",".join(["{}"] * 50_001) + "]")], [], ["too_large"]),
    "huge numbers": (
        [line(f'[{json.dumps(event("n"))[:-1]},"screen_width":1e400,"v":1e999}}]')],
        ["n"],
        [],
    ),
    "integers beyond 64 bits": ([line(event("n", screen_width=2**80, zone_offset=10**30))], ["n"], []),
    "integers beyond 32 bits": ([line(event("n", screen_width=2**40))], ["n"], []),
    "NaN": ([line(f'[{json.dumps(event("n"))[:-1]},"event_value":NaN}}]')], ["n"], []),
    "duplicate keys": ([line(f'[{json.dumps(event("first"))[:-1]},"event_id":"last"}}]')], ["last"], []),
    "lone surrogate": ([line(f'[{json.dumps(event("s"))[:-1]},"x":"\\ud800"}}]')], ["s"], []),
    "NUL bytes": ([line(event("nul", app_title="a\0b"))], ["nul"], []),
    "missing keys": ([line({"event_id": "x"}, event("ok"))], ["ok"], ["malformed_event"]),
    "empty name": ([line(event("x", event_type=""))], [], ["malformed_event"]),
    "unknown app": ([line(event("x", app_id="other"), event("ok"))], ["ok"], ["unknown_app"]),
    "envelope without app": ([line(event("ok"), appId=None), line(event("ok2"), appId="?")], ["ok", "ok2"], []),
    "too late": ([line(event("x", timestamp=NOW - 73 * 3_600_000))], [], ["too_late"]),
    "in the future": ([line(event("x", timestamp=NOW + 86_400_000))], [], ["in_future"]),
    "no time at all": ([line(event("x", timestamp=-5), ingest_time=None)], [], ["malformed_event"]),
    "a receipt beyond all calendars": ([line(event("x"), ingest_time=2**62), GOOD], ["good"], ["malformed_event"]),
    "a receipt before all calendars": ([line(event("x"), ingest_time=-(2**62)), GOOD], ["good"], ["malformed_event"]),
    "a time beyond all calendars": ([line(event("x", timestamp=10**17), ingest_time=None)], [], ["malformed_event"]),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_input(case: str, tmp_path: Path) -> None:
    lines, good, reasons = CASES[case]
    pipeline = LocalPipeline(tmp_path)
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", *lines))
    assert [row["event_id"] for row in pipeline.rows("event")] == sorted(good)
    assert Counter(row["reason"] for row in pipeline.rows("quarantine")) == Counter(reasons)
    received, accounted_for = balance(metrics)
    assert received == accounted_for == len(good) + len(reasons)


def test_truncated_file_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write(tmp_path / "raw", "cut.gz", *(line(event(f"e{n}"), rid=f"r{n}") for n in range(2_000)))
    path.write_bytes(path.read_bytes()[:-2_000])
    pipeline = LocalPipeline(tmp_path)
    received, accounted_for = balance(pipeline.ingest(path))
    assert received == accounted_for
    written = {row["event_id"] for row in pipeline.rows("event")}
    assert {f"e{n}" for n in range(1_000)} <= written < {f"e{n}" for n in range(2_000)}
    messages = [row["message"] for row in pipeline.rows("quarantine") if row["stage"] == "file"]
    assert messages == ["file is broken after this line: the gzip stream is cut short"]


def test_file_bomb_stops_at_the_limit(tmp_path: Path) -> None:
    zeros = gzip.compress(b"0" * 10_000_000)
    path = write(tmp_path / "raw", "bomb.gz", GOOD)
    path.write_bytes(path.read_bytes() + zeros * 100 + gzip.compress(b"\n" + line(event("after"))))
    assert path.stat().st_size < 2_000_000
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(path)
    assert [row["event_id"] for row in pipeline.rows("event")] == ["after", "good"]
    [row] = pipeline.rows("quarantine")
    assert (row["reason"], row["source_line"], len(row["raw"])) == ("too_large", 2, 4_096)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", gzip.compress(b"")], ids=["empty", "header only", "empty gzip"])
def test_files_without_lines(content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "raw", "a.gz", GOOD)
    path.write_bytes(content)
    received, accounted_for = balance(LocalPipeline(tmp_path).ingest(path))
    assert received == accounted_for <= 1


def test_missing_file_is_quarantined_by_name(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", GOOD), tmp_path / "raw" / "gone.gz")
    [row] = pipeline.rows("quarantine")
    assert row["source_file"].endswith("gone.gz")
    assert (row["reason"], row["stage"], row["source_line"]) == ("unreadable_file", "file", 0)
    assert "not there any more" in row["message"]


def test_quarantine_keeps_what_is_needed_to_replay(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    late = event("x", timestamp=NOW - 99 * 3_600_000)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", GOOD, line(event("ok"), late, rid="r-9", packed=True)))
    [row] = pipeline.rows("quarantine")
    assert json.loads(row["raw"]) == late
    envelope = json.loads(row["envelope"])
    assert (envelope["rid"], envelope["ingest_time"], row["source_line"], row["stage"]) == ("r-9", NOW, 2, "rules")


@costly(4)
@given(raw=st.lists(st.binary(max_size=200), max_size=8), payloads=st.lists(st.binary(max_size=200), max_size=8))
def test_random_bytes_never_raise(raw: list[bytes], payloads: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    tmp_path = tmp_path_factory.mktemp("random")
    texts = [payload.decode("latin-1") for payload in payloads] + [base64.b64encode(payload).decode() for payload in payloads]
    packed = [line(text, packed=True) for text in texts]
    pipeline = LocalPipeline(tmp_path)
    path = write(tmp_path / "raw", "a.gz", GOOD, *raw, *map(line, texts), *packed, line(event("last")))
    received, accounted_for = balance(pipeline.ingest(path))
    assert received == accounted_for
    assert {"good", "last"} <= {row["event_id"] for row in pipeline.rows("event")}
