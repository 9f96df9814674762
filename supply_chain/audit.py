"""``make audit``: known weaknesses of what is locked. A critical one that can be reached, or one that is not judged, fails.

Where the database of advisories cannot be reached, the list beside this file takes its place: which versions were compared
with which advisories, when, and how each weakness was judged. Both dates are shown: a list says nothing of what came later.

``--advisories FOLDER`` compares with a copy of PyPA's advisory database, ``--write`` updates the list by what was compared.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("audited.toml")
PIP_AUDIT = (
    *(sys.executable, "-m", "pip_audit", "--vulnerability-service", "osv", "--skip-editable"),
    *("--format", "json", "--progress-spinner", "off", "--timeout", "20"),
)

Pins = Mapping[str, str]
"""Versions by the names of packages."""


@dataclass(frozen=True, order=True)
class Vulnerability:
    """A known weakness of a locked version."""

    package: str
    id: str

    def __str__(self) -> str:
        return f"{self.package}: {self.id}"


@dataclass(frozen=True)
class Assessment:
    """What we make of a weakness. ``reachable``: data that we do not trust gets to the code that has it."""

    package: str
    id: str
    affected: str
    """The versions, as a specifier such as ``<2.1``."""
    severity: str
    reachable: bool
    why: str


@dataclass(frozen=True)
class AdvisoryComparison:
    """Packages that were compared with the advisories until a day, and what was found."""

    packages: Pins
    found: frozenset[Vulnerability]
    on: date
    until: date


@dataclass(frozen=True)
class AuditList:
    """The list."""

    compared: AdvisoryComparison
    judgements: tuple[Assessment, ...] = field(default=())


def main(arguments: Sequence[str]) -> int:
    """Compare, print what is known, and return the exit code: 1 if something has to be done."""
    locked, audited = locked_packages(ROOT / "uv.lock"), read_list(LIST)
    folder = arguments[arguments.index("--advisories") + 1] if "--advisories" in arguments else None
    compared = compare_with_folder(locked, Path(folder)) if folder else ask(PIP_AUDIT)
    if isinstance(compared, str):
        print(f"audit: no database of advisories was reached ({compared}); by the list in {LIST.relative_to(ROOT)}:")
        compared = audited.compared
    elif "--write" in arguments:
        write_list(AuditList(compared, audited.judgements), LIST)
    lines, failed = report(locked, compared, audited.judgements)
    print("\n".join(f"audit: {line}" for line in lines))
    return int(failed)


def locked_packages(lock: Path) -> dict[str, str]:
    """Packages of uv.lock that come from an index; of several versions the newest."""
    entries = tomllib.loads(lock.read_text())["package"]
    found = [(each["name"], each["version"]) for each in entries if "registry" in each["source"]]
    return dict(sorted(found, key=lambda each: (each[0], Version(each[1]))))


def report(locked: Pins, compared: AdvisoryComparison, judgements: Iterable[Assessment]) -> tuple[list[str], bool]:
    """What to print, and whether it fails."""
    same = {name for name, version in locked.items() if compared.packages.get(name) == version}
    on, until = compared.on, compared.until
    lines = [f"{len(same)} of {len(locked)} locked packages were compared on {on} with the advisories until {until}"]
    if (age := (datetime.now(UTC).date() - until).days) > _OLD_DAYS:
        lines.append(f"these advisories are {age} days old: compare with newer ones where the network allows it")
    if others := sorted(f"{name} {version}" for name, version in locked.items() if name not in same):
        lines.append(f"not compared: {', '.join(others)}")
    judged = {(each.package, each.id): each for each in judgements if _concerns(each, locked)}
    found = {Vulnerability(*key) for key in judged} | {each for each in compared.found if each.package in locked}
    failed = False
    for each in sorted(found):
        judgement = judged.get((each.package, each.id))
        acute = judgement is None or (judgement.severity == "critical" and judgement.reachable)
        failed |= acute
        lines.append(f"{'FAILED: ' if acute else ''}{each} in {locked[each.package]}: {_describe(judgement)}")
    return [*lines, *(["no known weakness"] if not found else [])], failed


_OLD_DAYS = 30


def _concerns(judgement: Assessment, locked: Pins) -> bool:
    version = locked.get(judgement.package)
    return version is not None and SpecifierSet(judgement.affected).contains(version, prereleases=True)


def _describe(judgement: Assessment | None) -> str:
    if judgement is None:
        return f"not judged yet: add what you make of it to {LIST.name}, or lock a version without it"
    return f"{judgement.severity}, {'reachable' if judgement.reachable else 'not reachable'}: {judgement.why}"


def ask(command: Sequence[str]) -> AdvisoryComparison | str:
    """What pip-audit finds in this environment; why it could not, where it compared nothing."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]
    compared = [each for each in dependencies if "version" in each]  # others were passed over, with a skip_reason
    if not compared:
        return "every package was passed over"
    found = {Vulnerability(each["name"], weakness["id"]) for each in compared for weakness in each["vulns"]}
    packages = {each["name"]: each["version"] for each in compared}
    today = datetime.now(UTC).date()
    return AdvisoryComparison(packages, frozenset(found), today, today)


