"""What is fetched is what was locked, what is known to be weak is shown, and what is packaged is listed."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from streaming_app.deploy import assemble as assemble_module
from streaming_app.deploy.assemble import SUBMITTER, assemble
from streaming_app.deploy.locked_hashes import hashes_in, with_hashes, without_hashes
from streaming_app.deploy.sbom import describe_libraries, write_sbom
from streaming_app.deploy.target import Target
from streaming_app.deploy.uv import CHECKOUT, Uv
from streaming_app.errors import MissingDependencyError
from supply_chain.audit import (
    LIST,
    AdvisoryComparison,
    Assessment,
    AuditList,
    Vulnerability,
    ask,
    compare_with_folder,
    locked_packages,
    main,
    read_list,
    report,
    write_list,
)
from tests.support.package import HERE, PYTHON, ROOT, skip_without_uv

DAY = date(2026, 11, 1)
LOCKED = {"a": "1.5", "b": "2.0"}
CRITICAL = Assessment("a", "X-1", "<2", "critical", True, "any request reaches it")
ELSEWHERE = replace(CRITICAL, reachable=False, why="we never call it")
MINOR = replace(CRITICAL, severity="low")


def compared(*found: str, **versions: str) -> AdvisoryComparison:
    return AdvisoryComparison(versions or LOCKED, frozenset(Vulnerability("a", each) for each in found), DAY, DAY)


CASES: dict[str, tuple[AdvisoryComparison, tuple[Assessment, ...], bool, list[str]]] = {
    "nothing is known": (compared(), (), False, ["no known weakness"]),
    "found, and not judged": (compared("X-1"), (), True, ["FAILED: a: X-1 in 1.5: not judged yet"]),
    "found, and critical": (compared("X-1"), (CRITICAL,), True, ["FAILED: a: X-1 in 1.5: critical, reachable: any request"]),
    "found, and not reached": (compared("X-1"), (ELSEWHERE,), False, ["a: X-1 in 1.5: critical, not reachable: we never"]),
    "found, and minor": (compared("X-1"), (MINOR,), False, ["a: X-1 in 1.5: low, reachable"]),
    "by the list alone": (compared(), (CRITICAL,), True, ["FAILED: a: X-1 in 1.5"]),
    "another one beside it": (compared("X-1", "X-2"), (MINOR,), True, ["FAILED: a: X-2", "a: X-1 in 1.5: low"]),
    "fixed in this version": (compared(), (replace(CRITICAL, affected="<1.5"),), False, ["no known weakness"]),
    "locked no more": (compared(), (replace(CRITICAL, package="gone"),), False, ["no known weakness"]),
    "other versions": (compared(a="1.5", b="1.9"), (), False, ["1 of 2 locked", "not compared: b 2.0"]),
    "new packages": (compared(a="1.5"), (), False, ["1 of 2 locked", "not compared: b 2.0"]),
}


@pytest.mark.parametrize("case", CASES)
def test_report(case: str) -> None:
    found, judgements, fails, says = CASES[case]
    lines, failed = report(LOCKED, found, judgements)
    assert failed is fails
    assert [each for each in says if not any(each in line for line in lines)] == []
    assert str(DAY) in lines[0]


def test_old_advisories_are_called_old() -> None:
    today = datetime.now(UTC).date()
    lines = [report(LOCKED, replace(compared(), until=today - timedelta(days=days)), ())[0][1] for days in (1, 90)]
    assert ["90 days old" in line for line in lines] == [False, True]


def pip_audit(output: Any, tmp_path: Path) -> list[str]:
    """A command that prints what pip-audit would."""
    path = tmp_path / "output"
    path.write_text(output if isinstance(output, str) else json.dumps({"dependencies": output, "fixes": []}))
    return [sys.executable, "-c", f"import sys; print(open({str(path)!r}).read()); sys.exit('no network')"]


def test_what_pip_audit_says(tmp_path: Path) -> None:
    weak = {"name": "a", "version": "1.5", "vulns": [{"id": "X-1", "fix_versions": ["2"], "aliases": ["CVE-1"]}]}
    find_passed_over_files = {"name": "b", "skip_reason": "not found"}
    found = ask(pip_audit([weak, find_passed_over_files], tmp_path))
    assert isinstance(found, AdvisoryComparison)
    assert (found.packages, found.found) == ({"a": "1.5"}, {Vulnerability("a", "X-1")})
    assert (
        ask(pip_audit([find_passed_over_files], tmp_path)) == "every package was passed over"
    )  # which pip-audit takes for good news
    assert ask(pip_audit("", tmp_path)) == ask(pip_audit("[]", tmp_path)) == "no network"


ADVISORY = """
id: X-1
modified: '2026-10-31T00:00:00Z'
affected:
- package: {ecosystem: PyPI, name: a}
  ranges:
  - type: GIT
    events: [{introduced: abc}]
  - type: ECOSYSTEM
    events: [{introduced: '1.0'}, {fixed: '1.4'}, {introduced: '1.6.0'}, {last_affected: '1.7'}]
  versions: ['0.1']
