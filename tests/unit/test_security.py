"""What is secret stays so, and what users write down for us runs nothing, writes nothing and reads nothing but the tables."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest

from streaming_app.cli import _exit_code, _set_up_logging
from streaming_app.commands.operation import operation
from streaming_app.commands.replay import QuarantineFilter
from streaming_app.commands.replay.replay import replay_into
from streaming_app.environment import open_lake
from streaming_app.errors import ClickstreamError, ConfigError, QueryError
from streaming_app.lake.query import query
from streaming_app.metrics.progress import LogProgress
from streaming_app.plugins.load_config import parse_config
from streaming_app.storage.s3_objects import S3Objects
from tests.support.http import JsonHandler, serving
from tests.support.lake import ALL_TABLES, LocalPipeline
from tests.support.raw import NOW, event, line, write

SECRET, TOKEN, ADDRESS = "SECRET-of-16-chars-and-more", "AWS-SESSION-TOKEN", "198.51.100.77"
MINIMAL = "project_id: t\nsource: {{uri: {0}/raw}}\nsink: {{uri: {0}/lake}}\napps: {{shop: {{transformer: clickstream_sdk}}}}\n"


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """As with --debug."""
    levels = {name: logging.getLogger(name).level for name in ("clickstream", "botocore", "boto3", "py4j", "")}
    _set_up_logging(debug=True)
    logging.getLogger().setLevel(logging.DEBUG)
    caplog.handler.setLevel(logging.DEBUG)
    yield caplog
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("how", ["hash", "drop", "truncate"])
def test_a_pass_tells_neither_key_nor_address(
    how: str, tmp_path: Path, everything_logged: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Over good lines, dirt, files that break off, and a replay."""
    pipeline = LocalPipeline(tmp_path, f"privacy: {{ip: {how}, hash_key: {SECRET}}}\n")
    lines = [line(event("a"), {"bad": 1}, ip=ADDRESS), line("no payload", ip=ADDRESS, rid="r-2"), b'{"ip": "198.51.100.77"']
    late = line(event("b", timestamp=NOW - 9 * 86_400_000), event("c", app_id="blog"), ip=ADDRESS, rid="r-3")
    whole = write(tmp_path / "raw", "a.gz", *lines, late)
    broken = write(tmp_path / "raw", "b.gz", *lines)
    broken.write_bytes(broken.read_bytes()[:-20])
    pipeline.ingest(whole, broken, tmp_path / "raw" / "missing.gz")
    with operation(pipeline.config, "replay", {}) as this:
        replay_into(this, QuarantineFilter(), LogProgress())
    told = everything_logged.text + "".join(capfd.readouterr()) + repr(pipeline.config)
    assert SECRET not in told
    assert ADDRESS not in told
    stored = json.dumps(pipeline.rows("event") + pipeline.rows("run_metrics") + pipeline.rows("operation"), default=str)
    assert SECRET not in stored
    assert ADDRESS not in stored


MISTAKES = {
    "too short": "privacy: {ip: hash, hash_key: SECRET-short}",
    "a number": "privacy: {ip: hash, hash_key: 1234567890123456}",
    "not closed": f'privacy: {{ip: hash, hash_key: "{SECRET}}}',
    "no mapping": f"privacy: {{ip: hash, hash_key: {SECRET}, x: }}: y",
    "a list": f"privacy: {{ip: hash, hash_key: [{SECRET}]}}",
    "another key": f"privacy: {{ip: hash, hash_keys: {SECRET}}}",
    "no section": f"privacy: {SECRET}",
    "at the top": f"hash_key: {SECRET}",
    "twice": f"privacy: {{ip: hash, hash_key: {SECRET}, hash_key: {SECRET}}}",
    "another mistake": f"privacy: {{ip: hush, hash_key: {SECRET}}}",
    "a tag": f"privacy: {{ip: hash, hash_key: !!python/name:os.{SECRET} x}}",
}


