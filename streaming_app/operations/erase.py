"""``erase``: one person of an app leaves all tables and quarantine, and raw files if asked for.

Replaced files stay until ``clickstream vacuum`` removes them: the result says from which day on nothing remains.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

import msgspec

from streaming_app.backlog.any_objects import AnyObjects
from streaming_app.backlog.derive_log import derive_is_behind
from streaming_app.backlog.objects import Found
from streaming_app.backlog.unprocessed import listed_files
from streaming_app.backlog.windows import Window
from streaming_app.config.model import Config
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.derive.stale import mark_stale
from streaming_app.derive.stream import derive
from streaming_app.erasure.anonymise import digest
from streaming_app.erasure.audit_key import audit_key, find_audit_key
from streaming_app.erasure.mentions import Mentions
from streaming_app.erasure.person import Person, with_links
from streaming_app.erasure.quarantined import quarantined_hits, take_out_quarantined
from streaming_app.erasure.raw import RawEraser
from streaming_app.erasure.tables import IN_ORDER, Hit, hits, take_out
from streaming_app.operations.operation import Operation, operation
from streaming_app.operations.scratch import scratch
from streaming_app.progress import Progress
from streaming_app.session import get_session
from streaming_app.storage import Storage
from streaming_app.summary import Summary
from streaming_app.tables.delta import Sink, sink_for
from streaming_app.tables.layout import RETENTION_DAYS
from streaming_app.tasks import Group, SizedFile, grouped, run_tasks
from streaming_app.uris import absolute

PHASES = ("start", "search", "erase", "rebuild")
Mode = Literal["delete", "anonymise"]


@dataclass
class Erased:
    """Rows by table, quarantined elements, and raw lines that named the person; files that could not be read."""

    item: int = 0
    change: int = 0
    event: int = 0
    users: int = 0
    quarantine: int = 0
    raw_files: int = 0
    raw_lines: int = 0
    raw_unreadable: int = 0


def planned(config: Config, person: Person, *, raw: bool) -> dict[str, Any]:
    """What an erasure would find; nothing is written."""
    sink = sink_for(config)
    key = find_audit_key(config, sink.storage)
    in_audit = {"person": person.digest(key)} if key else {}
    person = with_links(person, sink)
    erased = _counted(list(hits(person, sink)), person)
    mentions = Mentions(person.ids)
    found = quarantined_hits(person.app_id, mentions, config.limits.max_payload_bytes, sink)
    erased.quarantine = sum(map(len, found.values()))
    if raw:
        _erase_raw(config, person.app_id, mentions, sink.storage, erased, dry_run=True)
    return asdict(erased) | in_audit


def erase(config: Config, person: Person, mode: Mode, progress: Progress, *, raw: bool = False) -> dict[str, Any]:
    """Take the person out, or leave their rows without what names them.

    Raises:
        LeaseError: another process writes to these tables.
    """
    digest_of_person = person.digest(audit_key(config, sink_for(config).storage))
    by = "user_id" if person.user_id else "user_pseudo_id"
    asked = {"app": person.app_id, "by": by, "mode": mode, "raw": raw, "person": digest_of_person}
    progress.phase("start")
    with operation(config, "erase", asked) as this:
        storage = this.sink.storage
        with scratch(config, f"erase/{digest_of_person}", storage) as folder:
            if derive_is_behind(config, AnyObjects(config.s3.endpoint, config.s3.region)):
                derive(get_session(config, storage), config, this.sink, Summary(this.job_id))
            progress.phase("search")
            known, secret = _notes(f"{folder}/notes.json", person, this.sink)
            found = list(hits(known, this.sink))
            erased = _counted(found, known)
            progress.phase("erase")
            _erase_tables(this, known, found, bytes.fromhex(secret) if mode == "anonymise" else None)
            mentions = Mentions(known.ids)
            in_quarantine = quarantined_hits(known.app_id, mentions, config.limits.max_payload_bytes, this.sink)
            erased.quarantine = sum(map(len, in_quarantine.values()))
            if in_quarantine:
                take_out_quarantined(in_quarantine, this.sink)
            if raw:
                _erase_raw(config, known.app_id, mentions, storage, erased, dry_run=False)
            progress.phase("rebuild")
            rebuild_stale_users(config, this.sink, this.job_id)
            this.result = asdict(erased) | _afterwards(known, mentions, config, this.sink, raw=raw)
    return this.result | {"person": digest_of_person}


class _Notes(msgspec.Struct):
    """What an erasure must still know when it is tried again, though the tables may tell it no more."""

    linked: list[str]
    secret: str


def _notes(uri: str, person: Person, sink: Sink) -> tuple[Person, str]:
    """The person with all linked ids, and the secret of the anonymous ids; kept only until the erasure is through."""
    if sink.storage.exists(uri):
        notes = msgspec.json.decode(sink.storage.read_text(uri), type=_Notes)
    else:
        notes = _Notes(sorted(with_links(person, sink).linked), secrets.token_hex(32))
        sink.storage.write_text(uri, msgspec.json.encode(notes).decode())
    return Person(person.app_id, person.user_pseudo_id, person.user_id, frozenset(notes.linked)), notes.secret


def _counted(found: list[Hit], person: Person) -> Erased:
    rows = {table.name: sum(hit.rows for hit in found if hit.table is table) for table in IN_ORDER}
    return Erased(**rows, users=len(_users(found, person)))


def _users(found: list[Hit], person: Person) -> set[str]:
    told = {user for hit in found for user in hit.users} | person.linked
    return told | {person.user_pseudo_id} if person.user_pseudo_id else told


def _erase_tables(this: Operation, person: Person, found: list[Hit], secret: bytes | None) -> None:
    users = _users(found, person)
    replaced = {digest(user, secret) for user in users} if secret else set()
    mark_stale(this.config, this.sink.storage, this.job_id, {(person.app_id, user) for user in users | replaced})
    for table in IN_ORDER:
        if here := [hit for hit in found if hit.table is table]:
            take_out(table, here, person, secret, this.sink)


def _erase_raw(config: Config, app_id: str, mentions: Mentions, storage: Storage, erased: Erased, *, dry_run: bool) -> None:
    """Every raw file there is: what was left out of the tables, such as copies and bots, names the person all the same."""
    eraser = RawEraser(storage, mentions, app_id, config.limits.max_line_bytes, config.limits.max_payload_bytes)
    whole = Window("all", (Found(absolute(config.source.uri), is_folder=True),), "", was_read=True)
    objects = AnyObjects(config.s3.endpoint, config.s3.region)
    files = [SizedFile(each.found.uri, each.found.size) for each in listed_files(whole, config.source.glob, objects)]
    spark = get_session(config, storage)
    groups = grouped(files, spark.sparkContext.defaultParallelism)
    for each in run_tasks(spark, groups, partial(_erase_group, eraser, dry_run)):
        changed, broken = msgspec.json.decode(each, type=tuple[int, bool])
        erased.raw_files += changed > 0
        erased.raw_lines += changed
        erased.raw_unreadable += broken


def _erase_group(eraser: RawEraser, dry_run: bool, group: Group) -> Iterator[bytes]:
    for file in group:
        yield msgspec.json.encode(eraser.erase(file.uri, dry_run=dry_run))


def _afterwards(person: Person, mentions: Mentions, config: Config, sink: Sink, *, raw: bool) -> dict[str, Any]:
    """What is left, by looking again, and what the operator still has to do."""
    left = sum(hit.rows for hit in hits(person, sink))
    quarantined = quarantined_hits(person.app_id, mentions, config.limits.max_payload_bytes, sink)
    day = datetime.now(UTC).date() + timedelta(days=RETENTION_DAYS + 1)
    return {
        "remaining": left + sum(map(len, quarantined.values())),
        "nothing_remains_after": f"clickstream vacuum on {day} or later",
        "raw_files_still_name_the_person": not raw,
    }