def compare_with_folder(locked: Pins, folder: Path) -> AdvisoryComparison | str:
    """The same by a copy of PyPA's advisory database: ``vulns/<package>/<id>.yaml``, each in OSV's format."""
    if not (folder / "vulns").is_dir():
        return f"{folder} has no folder vulns"
    found: set[Vulnerability] = set()
    for name, version in locked.items():
        for path in sorted((folder / "vulns" / name).glob("*.yaml")):
            advisory = YAML(typ="safe", pure=True).load(path)
            if not advisory.get("withdrawn") and any(_affects(each, name, version) for each in advisory.get("affected", ())):
                found.add(Vulnerability(name, advisory["id"]))
    return AdvisoryComparison(locked, frozenset(found), datetime.now(UTC).date(), _newest(folder))


def _newest(folder: Path) -> date:
    """When an advisory changed last; by that line alone, for to read thousands of files as YAML takes minutes."""
    texts = (path.read_text() for path in (folder / "vulns").glob("*/*.yaml"))
    days = (found[1] for text in texts if (found := re.search(r"^modified: *[\"']?(\d{4}-\d\d-\d\d)", text, re.MULTILINE)))
    return date.fromisoformat(max(days))


def _affects(affected: Mapping[str, Any], name: str, version: str) -> bool:
    if affected["package"]["name"].lower() != name:
        return False
    ranges = [each["events"] for each in affected.get("ranges", ()) if each["type"] == "ECOSYSTEM"]
    return version in affected.get("versions", ()) or any(_is_within(Version(version), events) for events in ranges)


def _is_within(version: Version, events: Iterable[Mapping[str, str]]) -> bool:
    """Whether a version is affected after all events that are not after it. Source: OSV schema, "affected[].ranges[].events"."""
    affected = False
    for event in events:
        ((kind, at),) = event.items()
        try:
            reached = at == "0" or Version(at) <= version
            beyond = at != "0" and Version(at) < version
        except InvalidVersion:
            continue
        if kind == "introduced" and reached:
            affected = True
        elif (kind == "fixed" and reached) or (kind == "last_affected" and beyond):
            affected = False
    return affected


def read_list(path: Path) -> AuditList:
    """The list as it was written last."""
    document = tomllib.loads(path.read_text())
    packages = dict(each.split("==") for each in document["packages"])
    compared = AdvisoryComparison(packages, frozenset(), document["compared"], document["advisories_until"])
    return AuditList(compared, tuple(Assessment(**each) for each in document.get("weakness", ())))


def write_list(audited: AuditList, path: Path) -> None:
    """Write the packages that were compared; judgements stay, and what is not judged yet is left to be."""
    compared = audited.compared
    lines = [
        "# What was compared with known weaknesses, and what we make of those that were found: for machines that reach no",
        "# database of advisories. Written by: python -m supply_chain.audit --write; a [[weakness]] is added by hand.",
        f"compared = {compared.on}",
        f"advisories_until = {compared.until}",
        "packages = [",
        *(f"    {json.dumps(f'{name}=={version}')}," for name, version in sorted(compared.packages.items())),
        "]",
    ]
    for each in audited.judgements:
        fields = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in vars(each).items())
        lines += ["", "[[weakness]]", *fields]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
