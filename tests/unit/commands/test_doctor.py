"""The doctor names what is wrong with its remedy, never raises, and leaves everything as it was."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from streaming_app.cli import _exit_code
from streaming_app.commands.doctor import doctor as doctor_module
from streaming_app.commands.doctor.doctor import diagnose
from streaming_app.commands.doctor.finding import Finding, Pipeline
from streaming_app.commands.operation import operation
from streaming_app.environment import lock_lake
from streaming_app.lake.layout import LAYOUT_KEY
from streaming_app.lake.lock.holder import Holder
from streaming_app.model.tables import TABLES
from streaming_app.spark.jars.lock import locked_jars
from streaming_app.storage.files import Storage
from tests.support.lake import LocalPipeline
from tests.support.raw import event, line
from tests.support.raw import write as write_raw
from tests.support.upkeep import busy_lake, copied

DAY = 86_400
ENRICHERS = "enrichers:\n  - ip: {{database: {}/geo.mmdb}}\n  - user_agent: {{}}\n  - traffic_source: {{}}\n"


def put_geo(folder: Path) -> None:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-City")
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"country": {"iso_code": "KE"}})
    writer.to_db_file(str(folder / "geo.mmdb"))


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    """A lake of which all raw files are processed, as far as its checkpoints say."""
    pipeline = busy_lake(tmp_path_factory.mktemp("healthy"), hours=1)
    put_geo(pipeline.folder)
    return pipeline


class Patient:
    """A copy of the lake with its configuration, for one damage."""

    def __init__(self, healthy: LocalPipeline, folder: Path) -> None:
        self.lake, self.folder = copied(healthy, folder), folder
        self.config = folder / "c.yaml"
        self.configure(ENRICHERS.format(folder))

    def configure(self, extra: str = "", **places: str) -> None:
        known = {"source": f"{self.folder}/raw", "sink": f"{self.folder}/lake", **places}
        sections = "".join(f"{name}: {{uri: '{uri}'}}\n" for name, uri in known.items())
        self.config.write_text(f"project_id: t\n{sections}apps:\n  shop: {{transformer: clickstream_sdk}}\n{extra}")

    def findings(self, **options: bool) -> list[Finding]:
        return list(diagnose(str(self.config), **options))


@pytest.fixture
def patient(healthy: LocalPipeline, tmp_path: Path) -> Patient:
    return Patient(healthy, tmp_path)


def ingested(*headers: str, extra: str = "", part: int = 0) -> Callable[[Patient], None]:
    """Events with these address headers were ingested by an ip enricher with ``extra`` options; ``part`` ordinary ones, too."""

    def damage(patient: Patient) -> None:
        geo = f"enrichers:\n  - ip: {{database: {patient.folder}/geo.mmdb{extra}}}\n"
        patient.configure(geo)
        sent = [line(event(f"v-{number}"), ip=each) for number, each in enumerate([*headers, *["203.0.113.7"] * part])]
        LocalPipeline(patient.folder, geo, stream_id="later").ingest(write_raw(patient.folder / "raw", "v.gz", *sent))

    return damage


def write(path: Path, content: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def old_raw_file(patient: Patient) -> None:
    [raw] = (patient.folder / "raw").rglob("*.gz")
    then = time.time() - 3 * DAY
    os.utime(raw, (then, then))


def old_database(patient: Patient) -> None:
    """The build date is in the file, eight bytes after its name."""
    path = patient.folder / "geo.mmdb"
    content = path.read_bytes()
    at = content.rindex(b"build_epoch") + len(b"build_epoch")
    size = content[at + 1] and content[at] & 31
    old = int(time.time() - 61 * DAY).to_bytes(size, "big")
    path.write_bytes(content[: at + 2] + old + content[at + 2 + size :])


def killed_command(patient: Patient) -> None:
    pipeline = patient.lake
    with operation(pipeline.config, "erase", {"app": "shop"}):
        pass
    rows = pipeline.folder / "lake/operation"
    last = max(rows.glob("_delta_log/*.json"))
    last.unlink()


def silent_holder(patient: Patient) -> None:
    gone = msgspec.structs.replace(Holder.me("run far", "2026-01-01", 60.0), host="elsewhere", renewed=time.time() - 600)
    write(patient.folder / "lake/_lease.json", msgspec.json.encode(gone))


def layout(number: int) -> Callable[[Patient], None]:
    def alter(patient: Patient) -> None:
        opened = patient.lake.lake.open(TABLES["item"])
        opened.alter.set_table_properties({LAYOUT_KEY: str(number)}, raise_if_not_exists=False)

    return alter


def remove(name: str) -> Callable[[Patient], None]:
    return lambda patient: (
        shutil.rmtree(patient.folder / name) if (patient.folder / name).is_dir() else (patient.folder / name).unlink()
    )


def configured(extra: str = "", **places: str) -> Callable[[Patient], None]:
    return lambda patient: patient.configure(
        extra.replace("FOLDER", str(patient.folder)),
        **{name: uri.replace("{}", str(patient.folder)) for name, uri in places.items()},
    )


def added(name: str, content: bytes = b"x") -> Callable[[Patient], None]:
    return lambda patient: write(patient.folder / name, content)


# damage: check, status, and a part of what it says; {} is the folder
DAMAGES: dict[str, tuple[Callable[[Patient], Any], tuple[str, str, str]]] = {
    "no configuration": (remove("c.yaml"), ("configuration", "problem", "{}/c.yaml: cannot be read")),
    "no YAML": (lambda p: p.config.write_text("a: ["), ("configuration", "problem", "c.yaml: not YAML")),
    "a wrong key": (configured("zzz: 1\n"), ("configuration", "problem", "zzz: unknown key")),
    "a wrong plugin": (configured("enrichers:\n  - ipp: {}\n"), ("configuration", "problem", "there is no enricher 'ipp'")),
    "no database": (remove("geo.mmdb"), ("enrichers", "problem", "enrichers.0.ip: {}/geo.mmdb: cannot be read")),
    "no database asked for": (configured("enrichers:\n  - ip: {database: []}\n"), ("geo", "warning", "ip has no database")),
    "no MaxMind": (added("geo.mmdb"), ("enrichers", "problem", "enrichers.0.ip: {}/geo.mmdb: not a database in MaxMind's format")),
    "an old database": (old_database, ("geo", "warning", "{}/geo.mmdb: Test-City, built ")),
    "wrong rules": (
        configured("enrichers:\n  - user_agent: {}\n  - traffic_source: {rules: 'FOLDER/raw/none'}\n"),
        ("enrichers", "problem", "enrichers.1.traffic_source: "),
    ),
    "no source": (configured(source="{}/nothing"), ("source", "problem", "{}/nothing: there is no such folder")),
    "an empty source": (configured(source="{}/lake/_checkpoints/derive/commits/none"), ("source", "problem", "there is no such folder")),
    "no sink yet": (configured(sink="{}/new/lake"), ("sink", "ok", "{}/new/lake: does not exist yet, the first run creates it")),
    "no tables yet": (configured(sink="{}/new/lake"), ("tables", "ok", "{}/new/lake: no tables yet")),
    "a sink in a file": (configured(sink="{}/c.yaml/lake"), ("sink", "problem", "{}/c.yaml/lake: cannot be created in {}/c.yaml")),
    "a checkpoint in a file": (configured(checkpoint="{}/c.yaml/x"), ("checkpoint", "problem", "cannot be created in {}/c.yaml")),
    "another split": (added("lake/_checkpoints/ingest/2026-05-28/offsets/0"), ("backlog", "problem", "was not split by month")),
    "an unknown checkpoint": (
        lambda p: (write(p.folder / "lake/_checkpoints/ingest/2026-05/commits/0"), write(p.folder / "lake/_checkpoints/ingest/2026-05/offsets/0", b"v9\n{}\n{}")),
        ("backlog", "problem", "offsets/0: unknown version 'v9'"),
    ),
    "a table is missing": (remove("lake/change"), ("tables", "warning", "not there yet: change")),
    "an older layout": (layout(1), ("tables", "warning", "have an older layout than 3: item")),
    "a newer layout": (layout(99), ("tables", "problem", "lake/item/: has layout 99, this version of clickstream-lake knows")),
    "a broken log": (added(f"lake/item/_delta_log/{9:020}.json", b"{"), ("tables", "problem", "lake/item")),
    "a silent holder": (silent_holder, ("lease", "warning", "run far since 2026-01-01")),
    "a broken lease": (added("lake/_lease.json", b"{"), ("lease", "problem", "DecodeError: ")),
    "a backlog": (lambda _: None, ("backlog", "ok", "1 unprocessed files, ")),
    "an old backlog": (old_raw_file, ("backlog", "warning", "1 unprocessed files, ")),
    "a batch was interrupted": (added("lake/_checkpoints/ingest/2026-05/offsets/0"), ("backlog", "warning", "a micro-batch was interrupted")),
    "derive is behind": (remove("lake/_checkpoints/derive/commits"), ("backlog", "warning", "user and session lack some events")),
    "visitors have the address of a CDN": (ingested("130.176.1.9"), ("addresses", "warning", "ip: 1 of the last 1 elements have the address of a CDN: it, not")),
    "visitors are behind a CDN": (ingested("203.0.113.7, 130.176.1.9"), ("addresses", "ok", "ip: 0 of the last 1 elements have the address of a CDN")),
    "a CDN is not counted on": (ingested("203.0.113.7, 130.176.1.9", extra=", trusted_proxies: 0"), ("addresses", "warning", "ip: 1 of the last 1 elements")),
    "a program of a CDN's": (ingested("130.176.1.9", part=100), ("addresses", "ok", "ip: 1 of the last 101 elements have the address of a CDN")),
    "a command was killed": (killed_command, ("operations", "warning", 'was interrupted: erase {"app":"shop"}, begun ')),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGES)
def test_what_is_found(case: str, patient: Patient) -> None:
    damage, (check, status, part) = DAMAGES[case]
    damage(patient)
    before = _state(patient.folder)
    findings = patient.findings()
    assert _state(patient.folder) == before
    found = [each for each in findings if (each.check, each.status) == (check, status)]
    assert any(part.replace("{}", str(patient.folder)) in each.message for each in found), findings
    assert all(each.remedy for each in findings if each.status != "ok")
    code = 5 if any(each.status == "problem" for each in findings) else 0
    assert _exit_code(["doctor", "-c", str(patient.config)], debug=False) == code


def _state(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_size) for path in folder.rglob("*"))


def test_a_healthy_pipeline(patient: Patient, capsys: pytest.CaptureFixture[str]) -> None:
    with lock_lake(patient.lake.config, "run test"):
        assert _exit_code(["doctor", "-c", str(patient.config), "--json"], debug=False) == 0
    found = [Finding(**json.loads(row)) for row in capsys.readouterr().out.splitlines()]
    assert {each.status for each in found} == {"ok"}
    names = {"python", "java", "packages", "jars", "configuration", "plugins", "enrichers", "geo", "source", "sink", "checkpoint"}
    assert {each.check for each in found} == names | {"tables", "lease", "backlog", "last run", "operations"}
    said = {each.check: each.message for each in found}
    assert said["lease"].startswith("in use, alive: run test since ")
    assert said["last run"].startswith("the last micro-batch began 2026-05-28 20:28:20 UTC, ")


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("", "have the CDN and the load balancer append to X-Forwarded-For"),
        (", trusted_proxies: 0", "set enrichers: ip: trusted_proxies: auto"),
    ],
)
def test_what_to_do_about_a_cdn(extra: str, says: str, patient: Patient) -> None:
    ingested("203.0.113.7, 130.176.1.9" if extra else "130.176.1.9", extra=extra)(patient)
    [found] = [each for each in patient.findings() if each.check == "addresses"]
    assert found.remedy.startswith(says)


def test_an_old_list_of_cdns(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming_app.enrichers.ip.networks_read", lambda: date(2020, 1, 1))
    [found] = [each for each in patient.findings() if "networks of CDNs" in each.message]
    assert (found.check, found.status) == ("geo", "warning")
    assert "python -m streaming_app.privacy.renew_cdn_networks" in found.remedy


def test_doctor_never_raises(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Pipeline) -> list[Finding]:
        raise ZeroDivisionError

    monkeypatch.setattr(doctor_module, "PIPELINE", (broken,))
    assert patient.findings()[-1] == Finding(
        "broken", "problem", "ZeroDivisionError: no details", "clickstream doctor --debug shows where"
    )


def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
    """A method of Storage without the right to do it, as far as the doctor tries."""

    def method(self: Storage, uri: str, *rest: Any) -> Any:
        if "_doctor-" in uri:
            raise PermissionError("[Errno 13] Permission denied")
        return real(self, uri, *rest)

    return method


@pytest.mark.parametrize(
    ("method", "check", "says"),
    [
        ("write_text", "sink", "cannot be written"),
        ("read_text", "sink", "cannot be read"),
        ("delete", "sink", "cannot be deleted"),
    ],
)
def test_missing_permissions_are_named(
    method: str, check: str, says: str, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Storage, method, refusing(getattr(Storage, method)))
    [found] = [each for each in patient.findings() if each.check == check]
    assert (found.status, found.remedy) == ("problem", "check the rights of the file and its folder")
    assert f"{says}: [Errno 13] Permission denied" in found.message


def test_java_and_packages(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming_app.commands.doctor.machine.found_java", lambda: None)
    monkeypatch.setattr("streaming_app.commands.doctor.machine.version", lambda _: "1.0")
    found = {(each.check, each.status): each for each in patient.findings()}
    assert found["java", "warning"].message == "no Java is here, Spark needs 17 or 21"
    assert found["packages", "problem"].message == "pyspark 1.0, not 4.1.1"


@pytest.mark.parametrize(
    ("found", "status", "says"),
    [
        ("all", "ok", "are in {}"),
        ("no folder", "warning", "in {}: com.fasterxml"),
        ("a part", "warning", "in {}: io.delta_delta-storage-4.2.0.jar has 5 bytes, not 76,477"),
        ("packages of one's own", "ok", "are brought by spark.jars.packages of spark.conf"),
        ("a cluster", "ok", "are brought by spark-submit"),
    ],
)
def test_jars(found: str, status: str, says: str, patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "jars"
    monkeypatch.setenv("CLICKSTREAM_JARS", str(folder))
    if found in {"all", "a part"}:
        for jar in locked_jars("delta"):
            write(folder / jar.file_name, b"\0" * jar.size)
    if found == "a part":
        write(folder / "io.delta_delta-storage-4.2.0.jar", b"5 byt")
    elif found == "a cluster":
        monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    elif found == "packages of one's own":
        patient.configure("spark: {conf: {spark.jars.packages: 'org.example:mine:1.0'}}\n")
    [jars] = [each for each in patient.findings() if each.check == "jars"]
    assert (jars.status, bool(jars.remedy)) == (status, status != "ok")
    assert says.replace("{}", str(folder)) in jars.message
    [thorough] = doctor_module.jars(Pipeline(patient.lake.config), checksums=True)
    assert found != "all" or "kernel-api-4.2.0.jar has another content than the locked one" in thorough.message
