"""Where a text names a person, what stays of an anonymous row, and raw lines without somebody."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from streaming_app.erasure.anonymise import REPLACED, STAYING, WITHOUT_QUERY, anonymised
from streaming_app.erasure.mentions import Mentions
from streaming_app.erasure.person import Person
from streaming_app.erasure.raw import RawEraser
from streaming_app.model.tables import TABLES
from streaming_app.storage import Storage
from tests.support.lake import Lake
from tests.support.raw import event, line, write

MB = 1_000_000


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
def test_mentions(text: str, named: bool) -> None:
    assert Mentions(["u-1", "4711", "jörg@example.com"]).in_text(text) is named


PAYLOAD = json.dumps([{"id": "u-1"}])
PACKED = base64.b64encode(gzip.compress(PAYLOAD.encode(), mtime=0)).decode()


@pytest.mark.parametrize(
    ("data", "uri", "named"),
    [
        (PAYLOAD, None, True),
        (PACKED, None, True),
        (f"crc=1&gzip=1&data_list={PACKED.replace('+', '%2B').replace('=', '%3D')}", None, True),
        ("", f"/sa.gif?data={base64.b64encode(PAYLOAD.encode()).decode().replace('=', '%3D')}", True),
        ("not a payload", None, False),
    ],
)
def test_mentions_in_payloads(data: str, uri: str | None, named: bool) -> None:
    assert Mentions(["u-1"]).in_payload(data, uri, MB) is named
    assert not Mentions(["u-2"]).in_payload(data, uri, MB)


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
def test_whose_rows(person: Person, mine: list[bool]) -> None:
    assert person.rows(rows(*USERS)).to_pylist() == mine


def test_what_stays_is_in_the_table_and_names_nobody() -> None:
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
    lake = Lake(tmp_path)
    address = {"_page_url": "https://shop.example/a?mail=me", "_page_title": "My page", "_session_id": "s-1"}
    lake.ingest(write(tmp_path / "raw", "a.gz", line(event("mine", attributes=address), event("other", unique_id="u-2"))))
    table = TABLES["event"]
    before = lake.query("SELECT * FROM event ORDER BY event_id").select(table.schema.names).cast(table.schema)
    after = anonymised(table, before, pa.array([True, False]), b"secret")
    mine, other = after.to_pylist()
    assert other == before.to_pylist()[1]
    was = before.to_pylist()[0]
    assert {name for name in mine if mine[name] is not None and mine[name] == was[name]} <= STAYING["event"]
    assert (mine["page_view_page_url"], mine["page_view_page_title"]) == ("https://shop.example/a", None)
    assert all(mine[name].startswith("erased-") for name in ("event_id", "user_pseudo_id", "session_id"))
    assert anonymised(table, before, pa.array([True, False]), b"secret").equals(after)
    assert mine["user_pseudo_id"] != anonymised(table, before, pa.array([True, False]), b"other")["user_pseudo_id"][0].as_py()


MINE, OTHERS = event("a", unique_id="u-1"), event("b", unique_id="u-2")
LINES: list[tuple[bytes, Any]] = [
    (line(MINE), None),
    (line(OTHERS), "same"),
    (line(MINE, OTHERS, MINE), [OTHERS]),
    (line(MINE, OTHERS, packed=True), [OTHERS]),
    (line(OTHERS, appId="other", uri="/collect?u=u-1"), "same"),
    (line(OTHERS, uri="/collect?u=u-1"), None),
    (b"broken u-1", None),
    (b"broken u-2", "same"),
    (line("not a payload u-1"), None),
]


@pytest.mark.parametrize(("sent", "left"), LINES, ids=range(len(LINES)))
@pytest.mark.parametrize("compress", [True, False], ids=["gzip", "plain"])
def test_raw_lines(sent: bytes, left: Any, compress: bool, tmp_path: Path) -> None:
    path = write(tmp_path, "a.gz" if compress else "a.json", line(OTHERS), sent, compress=compress)
    before = path.read_bytes()
    eraser = RawEraser(Storage(), Mentions(["u-1"]), "shop", MB, MB)
    assert eraser.erase(str(path), dry_run=True) == (int(left != "same"), False)
    assert path.read_bytes() == before
    eraser.erase(str(path))
    content = gzip.decompress(path.read_bytes()) if compress else path.read_bytes()
    first, *rest = content.splitlines()
    assert first == line(OTHERS)
    if left == "same":
        assert path.read_bytes() == before
    elif left is None:
        assert rest == []
    else:
        [found] = rest
        assert json.loads(json.loads(found)["data"]) == left
    assert eraser.erase(str(path)) == (0, False)


def test_a_broken_file_is_left_alone_and_told(tmp_path: Path) -> None:
    path = write(tmp_path, "a.gz", line(MINE))
    path.write_bytes(path.read_bytes()[:-12])
    before = path.read_bytes()
    assert RawEraser(Storage(), Mentions(["u-1"]), "shop", MB, MB).erase(str(path))[1]
    assert path.read_bytes() == before