"""


@pytest.mark.parametrize(
    ("version", "is_weak"),
    [
        ("0.1", True),
        ("0.9", False),
        ("1.0", True),
        ("1.3.9", True),
        ("1.4", False),
        ("1.6rc1", False),
        ("1.7", True),
        ("1.8", False),
    ],
)
def test_a_copy_of_the_advisories(version: str, is_weak: bool, tmp_path: Path) -> None:
    (tmp_path / "vulns/a").mkdir(parents=True)
    (tmp_path / "vulns/a/X-1.yaml").write_text(ADVISORY)
    (tmp_path / "vulns/a/X-2.yaml").write_text(ADVISORY.replace("X-1", "X-2") + "withdrawn: '2026-10-30T00:00:00Z'\n")
    found = compare_with_folder({"a": version, "b": "1"}, tmp_path)
    assert isinstance(found, AdvisoryComparison)
    assert (found.found, found.until) == ({Vulnerability("a", "X-1")} if is_weak else set(), date(2026, 10, 31))
    assert isinstance(compare_with_folder(LOCKED, tmp_path / "nothing"), str)


def test_the_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    audited = AuditList(compared(), (CRITICAL, replace(ELSEWHERE, why='with "quotes" and \\ and é')))
    write_list(audited, tmp_path / "list.toml")
    assert read_list(tmp_path / "list.toml") == audited


def test_our_own_list_holds_offline(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing critical that can be reached is known of what is locked, and the dates are shown."""
    assert main(["--advisories", "/nowhere"]) == 0
    told = capsys.readouterr().out
    audited = read_list(LIST)
    assert f"compared on {audited.compared.on} with the advisories until {audited.compared.until}" in told
    assert len(audited.compared.packages) > 100
    assert audited.compared.packages.keys() & locked_packages(ROOT / "uv.lock").keys()


def test_the_first_tool_is_pinned_by_hash() -> None:
    pinned = (ROOT / "supply_chain/uv.txt").read_text()
    assert re.match(r"uv==\d", pinned)
    assert pinned.count("--hash=sha256:") > 10
    assert "--require-hashes" in (ROOT / "Makefile").read_text().partition(".uv/bin/uv:")[2]


@pytest.fixture(scope="module")
def locked() -> str:
    skip_without_uv()
    return Uv().export_locked(CHECKOUT)


def test_every_library_of_the_package_has_a_hash(locked: str) -> None:
    hashes = hashes_in(locked)
    plain = without_hashes(locked)
    pins = [line.partition(" ")[0] for line in plain.splitlines()]
    assert "--hash" not in plain
    assert len(pins) > 50
    assert [pin for pin in pins if pin not in hashes] == []
    assert with_hashes("msgspec==0.0.1\n", hashes)[1] == ["msgspec==0.0.1"]


def test_a_wheel_with_another_content_is_refused(locked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the index gave another file of the same name and version."""
    _project(tmp_path / "project")
    forged = re.sub("--hash=sha256:..", "--hash=sha256:00", locked)
    monkeypatch.setattr(assemble_module, "locked_requirements", lambda _uv: forged)
    with pytest.raises(MissingDependencyError) as raised:
        assemble(Uv(), Target(HERE, PYTHON), SUBMITTER, [], tmp_path / "project", tmp_path / "made")
    if "Failed to fetch" in str(raised.value):
        pytest.skip("NO PACKAGE WAS TRIED: no package index can be reached")
    assert "ash mismatch" in str(raised.value)
    assert "not what was locked" in raised.value.hint


def _project(folder: Path) -> None:
    """A distribution as small as one can be, which requires what the submitter requires."""
    facts = folder / "clickstream_lake-0.1.0.dist-info"
    facts.mkdir(parents=True)
    head = "Metadata-Version: 2.4\nName: clickstream-lake\nVersion: 0.1.0\nProvides-Extra: submitter\n"
    (facts / "METADATA").write_text(f"{head}Requires-Dist: wcmatch>=10.0; extra == 'submitter'\n")


def test_the_list_of_libraries(tmp_path: Path) -> None:
    facts = tmp_path / "site/Some.Lib_x-1.0+local.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: Some.Lib_x\nVersion: 1.0+local\nLicense-Expression: MIT OR Apache-2.0\n"
    )
    installed = [Path(each) for each in sys.path if (Path(each) / "pyarrow").is_dir()][:1]
    parts = {"environment.tar.gz": describe_libraries(installed[0]), "submitter.zip": describe_libraries(tmp_path / "site")}
    for name in ("one", "two"):
        write_sbom(parts, tmp_path / name)
    text = (tmp_path / "one").read_text()
    assert text == (tmp_path / "two").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    job, function = json.loads(text)["components"]
    assert {"pyarrow", "duckdb", "boto3"} <= {each["name"] for each in job["components"]}
    [component] = function["components"]
    assert component["purl"] == "pkg:pypi/some-lib-x@1.0%2Blocal"
    assert component["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert sum("licenses" in each for each in job["components"]) > 0.9 * len(job["components"])
