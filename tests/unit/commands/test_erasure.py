"""Where a text names a person, what stays of an anonymous row, and raw lines without a person."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest

from streaming_app.commands.erase import packed
from streaming_app.commands.erase.anonymise import REPLACED, STAYING, WITHOUT_QUERY, anonymise_rows
from streaming_app.commands.erase.finder import PersonFinder
from streaming_app.commands.erase.identifier_matcher import IdentifierMatcher
from streaming_app.commands.erase.linked_ids import LinkedId, count_linked_ids
from streaming_app.commands.erase.person import Person, add_linked_ids
from streaming_app.commands.erase.quarantine_search import erase_quarantine_rows, search_quarantine
from streaming_app.commands.erase.raw import RawCounts, RawEraser
from streaming_app.ingest.read import decompress
from streaming_app.ingest.read.lines import LineReader, LongLine
from streaming_app.model.tables import TABLES
from streaming_app.storage.files import Storage
from tests.support.lake import LocalPipeline, config_for
from tests.support.raw import NOW, event, line, write


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"id": "u-1"}', True),
        ('{"id": 4711}', True),
        ("distinct_id=u-1&x", True),
        ("u-1", True),
        ('{"id": "u-12"}', False),
        ('{"id": "xu-1"}', False),
        ('{"id": "u-1-2"}', False),
        ("147110", False),
        ('{"mail": "j\\u00f6rg@example.com"}', True),
        ('{"mail": "jörg@example.com"}', True),
        ("", False),
    ],
)
def test_identifier_matcher_finds_whole_words(text: str, named: bool) -> None:
    assert IdentifierMatcher(["u-1", "4711", "jörg@example.com"]).in_text(text) is named


LONG_ID = "u" * 300


def test_an_id_that_was_cut_when_it_was_stored() -> None:
    person = Person("shop", user_pseudo_id=LONG_ID)
    assert person.ids == {LONG_ID[:255]}
    assert IdentifierMatcher(person.ids).in_text(f'"{LONG_ID}"')
    assert not IdentifierMatcher([LONG_ID[:250]]).in_text(f'"{LONG_ID}"')


PAYLOAD = json.dumps([{"id": "u-1"}])


def zipped(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


PACKED = zipped(PAYLOAD)
LONG = json.dumps([{"filler": "".join(str(number) for number in range(300_000))}, {"id": "u-1"}])
HIDDEN = {
    "plain": PAYLOAD,
    "gzip": PACKED,
    "zlib": base64.b64encode(zlib.compress(PAYLOAD.encode())).decode(),
    "base64 of JSON": "data_list=" + base64.b64encode(PAYLOAD.encode()).decode(),
    "form": f"crc=1&gzip=1&data_list={quote(PACKED, safe='')}",
    "a later value of a form": f"data=%5B%5D&data_list={quote(PACKED, safe='')}",
    "lines of 76 letters": base64.encodebytes(gzip.compress(LONG.encode())).decode(),
    "for addresses": base64.urlsafe_b64encode(gzip.compress(b"\xff\xfe" * 40 + PAYLOAD.encode(), mtime=0)).decode(),
    "long": zipped(LONG),
    "cut short": zipped(PAYLOAD + LONG.replace("u-1", ""))[:-40],
    "a second stream": base64.b64encode(gzip.compress(b"[]") + gzip.compress(PAYLOAD.encode())).decode(),
    "token": "eyJhbGciOiJIUzI1NiJ9." + base64.urlsafe_b64encode(b'{"sub":"u-1"}').decode().strip("=") + ".c2lnbmF0dXJl",
    "escapes": '["\\nu-1"]',
    "escapes of escapes": json.dumps(json.dumps({"a": json.dumps("\nu-1")})),
    "letters as escapes": '["\\u0075-1"]',
    "broken JSON": '{"a": "\\u0075\\u002d1',
}


@pytest.mark.parametrize("sent", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("block", [packed.BLOCK_BYTES, 1_000], ids=["whole", "in pieces"])
def test_a_person_is_found_in_whatever_is_sent(sent: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "BLOCK_BYTES", block)
    monkeypatch.setattr("streaming_app.commands.erase.finder.BLOCK_BYTES", block)
    mine, other = (finder(tmp_path, person) for person in ("u-1", "u-2"))
    for text in (line(sent), line(None, uri=f"/sa.gif?x=1&{sent}" if "data" in sent else f"/sa.gif?data={quote(sent, safe='')}")):
        assert mine.in_text(text).person_found
        assert not other.in_text(text).id_found


def finder(folder: Path, *ids: str, extra: str = "", app: str = "shop") -> PersonFinder:
    return PersonFinder(config_for(folder, extra), app, ids)


@pytest.mark.parametrize("block", [1, 5, 64, 1_000])
def test_blocks_cut_nothing(block: int) -> None:
    text = ("u-12 xu-1 é" * 200 + " u-1 " + "u-1x" * 200).encode()
    assert IdentifierMatcher(["u-1"]).in_stream(text[at : at + block] for at in range(0, len(text), block))
    text = text.replace(b" u-1 ", b" u-3 ")
    assert not IdentifierMatcher(["u-1"]).in_stream(text[at : at + block] for at in range(0, len(text), block))


def rows(*users: tuple[str | None, str | None]) -> pa.Table:
    names = ("user_pseudo_id", "user_id")
    return pa.table({name: pa.array([user[at] for user in users], pa.string()) for at, name in enumerate(names)})


USERS = (("p", None), ("p", "me"), ("p", "you"), ("q", None), ("q", "me"), (None, None), ("p", ""))


@pytest.mark.parametrize(
    ("person", "mine"),
    [
        (Person("shop", user_pseudo_id="p"), [True, True, True, False, False, False, True]),
        (Person("shop", user_id="me"), [False, True, False, False, True, False, False]),
        (Person("shop", user_id="me", linked=frozenset("p")), [True, True, False, False, True, False, True]),
    ],
    ids=["pseudonym", "login", "login with links"],
)
def test_row_mask_selects_rows_of_the_person(person: Person, mine: list[bool]) -> None:
    assert person.row_mask(rows(*USERS)).to_pylist() == mine


def test_kept_columns_exist_and_identify_no_person() -> None:
    for table, names in STAYING.items():
        assert names <= set(TABLES[table].schema.names)
        assert not names & (REPLACED | WITHOUT_QUERY)
        assert not [
            name
            for name in names
            if "json" in name
            or (
                name.endswith(("_id", "title"))
                and name not in ("app_id", "project_id", "app_package_id", "item_id", "location_id")
            )
        ]


def test_an_anonymous_row(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    address = {"_page_url": "https://shop.example/a?mail=me", "_page_title": "My page", "_session_id": "s-1"}
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("mine", attributes=address), event("other", unique_id="u-2"))))
    table = TABLES["event"]
    before = pipeline.query("SELECT * FROM event ORDER BY event_id").select(table.schema.names).cast(table.schema)
    after = anonymise_rows(table, before, pa.array([True, False]), b"secret")
    mine, other = after.to_pylist()
    assert other == before.to_pylist()[1]
    was = before.to_pylist()[0]
    assert {name for name in mine if mine[name] is not None and mine[name] == was[name]} <= STAYING["event"]
    assert (mine["page_view_page_url"], mine["page_view_page_title"]) == ("https://shop.example/a", None)
    assert all(mine[name].startswith("erased-") for name in ("event_id", "user_pseudo_id", "session_id"))
    assert anonymise_rows(table, before, pa.array([True, False]), b"secret").equals(after)
    assert mine["user_pseudo_id"] != anonymise_rows(table, before, pa.array([True, False]), b"other")["user_pseudo_id"][0].as_py()


MINE, OTHERS = event("a", unique_id="u-1"), event("b", unique_id="u-2")
OTHERS_APP = event("c", unique_id="u-1", app_id="other")
NO_APP = event("d", unique_id="u-1", app_id="ghost")
BIG = [event(f"b{number}", unique_id=f"v-{number}") for number in range(400)]
LINES: dict[str, tuple[bytes, Any]] = {
    "mine": (line(MINE), None),
    "others": (line(OTHERS), "same"),
    "both": (line(MINE, OTHERS, MINE), [OTHERS]),
    "packed": (line(MINE, OTHERS, packed=True), [OTHERS]),
    "a beacon": (line(None, uri=f"/sa.gif?data={quote(base64.b64encode(json.dumps([MINE, OTHERS]).encode()))}"), [OTHERS]),
    "query": (line(OTHERS, uri="/collect?u=u-1"), None),
    "escaped query": (line(OTHERS, uri="/collect?u=%75%2D1"), None),
    "agent": (line(OTHERS, ua="app (u-1)"), None),
    "agent besides an element": (line(MINE, OTHERS, ua="app (u-1)"), None),
    "an unknown key": (line(OTHERS, note={"who": ["u-1"]}), None),
    "broken": (b"broken u-1", None),
    "broken, others": (b"broken u-2", "same"),
    "no payload": (line("not a payload u-1"), None),
    "too large a payload": (line(*BIG, MINE, packed=True), None),
    "too large, others": (line(*BIG, packed=True), "same"),
    "too long a line": (line(*BIG, *BIG, MINE), None),
    "too long a line, packed": (line(*BIG, MINE, packed=True, note="x" * 400_000), None),
    "too long a line, others": (line(*BIG, *BIG), "same"),
    "an element of mine in a line of another app": (line(MINE, OTHERS_APP, appId="other"), [OTHERS_APP]),
    "in a line of an unknown app": (line(MINE, OTHERS, appId="ghost", packed=True), [OTHERS]),
    "too large, in a line of another app": (line(*BIG, MINE, packed=True, appId="other"), None),
    "too large, of another app": (
        line(*({**each, "app_id": "other"} for each in BIG), OTHERS_APP, packed=True, appId="other", uri="/collect?appId=other"),
        "same",
    ),
    "agent, in a line of another app": (line(OTHERS, appId="other", ua="app (u-1)"), None),
    "another app": (line(OTHERS_APP, appId="other", uri="/collect?u=u-1"), "same"),
    "an element of another app": (line(OTHERS_APP, OTHERS), "same"),
    "an element of no app": (line(NO_APP, OTHERS), [OTHERS]),
    "a line of no app": (line(MINE, OTHERS, appId=None), [OTHERS]),
}
SMALL = "  other: {transformer: clickstream_sdk}\nlimits: {max_payload_bytes: 50000, max_line_bytes: 200000}\n"


@pytest.mark.parametrize(("sent", "left"), LINES.values(), ids=LINES)
@pytest.mark.parametrize("compress", [True, False], ids=["gzip", "plain"])
def test_raw_lines(sent: bytes, left: Any, compress: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("_READ", 40_000), ("_BLOCK", 40_000), ("_SMALL", 1)):  # a line that is too long comes in many blocks
        monkeypatch.setattr(decompress, name, size)
    path = write(tmp_path, "a.gz" if compress else "a.json", line(OTHERS), sent, line(OTHERS), compress=compress)
    before = path.read_bytes()
    eraser = RawEraser(Storage(), finder(tmp_path, "u-1", extra=SMALL), 200_000)
    kinds = [type(text) for _, text in LineReader(Storage(), str(path), 200_000).with_long_lines()]
    assert kinds == [bytes, LongLine if len(sent) > 200_000 else bytes, bytes]
    named = int(left != "same")
    counts = eraser.erase(str(path), dry_run=True)
    assert (counts.raw_files, counts.raw_lines, counts.raw_unreadable, counts.raw_unsearched) == (named, named, 0, 0)
    assert path.read_bytes() == before
    eraser.erase(str(path))
    content = gzip.decompress(path.read_bytes()) if compress else path.read_bytes()
    first, *rest, last = content.splitlines()
    assert first == last == line(OTHERS)
    if left == "same":
        assert path.read_bytes() == before
    elif left is None:
        assert rest == []
    else:
        [found] = rest
        assert json.loads(json.loads(found)["data"]) == left
    assert eraser.erase(str(path)).raw_lines == 0


DAMAGED = zipped(LONG)[:4_000] + "A" * 4_000 + zipped(LONG)[8_000:]


@pytest.mark.parametrize(
    ("sent", "unsearched"),
    [
        (line(DAMAGED), 1),
        (line(f"data_list={quote(DAMAGED, safe='')}", appId="other"), 1),
        (line(base64.b64encode(bytes(range(256))).decode()), 1),  # what it is packed by is not known
        (line(OTHERS, ua=f"x {DAMAGED}"), 1),
        (b"\x28\xb5\x2f\xfd\x04\x00" + bytes(range(1, 10)), 1),
        (line(zipped(LONG).replace("1", "1")), 0),
        (line("not a payload"), 0),
    ],
    ids=["damaged", "in a form", "unknown", "beside the payload", "binary line", "whole", "text"],
)
def test_what_cannot_be_searched_is_counted(sent: bytes, unsearched: int, tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, SMALL)
    path = write(tmp_path / "raw", "a.gz", sent)
    who = PersonFinder(pipeline.config, "shop", ["u-7"])
    assert RawEraser(Storage(), who, 200_000).erase(str(path)) == RawCounts(raw_unsearched=unsearched)


def test_a_broken_file_is_left_alone_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "a.gz", line(MINE))
    path.write_bytes(path.read_bytes()[:-12])
    before = path.read_bytes()
    assert RawEraser(Storage(), finder(tmp_path, "u-1"), 200_000).erase(str(path)).raw_unreadable
    assert path.read_bytes() == before


def late(sent: dict[str, Any]) -> dict[str, Any]:
    return {**sent, "timestamp": NOW - 90 * 86_400_000}


QUARANTINED: dict[str, tuple[bytes, int]] = {
    "element": (line(late(MINE), late(OTHERS)), 1),
    "packed": (line(late(MINE), late(OTHERS), packed=True), 1),
    "too large": (line(*BIG, MINE, packed=True), 1),
    "too large in a form": (line(f"data_list={quote(zipped(json.dumps([*BIG, MINE])), safe='')}"), 1),
    "too large, of a line of another app": (line(*BIG, MINE, packed=True, appId="ghost"), 1),
    "of a line of another app": (line(late(MINE), late(OTHERS), appId="ghost"), 1),
    "of another app": (line(late(OTHERS_APP), late(OTHERS)), 0),
    "of an unknown app": (line(NO_APP, OTHERS), 1),
    "in the agent": (line(late(OTHERS), ua="app (u-1)"), 1),
    "in the address": (line(late(OTHERS), uri="/collect?u=%75%2d1"), 1),
    "in the message": (line({**OTHERS, "app_id": "u-1"}), 1),
    "a broken line": (b'{"broken": "u-1', 1),
}


@pytest.mark.parametrize(("sent", "rows"), QUARANTINED.values(), ids=QUARANTINED)
def test_quarantine(sent: bytes, rows: int, tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, SMALL)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", sent, b"{broken, of others"))
    before = pipeline.query("SELECT * FROM quarantine").num_rows
    who = PersonFinder(pipeline.config, "shop", ["u-1"])
    found = search_quarantine("shop", who, pipeline.lake)
    assert (found.rows, found.unsearched) == (rows, 0)
    if rows:
        erase_quarantine_rows(found.positions, pipeline.lake)
    left = pipeline.query("SELECT * FROM quarantine")
    assert left.num_rows == before - rows
    assert search_quarantine("shop", who, pipeline.lake).rows == 0


def test_linked_ids_of_a_login(tmp_path: Path) -> None:
    """A forged event has linked the victim: what it would take along shows."""
    pipeline = LocalPipeline(tmp_path)

    def events() -> Iterator[dict[str, Any]]:
        for number in range(30):
            yield event(f"v{number}", unique_id="victim")
        for number, (user, login) in enumerate((("victim", "me"), ("mine", "me"), ("mine", "me"), ("mine", ""), ("mine", "you"))):
            user_part = {"_user_id": {"value": login, "set_timestamp": NOW}} if login else {}
            yield event(f"e{number}", unique_id=user, user=user_part)

    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(*events())))
    person = add_linked_ids(Person("shop", user_id="me"), pipeline.lake)
    assert person.linked == {"victim", "mine"}
    assert count_linked_ids(person, person.linked, pipeline.lake) == [LinkedId("victim", 1, 30, 0), LinkedId("mine", 2, 1, 1)]
