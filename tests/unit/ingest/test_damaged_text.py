"""One damaged character costs itself and no more: not its line, not its payload, not its element; and it is noted."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.commands.erase.finder import PersonFinder
from streaming_app.commands.erase.raw import RawEraser
from streaming_app.commands.replay.requests import RequestRebuilder
from streaming_app.model.request import parse_request
from streaming_app.storage.files import Storage
from tests.support.lake import LocalPipeline, config_for
from tests.support.raw import event, line, write

MARK = b"\xef\xbb\xbf"
GOOD = line(event("e", app_title="T"))


def put(**envelope: bytes) -> bytes:
    """The good line with bytes as the text of some keys, as a server writes them that does not look into them."""
    text = json.dumps({**json.loads(GOOD), **{key: f"@{key}@" for key in envelope}}).encode()
    for key, value in envelope.items():
        text = text.replace(f"@{key}@".encode(), value)
    return text


def payload(title: bytes) -> bytes:
    return json.dumps([event("e", app_title="@@")]).encode().replace(b"@@", title)


def put_packed(content: bytes) -> bytes:
    return put(data=base64.b64encode(gzip.compress(content, mtime=0)))


def escape(content: bytes) -> bytes:
    """As the text of a JSON string, but that its bytes stay."""
    return content.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


# name: (raw line, the title of its event, what its process_info says of the line)
CASES: dict[str, tuple[bytes, str, list[str] | None]] = {
    "nothing": (GOOD, "T", None),
    "surrogate in the agent": (put(ua=rb"a\ud800b"), "T", ["lone_surrogate"]),
    "surrogate in a key that is not read": (put(x=rb"\udfff\ud800"), "T", ["lone_surrogate"]),
    "surrogates in order": (put(ua=rb"\ud83d\ude00"), "T", None),
    "surrogate as text of the payload": (
        put(data=escape(payload(b"@T")).replace(b"@T", rb"\ud800")),
        "\ufffd",
        ["lone_surrogate"],
    ),
    "surrogate within the payload": (put(data=escape(payload(rb"a\ud800"))), "a\ufffd", None),
    "surrogate within a packed payload": (put_packed(payload(rb"\ud800b")), "\ufffdb", None),
    "byte in the agent": (put(ua=b"Mozilla/\xff"), "T", ["invalid_utf8"]),
    "byte in the address": (put(ip=b"203.0.113.7\xe4"), "T", ["invalid_utf8"]),
    "byte in the URI": (put(uri=b"/collect?x=\xc0\xaf&appId=shop"), "T", ["invalid_utf8"]),
    "surrogate in UTF-8": (put(ua=b"\xed\xa0\x80"), "T", ["invalid_utf8"]),
    "a character cut short": (put(ua=b"caf\xc3"), "T", ["invalid_utf8"]),
    "byte in the payload": (put(data=escape(payload(b"caf\xe9"))), "caf\ufffd", ["invalid_utf8"]),
    "byte in a packed payload": (put_packed(payload(b"caf\xe9")), "caf\ufffd", None),
    "mark before the line": (MARK + GOOD, "T", ["byte_order_mark"]),
    "marks around the line": (MARK * 2 + b" " + GOOD + MARK + b"\r", "T", ["byte_order_mark"]),
    "zeros before the mark": (b"\0" + MARK + GOOD, "T", ["byte_order_mark"]),
    "mark before the payload": (put(data=MARK + escape(payload(b"T"))), "T", None),
    "escaped mark before the payload": (put(data=rb"\ufeff" + escape(payload(b"T"))), "T", None),
    "mark in a packed payload": (put_packed(MARK + payload(b"T")), "T", None),
    "mark in a form": (put(data=b"data=" + quote_from_bytes(MARK + payload(b"T+ T")).replace("%20", "+").encode()), "T+ T", None),
    "mark within a text stays": (put(data=escape(payload(MARK + b"T"))), "\ufeffT", None),
    "control character in the agent": (put(ua=b"a\tb\x01"), "T", ["control_character"]),
    "control character in a packed payload": (put_packed(payload(b"a\tb")), "a\tb", None),
    "a number that is none": (GOOD[:-1] + b',"x":NaN,"y":[-Infinity,1e999]}', "T", ["number"]),
    "all at once": (
        MARK + put(ua=b"\xff", uri=rb"/\ud800", rid=b"\t")[:-1] + b',"x":NaN}',
        "T",
        ["invalid_utf8", "byte_order_mark", "number", "control_character", "lone_surrogate"],
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_damaged_text(case: str, tmp_path: Path) -> None:
    """Between two good lines, because the mark at the beginning of a file is no damage."""
    raw, title, repaired = CASES[case]
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("before")), raw, line(event("later"))))
    found = pipeline.query("SELECT event_id, app_title, process_info FROM event ORDER BY 1").to_pylist()
    assert [row["event_id"] for row in found] == ["before", "e", "later"]
    assert pipeline.rows("quarantine") == []
    assert found[1]["app_title"] == title
    notes = [json.loads(row["process_info"]).get("repaired_request") for row in found]
    assert notes[0] is notes[2] is None
    assert sorted(notes[1] or []) == sorted(repaired or [])


def test_a_mark_alone_is_a_blank_line(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", MARK, GOOD, MARK + b"\r", MARK * 2))
    assert (metrics["received"], metrics["written"]) == (1, 1)


@pytest.mark.parametrize("key", ["attributes", "user"])
def test_objects_that_are_sent_as_text(key: str, tmp_path: Path) -> None:
    text = '{"_page_title": "a\\ud800", "_user_id": {"value": "a\\ud800", "n": NaN}}'
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("e", **{key: text}))))
    [row] = pipeline.rows("event")
    assert row["page_view_page_title" if key == "attributes" else "user_id"] == "a\ufffd"


ESCAPES = [b"\xff", rb"\\xff", rb"\ud800", b"\xe4", rb"\n", b"a", b"\xc3\xa4"]


@given(st.lists(st.sampled_from(ESCAPES), max_size=6).map(b"".join))
def test_a_line_that_an_older_version_refused_comes_back(agent: bytes) -> None:
    """Its text is in quarantine, with escapes for bytes that are not UTF-8."""
    raw = put(ua=agent)
    row: dict[str, Any] = {"raw": raw.decode("utf-8", "backslashreplace"), "stage": "request", "envelope": None, "elements": None}
    again = RequestRebuilder(Storage(), 10**9, 10**9).rebuild({**row, "source_file": "a", "source_line": 3})
    assert again is not None
    wanted = parse_request(raw)
    assert (again.request.ua, again.request.repaired, again.request.data) == (wanted.ua, wanted.repaired, wanted.data)


def test_a_damaged_line_can_be_erased_from(tmp_path: Path) -> None:
    """One that is kept in part is written again whole."""
    both = put(ua=rb"\ud800", data=escape(json.dumps([event("e", unique_id="victim"), event("f", unique_id="other")]).encode()))
    path = write(tmp_path / "raw", "a.gz", both)
    eraser = RawEraser(Storage(), PersonFinder(config_for(tmp_path), "shop", {"victim"}), 10**9)
    counts = eraser.erase(str(path))
    assert (counts.raw_lines, counts.raw_unreadable) == (1, 0)
    left = gzip.decompress(path.read_bytes())
    assert b"victim" not in left
    assert [each["event_id"] for each in json.loads(json.loads(left)["data"])] == ["f"]


def test_a_refused_element_can_be_replayed(tmp_path: Path) -> None:
    """What quarantine keeps of it is repaired as it would be in an event."""
    pipeline = LocalPipeline(tmp_path)
    late = json.dumps([event("e", timestamp=1, app_title="@@")]).encode().replace(b"@@", b"caf\xe9")
    pipeline.ingest(write(tmp_path / "raw", "a.gz", put_packed(late)))
    [row] = pipeline.rows("quarantine")
    assert (row["reason"], json.loads(row["raw"])["app_title"]) == ("too_late", "caf\ufffd")