@pytest.mark.parametrize("debug", [False, True], ids=["", "--debug"])
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_does_not_tell_the_key(
    mistake: str, debug: bool, tmp_path: Path, everything_logged: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.yaml").write_text(MINIMAL.format(tmp_path) + mistake)
    assert _exit_code(["config", "validate", "--config", str(tmp_path / "c.yaml")], debug=debug) == 2
    told = everything_logged.text + "".join(capfd.readouterr())
    assert "c.yaml" in told
    assert not [secret for secret in ("SECRET", "1234567890123456") if secret in told]


def test_debug_tells_no_credentials(everything_logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(JsonHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
            self.answer({}, 403)

    for name, value in (("ACCESS_KEY_ID", "AWS-KEY-ID"), ("SECRET_ACCESS_KEY", SECRET), ("SESSION_TOKEN", TOKEN)):
        monkeypatch.setenv(f"AWS_{name}", value)
    with serving(Refusing) as address, pytest.raises(ClickstreamError) as error:
        list(S3Objects.connect(address, "us-east-1").list_directory("s3://bucket/folder"))
    told = everything_logged.text + str(error.value)
    assert not [secret for secret in (SECRET, TOKEN, "AWS-KEY-ID") if secret in told]


TAGS = [
    "!!python/object/apply:os.system [{0}]",
    "!!python/object/new:os.system [{0}]",
    "!!python/name:os.system",
    "!!js/function {0}",
]


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("where", ["x: {}", "rules: {}", "project_id: {}", "enrichers: [{}]"])
def test_a_configuration_runs_nothing(where: str, tag: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    text = MINIMAL.format(tmp_path).replace("project_id: t\n", "" if "project_id" in where else "project_id: t\n")
    with pytest.raises(ConfigError):
        parse_config(text + where.format(tag.format(f"touch {mark}")) + "\n")
    assert not mark.exists()


@contextmanager
def bounded(config: Path) -> Iterator[subprocess.CompletedProcess[str]]:
    """``config validate`` in a process with little memory; the limit of time only ends what would never end."""
    command = [str(Path(sys.executable).with_name("clickstream")), "config", "validate", "--config", str(config)]
    limited = ["bash", "-c", 'ulimit -v 3000000; exec "$@"', "bash", *command]
    yield subprocess.run(limited, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("where", ["laughs", "rules", "project_id"])
def test_a_billion_laughs(where: str, tmp_path: Path) -> None:
    lines = ["a0: &a0 [lol, lol]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
    text = MINIMAL.format(tmp_path).replace("project_id: t\n", "" if where == "project_id" else "project_id: t\n")
    (tmp_path / "c.yaml").write_text("\n".join([*lines, f"{where}: *a11", text]))
    with bounded(tmp_path / "c.yaml") as done:
        assert done.returncode == 2, done.stderr[-2_000:]
        assert "Traceback" not in done.stderr


def test_a_class_is_imported_only_where_the_configuration_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what lies beside the raw files or the configuration, nor what an event says."""
    monkeypatch.chdir(tmp_path)
    for name in ("evil", "sitecustomize", "clickstream_transformers"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    pipeline = LocalPipeline(tmp_path)
    sent = event("a", transformer="evil:Evil", app_id="shop", enrichers=[{"evil:Evil": {}}])
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(sent, appId="evil:Evil"), line(sent, transformer="evil:Evil")))
    assert not {"evil", "clickstream_transformers"} & sys.modules.keys()


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    pipeline = LocalPipeline(tmp_path_factory.mktemp("asked"))
    pipeline.ingest(write(pipeline.folder / "raw", "a.gz", line(event("a"), event("b"))))
    (pipeline.folder / "secret.csv").write_text("a,b\n1,SECRET\n")
    (pipeline.folder / "c.yaml").write_text(MINIMAL.format(pipeline.folder))
    return pipeline


ATTACKS = [
    "SELECT * FROM read_csv('{0}/secret.csv')",
    "SELECT * FROM '{0}/secret.csv'",
    "SELECT * FROM read_text('{0}/secret.csv')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM glob('{0}/*')",
    "SELECT * FROM read_parquet('{0}/lake/*/*.parquet')",
    "SELECT * FROM read_json('{0}/lake/_lease.json')",
    "SELECT * FROM sniff_csv('{0}/secret.csv')",
    "COPY (SELECT 1) TO '{0}/out.csv'",
    "COPY event TO '{0}/out.parquet'",
    "EXPORT DATABASE '{0}/out'",
    "IMPORT DATABASE '{0}/out'",
    "ATTACH '{0}/out.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{0}/evil.duckdb_extension'",
    "FORCE INSTALL sqlite",
    "SET enable_external_access = true",
    "RESET enable_external_access",
    "SET lock_configuration = false; SELECT 1",
    "SET allow_unsigned_extensions = true",
    "PRAGMA enable_profiling; SET profiling_output = '{0}/out'",
    "SET log_query_path = '{0}/out'; SELECT 1",
    "SET temp_directory = '{0}/out'; SELECT 1",
    "SET home_directory = '{0}'; SELECT 1",
    "SET GLOBAL enable_external_access = true; SELECT * FROM '{0}/secret.csv'",
    "SELECT 1; COPY (SELECT 1) TO '{0}/out.csv'",
    "SELECT getenv('HOME')",
    "SELECT * FROM 'https://example.com/a.csv'",
    "SELECT * FROM 's3://bucket/a.parquet'",
    "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "DELETE FROM event",
    "INSERT INTO event SELECT * FROM event",
    "UPDATE event SET event_id = 'x'",
    "CALL pragma_version(); EXPORT DATABASE '{0}/out'",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_sql_reads_the_tables_and_does_nothing(attack: str, pipeline: LocalPipeline, capfd: pytest.CaptureFixture[str]) -> None:
    before = digests(pipeline.folder)
    with pytest.raises(QueryError) as error:
        query(pipeline.lake, attack.format(pipeline.folder))
    assert "SECRET" not in str(error.value).replace("CREATE SECRET", "")
    assert digests(pipeline.folder) == before
    assert len(pipeline.rows("event")) == 2


@pytest.mark.parametrize("sql", ["DROP VIEW event", "ATTACH ':memory:' AS other; SELECT 1", "CREATE TABLE t AS SELECT 1"])
def test_what_sql_changes_is_gone_with_its_answer(sql: str, pipeline: LocalPipeline) -> None:
    before = digests(pipeline.folder)
    with suppress(QueryError):
        query(pipeline.lake, sql)
    assert digests(pipeline.folder) == before
    assert len(pipeline.rows("event")) == 2


@pytest.mark.parametrize(
    "where",
    [
        "true; COPY event TO '{0}/out.csv'",
        "true) TO '{0}/out.csv' --",
        "event_id IN (SELECT content FROM read_text('{0}/secret.csv'))",
        "1 = (SELECT count(*) FROM '{0}/secret.csv')",
        "true) UNION ALL BY NAME SELECT * FROM read_csv('{0}/secret.csv') --",
        "getenv('HOME') <> ''",
        "true); SET enable_external_access = true; SELECT * FROM (SELECT 1",
    ],
)
def test_a_condition_does_no_more(where: str, pipeline: LocalPipeline, capfd: pytest.CaptureFixture[str]) -> None:
    before = digests(pipeline.folder)
    code = _exit_code(
        ["inspect", "event", "--where", where.format(pipeline.folder), "-c", str(pipeline.folder / "c.yaml")], debug=False
    )
    told = "".join(capfd.readouterr())
    assert code == 2, told
    assert "SECRET" not in told
    assert digests(pipeline.folder) == before


def digests(folder: Path) -> dict[str, str]:
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


NAMES = ["a'b", 'a"b', "a b", "a\nb", "*", "[a]{b,c}?", "%2e%2e", "a;b", "$(touch x)", "é", "x/../y", "..", "~"]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_of_places(name: str, tmp_path: Path) -> None:
    """Tables are where the configuration says and nowhere else, and a look finds them; or the name is refused."""
    for folder in ("a/b/odd", "a/b/beside"):
        (tmp_path / folder).mkdir(parents=True)
    uri = f"{tmp_path}/a/b/odd/{name}"
    config = MINIMAL.format(tmp_path).replace(f"{tmp_path}/lake", json.dumps(uri))
    try:
        lake = open_lake(parse_config(config))
        lake.create_all()
        assert query(lake, "SELECT * FROM event").num_rows == 0
        assert (Path(os.path.normpath(uri)) / "event" / "_delta_log").is_dir()
    except ClickstreamError:
        assert name in ("a\nb", "%2e%2e")
    top = os.path.normpath(uri).removeprefix(f"{tmp_path}/a/b").strip("/").split("/")[0] or "event"
    assert {path.name for path in tmp_path.iterdir()} == {"a"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"b"}
    assert {path.name for path in (tmp_path / "a/b").iterdir()} <= {"odd", "beside", top, *(ALL_TABLES if name == ".." else ())}
    assert not list((tmp_path / "a/b/beside").iterdir())


@pytest.mark.parametrize("table", ["../event", "event'; DROP", 'event" --', "*", "/etc/passwd", "event\n"])
def test_only_names_of_tables_are_tables(table: str, pipeline: LocalPipeline, capfd: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["inspect", table, "-c", str(pipeline.folder / "c.yaml")], debug=False) == 2


CALLABLES = ("os:system", "subprocess:check_call", "subprocess:Popen", "builtins:exec", "pathlib:Path")


@pytest.mark.parametrize("name", CALLABLES)
@pytest.mark.parametrize("place", ["transformer", "enricher"])
def test_what_is_no_plugin_is_never_called(name: str, place: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    options = f"{{command: touch {mark}, args: [touch, {mark}]}}"
    apps = f"  x: {{transformer: '{name}', options: {options}}}\n" if place == "transformer" else ""
    enrichers = f"enrichers: [{{'{name}': {options}}}]\n" if place == "enricher" else ""
    base = MINIMAL.format(tmp_path).replace("apps: {shop: {transformer: clickstream_sdk}}\n", "")
    with pytest.raises(ConfigError, match=rf"{name} (is no class|has no method)"):
        parse_config(f"{base}apps:\n  shop: {{transformer: clickstream_sdk}}\n{apps}{enrichers}")
    assert not mark.exists()


LOOKS = {
    "inspect": ["inspect", "event"],
    "sql": ["sql", "SELECT 1"],
    "report": ["report", "--out", "{}/report.html"],
    "config show": ["config", "show"],
    "config validate": ["config", "validate", "--no-plugins"],
    "optimize": ["optimize", "--dry-run"],
    "vacuum": ["vacuum", "--dry-run", "--force"],
}


@pytest.mark.parametrize("command", LOOKS.values(), ids=LOOKS)
def test_looks_load_no_plugin(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its code would run when it is imported."""
    pipeline, mark = LocalPipeline(tmp_path), tmp_path / "mark"
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("a"))))
    (tmp_path / "strangers.py").write_text(
        f"open({str(mark)!r}, 'w')\nclass T:\n    def transform(self, request): ...\n"
        "class E:\n    def open(self): ...\n    def enrich(self, events): ...\ndef hook(events): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "c.yaml").write_text(
        f"project_id: t\nsource: {{uri: {tmp_path}/raw}}\nsink: {{uri: {tmp_path}/lake}}\n"
        "apps:\n  shop: {transformer: clickstream_sdk}\n  other: {transformer: 'strangers:T'}\n"
        "enrichers:\n  - user_agent: {}\n  - 'strangers:E': {}\n"
        "derive: {hooks: [{function: 'strangers:hook', table: own}]}\n"
    )
    assert _exit_code([*(each.replace("{}", str(tmp_path)) for each in command), "-c", f"{tmp_path}/c.yaml"], debug=False) == 0
    assert "strangers" not in sys.modules
    assert not mark.exists()
    if "--no-plugins" in command:
        assert ", not looked at: strangers:T, strangers:E, strangers:hook" in capsys.readouterr().out


def test_validate_says_what_it_has_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"{__name__}:OwnTransformer"
    (tmp_path / "c.yaml").write_text(MINIMAL.format(tmp_path).replace("clickstream_sdk", f"'{name}'"))
    assert _exit_code(["config", "validate", "-c", f"{tmp_path}/c.yaml"], debug=False) == 0
    assert capsys.readouterr().out.endswith(f": valid, plugins loaded: {name}\n")


class OwnTransformer:
    def transform(self, request: object) -> list[object]:
        del request
        return []


def test_built_in_plugins_are_checked_without_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text(MINIMAL.format(tmp_path) + "enrichers:\n  - 'no.such:E': {}\n  - ip: {databse: x}\n")
    assert _exit_code(["config", "validate", "--no-plugins", "-c", f"{tmp_path}/c.yaml"], debug=False) == 2
    assert "7: enrichers.1.ip.databse: unknown key" in capsys.readouterr().err
