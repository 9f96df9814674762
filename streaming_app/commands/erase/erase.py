"""``erase``: erases one person of an app from all tables and quarantine, and on request from raw files.

Replaced files stay until ``clickstream vacuum`` removes them: the result says from which day on nothing remains.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Literal

import msgspec

from streaming_app.backlog.derive_log import derive_is_behind
from streaming_app.backlog.source_partitions import SourcePartition
from streaming_app.backlog.stale_users import mark_stale
from streaming_app.backlog.unprocessed import list_source_files
from streaming_app.commands.erase.anonymise import digest
from streaming_app.commands.erase.audit_key import audit_key, find_audit_key
from streaming_app.commands.erase.finder import PersonFinder
from streaming_app.commands.erase.linked_ids import LinkedId, count_linked_ids
from streaming_app.commands.erase.old_versions import old_versions
from streaming_app.commands.erase.person import Person, add_linked_ids
from streaming_app.commands.erase.quarantine_search import QuarantineMatches, erase_quarantine_rows, search_quarantine
from streaming_app.commands.erase.raw import RawCounts, RawEraser
from streaming_app.commands.erase.table_rows import IN_ORDER, PersonRows, erase_rows, find_rows
from streaming_app.commands.interrupted import find_interrupted
from streaming_app.commands.operation import Operation, operation, resume_directory
from streaming_app.config.model import Config
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.derive.stream import derive
from streaming_app.environment import open_lake
from streaming_app.errors import ConfigError
from streaming_app.lake.lake import Lake
from streaming_app.lake.layout import RETENTION_DAYS
from streaming_app.lake.query import snapshot
from streaming_app.metrics.progress import Progress
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import TABLES
from streaming_app.spark.session import get_session
from streaming_app.spark.tasks import SizedFile, group_by_size, parallelism, run_tasks
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.files import Storage
from streaming_app.storage.objects import ObjectInfo
from streaming_app.storage.uris import absolute

PHASES = ("start", "search", "erase", "rebuild")
Mode = Literal["delete", "anonymise"]
Linked = Literal["none", "listed"]


@dataclass
class Erased:
    """Counts of an erasure: rows by table, quarantined elements, raw lines that named the person, unreadable files."""

    item: int = 0
    change: int = 0
    event: int = 0
    users: int = 0
    quarantine: int = 0
    quarantine_unsearched: int = 0
    """Rows of ``quarantine`` that stay and hold packed text that cannot be unpacked to its end."""
    quarantine_other_apps: int = 0
    """Rows of ``quarantine`` with the same id of another app."""
    raw_files: int = 0
    raw_lines: int = 0
    raw_unreadable: int = 0
    raw_unsearched: int = 0
    raw_other_apps: int = 0

    def add_quarantine(self, found: QuarantineMatches) -> None:
        self.quarantine, self.quarantine_unsearched = found.rows, found.unsearched
        self.quarantine_other_apps = found.other_apps

    def add_raw(self, counts: RawCounts) -> None:
        for name, count in asdict(counts).items():
            setattr(self, name, count)


def plan(config: Config, person: Person, *, raw: bool, linked: Linked = "listed") -> dict[str, Any]:
    """Count what an erasure would find; nothing is written."""
    lake = open_lake(config)
    key = find_audit_key(config, lake.storage)
    in_audit = {"person": person.digest(key)} if key else {}
    person = _apply_choice(person, linked, lake)
    erased = _count_rows(list(find_rows(person, lake)), person)
    in_quarantine = search_quarantine(person.app_id, PersonFinder(config, person.app_id, person.ids), lake)
    erased.add_quarantine(in_quarantine)
    if raw:
        erased.add_raw(_erase_raw(config, person, lake.storage, dry_run=True))
    return asdict(erased) | in_audit


def find_linked_ids(config: Config, person: Person) -> list[LinkedId]:
    """Find the pseudonymous ids linked to a login id, including those that a killed erasure has noted."""
    lake = open_lake(config)
    key = find_audit_key(config, lake.storage)  # without one no erasure has begun
    state = _read_state(f"{config.checkpoint_uri(_directory_name(person.digest(key)))}/notes.json", lake) if key else None
    return count_linked_ids(person, add_linked_ids(person, lake).linked | set(state.linked if state else ()), lake)


def run(
    config: Config,
    person: Person,
    mode: Mode,
    progress: Progress,
    *,
    raw: bool = False,
    linked: Linked = "listed",
    listed: Iterable[str] | None = None,
    confirmed: str = "",
) -> dict[str, Any]:
    """Erase the person: delete their rows, or anonymise them.

    By a login id, anonymous rows of the pseudonymous ids that it was seen with go as well, unless ``linked`` is ``none``: those
    that were ``listed`` to whoever decided, or all. ``confirmed`` is how that was decided, for the audit.

    Raises:
        LockError: another process writes to these tables.
        ConfigError: an erasure of this person was killed that had begun with another choice.
    """
    digest_of_person = person.digest(_load_audit_key(config))
    by = "user_id" if person.user_id else "user_pseudo_id"
    asked = {"app": person.app_id, "by": by, "mode": mode, "raw": raw, "person": digest_of_person}
    if person.user_id:
        asked["linked"] = linked
    progress.phase("start")
    with operation(config, "erase", asked) as this:
        storage = this.lake.storage
        with resume_directory(config, _directory_name(digest_of_person), storage) as folder:
            if derive_is_behind(config, AnyObjects(config.s3.endpoint, config.s3.region)):
                derive(get_session(config, storage), config, this.lake, Summary(this.job_id))
            progress.phase("search")
            known, secret = _load_or_choose(f"{folder}/notes.json", person, linked, listed, this.lake)
            found = list(find_rows(known, this.lake))
            erased = _count_rows(found, known)
            left = add_linked_ids(person, this.lake).linked - known.linked
            progress.phase("erase")
            _erase_tables(this, known, found, bytes.fromhex(secret) if mode == "anonymise" else None)
            finder = PersonFinder(config, known.app_id, known.ids)
            in_quarantine = search_quarantine(known.app_id, finder, this.lake)
            erased.add_quarantine(in_quarantine)
            if in_quarantine.positions:
                erase_quarantine_rows(in_quarantine.positions, this.lake)
            if raw:
                erased.add_raw(_erase_raw(config, known, storage, dry_run=False))
            progress.phase("rebuild")
            rebuild_stale_users(config, this.lake, this.job_id)
            this.result = asdict(erased)
            if person.user_id:
                this.result |= {"linked_ids": len(known.linked), "linked_ids_left": len(left)}
            if confirmed:
                this.result["confirmed"] = confirmed
            this.result |= _report_remaining(known, finder, erased, config, this.lake, raw=raw)
    return this.result | {"person": digest_of_person}


def _load_audit_key(config: Config) -> bytes:
    lake = open_lake(config)
    if key := find_audit_key(config, lake.storage):
        return key
    snapshot(lake)  # nothing is written into a lake whose tables another version must read
    return audit_key(config, lake.storage)


def _directory_name(digest_of_person: str) -> str:
    return f"erase/{digest_of_person}"


class _ResumeState(msgspec.Struct):
    """What an erasure needs to resume after a kill, when the tables may no longer say it."""

    linked: list[str]
    secret: str
    choice: Linked = "listed"


def _read_state(uri: str, lake: Lake) -> _ResumeState | None:
    return msgspec.json.decode(lake.storage.read_text(uri), type=_ResumeState) if lake.storage.exists(uri) else None


def _load_or_choose(uri: str, person: Person, linked: Linked, listed: Iterable[str] | None, lake: Lake) -> tuple[Person, str]:
    """The person with the chosen linked ids, and the secret of the anonymous ids; kept until the erasure is complete."""
    state = _read_state(uri, lake)
    if state is None:
        chosen = _apply_choice(person, linked, lake) if listed is None else replace(person, linked=frozenset(listed))
        state = _ResumeState(sorted(chosen.linked), secrets.token_hex(32), linked)
        lake.storage.write_text(uri, msgspec.json.encode(state).decode())
    elif person.user_id and state.choice != linked:
        raise ConfigError(
            f"an erasure of this person was interrupted that began with --linked {state.choice}",
            f"repeat it with --linked {state.choice} first",
        )
    return replace(person, linked=frozenset(state.linked)), state.secret


def _apply_choice(person: Person, linked: Linked, lake: Lake) -> Person:
    return add_linked_ids(person, lake) if linked == "listed" else person


def _count_rows(found: list[PersonRows], person: Person) -> Erased:
    rows = {table.name: sum(each.rows for each in found if each.table is table) for table in IN_ORDER}
    return Erased(**rows, users=len(_users(found, person)))


def _users(found: list[PersonRows], person: Person) -> set[str]:
    users = {user for each in found for user in each.users} | person.linked
    return users | {person.user_pseudo_id} if person.user_pseudo_id else users


def _erase_tables(this: Operation, person: Person, found: list[PersonRows], secret: bytes | None) -> None:
    users = _users(found, person)
    replaced = {digest(user, secret) for user in users} if secret else set()
    mark_stale(this.config, this.lake.storage, this.job_id, {(person.app_id, user) for user in users | replaced})
    for table in IN_ORDER:
        if here := [each for each in found if each.table is table]:
            erase_rows(table, here, person, secret, this.lake)


def _erase_raw(config: Config, person: Person, storage: Storage, *, dry_run: bool) -> RawCounts:
    """Erase from every raw file: what is not in the tables, such as duplicates and bots, names the person as well."""
    whole = SourcePartition("all", (ObjectInfo(absolute(config.source.uri), is_folder=True),), "", fully_read=True)
    objects = AnyObjects(config.s3.endpoint, config.s3.region)
    files = [SizedFile(each.found.uri, each.found.size) for each in list_source_files(whole, config.source.glob, objects)]
    spark = get_session(config, storage)
    groups = group_by_size(files, parallelism(spark))
    counts = RawCounts()
    for each in run_tasks(spark, groups, partial(_erase_group, config, person, storage, dry_run)):
        counts.add(msgspec.json.decode(each, type=RawCounts))
    return counts


def _erase_group(config: Config, person: Person, storage: Storage, dry_run: bool, group: list[SizedFile]) -> Iterator[bytes]:
    eraser = RawEraser(storage, PersonFinder(config, person.app_id, person.ids), config.limits.max_line_bytes)
    for file in group:
        yield msgspec.json.encode(eraser.erase(file.uri, dry_run=dry_run))


def _report_remaining(
    person: Person, finder: PersonFinder, erased: Erased, config: Config, lake: Lake, *, raw: bool
) -> dict[str, Any]:
    """Search again: what remains, what is not known, and what the operator still has to do."""
    left = sum(each.rows for each in find_rows(person, lake)) + search_quarantine(person.app_id, finder, lake).rows
    today = datetime.now(UTC).date()
    vacuum = today + timedelta(days=RETENTION_DAYS + 1)
    after, nothing_from, unknown = find_final_date(config, lake, today, vacuum, raw=raw)
    return {
        "remaining": left,
        "nothing_remains_after": after,
        "nothing_remains_from": nothing_from and nothing_from.isoformat(),
        "raw_files_still_name_the_person": not raw or erased.raw_unreadable > 0 or erased.raw_unsearched > 0,
        "not_known": [*_list_unsearched(erased, lake, raw=raw), *unknown],
    }


def _list_unsearched(erased: Erased, lake: Lake, *, raw: bool) -> list[str]:
    """Where the person may still be named."""
    counts = {
        "raw files that cannot be read to their end, and were left as they are": erased.raw_unreadable,
        "raw lines with packed data that cannot be unpacked": erased.raw_unsearched,
        "elements in quarantine with packed data that cannot be unpacked": erased.quarantine_unsearched,
    }
    found = [f"what is in {count:,} {what}" for what, count in counts.items() if count]
    if not raw:
        found.append("what is in raw files: --raw looks there")
    if killed := [str(each) for each in find_interrupted(lake) if each.operation == "reprocess"]:
        found.append(f"what is in the shadow of a command that was killed, repeat it and erase again: {'; '.join(killed)}")
    return found


def find_final_date(config: Config, lake: Lake, today: date, vacuum: date, *, raw: bool) -> tuple[str, date | None, list[str]]:
    """Find the day from which on nothing remains: what has to happen before, the day, and why there may be no such day.

    Vacuum makes old versions of what it deletes; the raw files and the state of this erasure have become so today.
    """
    after = f"clickstream vacuum on {vacuum} or later"
    tables = [lake.uri(table) for table in TABLES.values()]
    today_old = [config.checkpoint_uri("erase"), *([config.source.uri] if raw else ())]
    ends, problems = [vacuum], []
    for day, folders in ((vacuum, tables), (today, today_old)):
        for kept in old_versions(folders, lake.storage):
            if kept.days is None:
                problems.append(kept.description)
            elif kept.days:
                ends.append(day + timedelta(days=kept.days + 1))  # S3 counts from the midnight after
    problems = sorted(set(problems))
    if problems:
        return f"{after}, and the removal of old versions of objects (see what is not known)", None, problems
    last = max(ends)
    return after if last == vacuum else f"{after}; old versions of objects are gone from {last} on", last, []
