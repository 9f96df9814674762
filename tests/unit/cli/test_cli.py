"""The command line does what it says, and where it cannot, it says why in one line with a hint and an exit code of that kind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from streaming_app.cli import _exit_code
from streaming_app.commands import configuration
from streaming_app.config.model import Config
from streaming_app.config.shipped_files import conf_file
from streaming_app.errors import BalanceError, ClickstreamError, ConfigError, MissingDependencyError, SinkError, SourceError
from streaming_app.model.tables import TABLES, Table
from streaming_app.plugins.load_config import load_config
from tests.support.lake import LocalPipeline
from tests.support.raw import event, line, write

CONFIG = "project_id: test\nsource: {{uri: {0}/raw}}\nsink: {{uri: {0}/{1}}}\napps:\n  shop: {{transformer: clickstream_sdk}}\n"
TITLE = "[bold]5[/bold] of [/x] [1, 2]"
"""Text that must be shown as it is, though it looks like markup."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small lake with its configuration (``c.yaml``), one without tables (``empty.yaml``) and one with mistakes (``bad.yaml``)."""
    folder = tmp_path_factory.mktemp("cli")
    pipeline = LocalPipeline(folder)
    purchase = event(
        "b", event_type="purchase", attributes={"_value": 3.5, "_page_title": TITLE}, items=[{"id": "i", "price": 2.5}]
    )
    pipeline.ingest(write(folder / "raw", "a.gz", b"broken", line(event("a"), purchase)))
    (folder / "c.yaml").write_text(CONFIG.format(folder, "lake"))
    (folder / "empty.yaml").write_text(CONFIG.format(folder, "nowhere"))
    (folder / "bad.yaml").write_text(CONFIG.format(folder, "lake") + "zzz: 1\n")
    (folder / "other.json").write_bytes(line("no payload of this client"))
    return folder


class Clickstream:
    """Runs commands; ``{}`` in an argument is the folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys

    def __call__(self, *arguments: str, debug: bool = False) -> tuple[int, str, str]:
        """Exit code, output, errors."""
        code = _exit_code([each.replace("{}", str(self.folder)) for each in arguments], debug=debug)
        return code, *self.capsys.readouterr()

    def output(self, *arguments: str) -> str:
        """Output of a command that must succeed."""
        code, output, errors = self(*arguments)
        assert (code, errors) == (0, "")
        return output

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """Rows of a command that prints one JSON object a line."""
        return [json.loads(each) for each in self.output(*arguments, "--json", "-c", "{}/c.yaml").splitlines()]


@pytest.fixture
def clickstream(folder: Path, capsys: pytest.CaptureFixture[str]) -> Clickstream:
    return Clickstream(folder, capsys)


# arguments (underscores in them are blanks): (exit code, beginning of the error, beginning of the hint)
ERRORS: dict[str, tuple[int, str, str]] = {
    "config validate -c {}/no.yaml": (2, "{}/no.yaml: cannot be read: ", "make one with: clickstream config init"),
    "config validate -c {}/bad.yaml": (2, "{}/bad.yaml:6: zzz: unknown key", "every key is explained by: clickstream config init --full"),
    "config show -c {}/bad.yaml": (2, "{}/bad.yaml:6: zzz: unknown key", "every key is explained by: clickstream config init --full"),
    "run -c {}/bad.yaml": (2, "{}/bad.yaml:6: zzz: unknown key", "every key is explained by: clickstream config init --full"),
    "inspect event -c {}/bad.yaml": (2, "{}/bad.yaml:6: zzz: unknown key", "every key is explained by: clickstream config init --full"),
    "inspect event -c {}/empty.yaml": (4, "{}/nowhere/event: there is no such table yet", "run the job first: clickstream run"),
    "sql SELECT_1 -c {}/empty.yaml": (4, "{}/nowhere/event: there is no such table yet", "run the job first: clickstream run"),
    "inspect event --where a= -c {}/c.yaml": (2, "Parser Error: syntax error", "tables are event, item, user, session, quarantine"),
    "inspect event --where a=1 -c {}/c.yaml": (2, 'Binder Error: Referenced column "a" not found', "tables are event, item"),
    "sql SELEC -c {}/c.yaml": (2, "Parser Error: syntax error", "tables are event, item"),
    "sql SELECT_CAST(platform_AS_int)_FROM_event -c {}/c.yaml": (2, "Conversion Error: Could not convert", "tables are event, item"),
    "sql FROM_nothing -c {}/c.yaml": (2, "Catalog Error: Table with name nothing does not exist", "tables are event, item"),
    "demo --folder {}": (2, "{} is there and is no folder of an earlier demo", "choose another one with --folder"),
    "demo --folder {}/c.yaml": (2, "{}/c.yaml is there and is no folder of an earlier demo", "choose another one with --folder"),
    "plugins check ipp": (2, "there is no plugin 'ipp', did you mean 'ip'?", "clickstream plugins list shows what is installed"),
    "plugins check nowhere:Own": (2, "cannot import nowhere:Own: No module named 'nowhere'", "clickstream plugins list shows"),
    "plugins check json:loads": (2, "json:loads has neither a method transform() nor enrich()", "clickstream plugins list shows"),
    'plugins check ip --options {"databse":1}': (2, "ip refuses its options: databse: unknown key, did you mean 'database'?", "give them as a JSON object: --options"),
    "plugins check ip --options []": (2, "--options: no JSON object: Expected `object`, got `array`", "for example: --options"),
    "plugins check ip --requests {}/no.gz": (3, "{}/no.gz: file cannot be opened", "give a raw file: one JSON request a line"),
    "plugins check ip --requests {}/c.yaml": (3, "{}/c.yaml:1: JSON is malformed", "give a raw file: one JSON request a line"),
    "plugins check ip --requests {}/other.json": (2, "clickstream_sdk makes no event of the 1 requests", "an enricher is checked with requests of the"),
}  # fmt: skip


@pytest.mark.parametrize("command", ERRORS)
def test_errors(command: str, clickstream: Clickstream) -> None:
    before = sorted(clickstream.folder.rglob("*"))
    wanted_code, wanted_error, wanted_hint = ERRORS[command]
    code, output, errors = clickstream(*(each.replace("_", " ") for each in command.split()))
    first, second = errors.splitlines()
    assert (code, output) == (wanted_code, "")
    assert first.startswith("error: " + wanted_error.replace("{}", str(clickstream.folder)))
    assert second.startswith("hint: " + wanted_hint)
    assert sorted(clickstream.folder.rglob("*")) == before


@pytest.mark.parametrize(
    "command",
    ["nope", "config nope", "inspect", "inspect nope", "inspect event --limit many", "sql", "run --nope", "demo --events many"],
)
def test_unknown_commands_and_options_exit_with_2(command: str, clickstream: Clickstream) -> None:
    code, output, errors = clickstream(*command.split())
    assert (code, output) == (2, "")
    assert "Error" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (ConfigError("bad"), 2, "error: bad\n"),
        (SourceError("bad", "do this"), 3, "error: bad\nhint: do this\n"),
        (SinkError("bad"), 4, "error: bad\n"),
        (MissingDependencyError("bad"), 5, "error: bad\n"),
        (BalanceError("bad"), 6, "error: bad\n"),
        (ClickstreamError("[bold]bad[/x]"), 1, "error: [bold]bad[/x]\n"),
        (KeyError("bad\nmore"), 1, "error: unexpected KeyError: 'bad\\nmore'\nhint: --debug shows where\n"),
        (RuntimeError("bad\nmore"), 1, "error: unexpected RuntimeError: bad\nhint: --debug shows where\n"),
        pytest.param(
            KeyboardInterrupt(),
            130,
            "error: interrupted\nhint: what was committed stays; the next run goes on from there\n",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_exit_codes(
    error: BaseException, code: int, shown: str, clickstream: Clickstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: str) -> Config:
        raise error

    monkeypatch.setattr(configuration, "load_config", fails)
    assert clickstream("config", "validate") == (code, "", shown)


@pytest.mark.parametrize("is_terminal", [False, True])
def test_an_unexpected_error_is_logged_where_there_is_no_terminal(
    is_terminal: bool, clickstream: Clickstream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of a job that failed on a cluster: its reader cannot repeat it with --debug."""

    def fails(_: str) -> Config:
        raise KeyError("deep inside")

    monkeypatch.setattr(configuration, "load_config", fails)
    monkeypatch.setattr("rich.console.Console.is_terminal", is_terminal)
    clickstream("config", "validate")
    traced = [record for record in caplog.records if record.exc_info]
    assert [record.getMessage() for record in traced] == ([] if is_terminal else ["unexpected error"])
    assert is_terminal or "in fails" in caplog.text


def test_debug_shows_where(clickstream: Clickstream) -> None:
    code, _, errors = clickstream("config", "validate", "-c", "{}/bad.yaml", debug=True)
    assert code == 2
    assert "Traceback" in errors
    assert "parse_config" in errors
    assert errors.splitlines()[-1].startswith("hint: ")


def test_the_console_script(folder: Path) -> None:
    command = [str(Path(sys.executable).with_name("clickstream")), "config", "validate", "--config", str(folder / "bad.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr.splitlines()[0]
        == f"error: {folder}/bad.yaml:6: zzz: unknown key; known here: {', '.join(sorted(Config.model_fields))}"
    )


def test_help_names_every_command_and_exit_code(clickstream: Clickstream) -> None:
    shown = clickstream.output("--help")
    assert {
        word for word in ("run", "demo", "inspect", "explain", "sql", "config", "plugins", "tables") if f" {word} " not in shown
    } == set()
    assert "Exit codes: 0 done; 1 unexpected error; 2 bad configuration or query" in " ".join(shown.split())


@pytest.mark.parametrize("full", [False, True])
def test_init(full: bool, clickstream: Clickstream, tmp_path: Path) -> None:
    path = tmp_path / "new" / "pipeline.yaml"
    template = conf_file("pipeline.reference.yaml" if full else "pipeline.minimal.yaml")
    options = ["--full"] if full else []
    shown = clickstream.output("config", "init", str(path), *options)
    assert shown.endswith(f"clickstream config validate --config {path}\n")
    assert path.read_text() == template.read_text()
    path.write_text(re.sub("  - ip: {database.*\n", "", path.read_text()))
    assert clickstream.output("config", "validate", "--config", str(path)) == f"{path}: valid\n"
    path.write_text("my own")
    assert clickstream("config", "init", str(path), *options) == (
        2,
        "",
        f"error: {path} is there already\nhint: --force replaces it\n",
    )
    assert path.read_text() == "my own"
    clickstream.output("config", "init", str(path), "--force", *options)
    assert path.read_text() == template.read_text()


def test_init_where_run_looks_for_it(clickstream: Clickstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clickstream.output("config", "init", "--full")
    assert clickstream.output("config", "validate") == "conf/pipeline.yaml: valid\n"
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.yaml")] == ["conf/pipeline.yaml"]


def test_show(clickstream: Clickstream) -> None:
    """What is shown is a configuration again, with every default."""
    shown = clickstream.output("config", "show", "-c", "{}/c.yaml")
    path = clickstream.folder / "c.yaml"
    assert json.loads(shown) == load_config(str(path)).model_dump(mode="json")
    assert Config.model_validate_json(shown) == load_config(str(path))


def test_schema(clickstream: Clickstream) -> None:
    schema = json.loads(clickstream.output("config", "schema"))
    assert schema["properties"].keys() == Config.model_fields.keys()
    assert schema["required"] == ["project_id", "source", "sink", "apps"]
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["RulesSection"]["properties"]["freshness_hours"]["description"].startswith("Events older than this")


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_describe(table: Table, clickstream: Clickstream) -> None:
    shown = clickstream.output("tables", "describe", table.name).splitlines()
    assert shown[:3] == [f"## {table.name}", "", table.meaning]
    assert [each for each in shown if each.startswith("| ")][1:] == [
        f"| {column.name} | {column.type} | {column.meaning} |" for column in table.columns
    ]


def test_describe_all(clickstream: Clickstream) -> None:
    shown = clickstream.output("tables", "describe").splitlines()
    assert [each.removeprefix("## ") for each in shown if each.startswith("## ")] == list(TABLES)


def test_describe_nothing(clickstream: Clickstream) -> None:
    code, output, _ = clickstream("tables", "describe", "evnt")
    assert (code, output) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ([], ["a", "b"]),
        (["--limit", "0"], []),
        (["--limit", "1", "--where", "event_id > 'a'"], ["b"]),
    ],
)
def test_inspect_as_json(arguments: list[str], ids: list[str], clickstream: Clickstream) -> None:
    rows = clickstream.rows("inspect", "event", *arguments)
    assert sorted(row["event_id"] for row in rows) == ids
    assert all(list(row) == TABLES["event"].schema.names for row in rows)


def test_inspect_for_people(clickstream: Clickstream) -> None:
    shown = clickstream.output("inspect", "event", "-c", "{}/c.yaml", "--where", "event_id = 'b'", "--limit", "1").splitlines()
    assert shown[0] == "event: 1 rows, 1 shown"
    cells = {row.split()[0]: row.split(maxsplit=1)[1] for row in shown[2:]}
    assert (cells["event_value"], cells["event_timestamp"]) == ("3.5", "2026-05-28 20:26:39+00:00")
    assert cells["page_view_page_title"] == TITLE
    assert "geo_city" not in cells


def test_inspect_each_table(clickstream: Clickstream) -> None:
    counts = {table: len(clickstream.rows("inspect", table)) for table in TABLES}
    assert counts == {**dict.fromkeys(TABLES, 0), "event": 2, "item": 1, "quarantine": 1, "run_metrics": 1}


# SELECT: rows as JSON
SELECTS: dict[str, list[dict[str, Any]]] = {
    "SELECT event_id, event_value FROM event ORDER BY 1": [{"event_id": "a", "event_value": None}, {"event_id": "b", "event_value": 3.5}],
    "SELECT count(*) AS n, sum(event_value) AS v FROM event": [{"n": 2, "v": 3.5}],
    "SELECT sum(day) AS days FROM event": [{"days": 56}],
    "SELECT e.event_id, price FROM event e JOIN item USING (app_id, event_id)": [{"event_id": "b", "price": 2.5}],
    "SELECT created_time AS t, DATE '2026-01-02' AS d FROM quarantine": [{"t": "2026-05-28T20:28:20Z", "d": "2026-01-02"}],
    "SELECT json_extract_string(device_ua, '$.string') AS ua FROM event LIMIT 1": [{"ua": "Mozilla/5.0"}],
    "SELECT [1, 2] AS l, {'a': true} AS s, 'nan'::double AS x": [{"l": [1, 2], "s": {"a": True}, "x": None}],
    'SELECT * FROM "user"': [],
}  # fmt: skip


@pytest.mark.parametrize("select", SELECTS)
def test_sql(select: str, clickstream: Clickstream) -> None:
    assert clickstream.rows("sql", select) == SELECTS[select]


def test_sql_for_people(clickstream: Clickstream) -> None:
    select = (
        "SELECT event_id, page_view_page_title AS t, event_value AS v, repeat('long', 99) AS l FROM event WHERE event_id = 'b'"
    )
    shown = clickstream.output("sql", select, "-c", "{}/c.yaml")
    [row] = [each for each in shown.splitlines() if each.startswith("│")]
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["b", TITLE, "3.5", "long" * 14 + "lon…"]


def test_names_of_columns_are_shown_as_they_are(clickstream: Clickstream) -> None:
    shown = clickstream.output("sql", 'SELECT 1 AS "[red]"', "-c", "{}/c.yaml")
    assert "[red]" in shown


# Statements that would read or write something else than the tables; {0} is a file that is there, {1} one that is not.
REFUSED = (
    "COPY event TO '{1}'",
    "SELECT 1; COPY event TO '{1}'",
    "EXPORT DATABASE '{1}'",
    "ATTACH '{1}' AS other",
    "SELECT * FROM read_csv('{0}')",
    "SELECT * FROM read_text('{0}')",
    "SELECT * FROM glob('{0}*')",
    "SELECT * FROM '{0}'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "CREATE TABLE t AS FROM read_csv('{0}')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SELECT * FROM connection",
    "DELETE FROM event",
    "",
)


@pytest.mark.parametrize("statement", REFUSED)
def test_sql_reads_nothing_but_the_tables_and_writes_nothing(statement: str, clickstream: Clickstream, tmp_path: Path) -> None:
    there, not_there = tmp_path / "there.csv", tmp_path / "not_there"
    there.write_text("secret\nsecret\n")
    before = sorted(clickstream.folder.rglob("*"))
    code, output, errors = clickstream("sql", statement.format(there, not_there), "-c", "{}/c.yaml", "--json")
    assert (code, output) == (2, "")
    assert re.fullmatch(r"error: (that selects nothing|\w+( \w+)* Error: .+)\nhint: tables are .+\n", errors)
    assert "secret" not in errors
    assert list(tmp_path.iterdir()) == [there]
    assert sorted(clickstream.folder.rglob("*")) == before


def test_demo_leaves_what_is_not_its_own(clickstream: Clickstream, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    code, output, _ = clickstream("demo", "--folder", str(tmp_path), "--events", "1")
    assert (code, output) == (2, "")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_plugins_list(clickstream: Clickstream) -> None:
    rows = [json.loads(each) for each in clickstream.output("plugins", "list", "--json").splitlines()]
    found = {(row["kind"], row["name"]): row for row in rows}
    row = found["transformer", "clickstream_sdk"]
    assert row["class"] == "streaming_app.transformers.clickstream_sdk:ClickstreamSdk"
    assert row["distribution"].startswith("clickstream-lake ")
    assert row["says"].startswith("Requests of the Clickstream SDK")
    assert {name for kind, name in found if kind == "enricher"} >= {"ip", "traffic_source", "user_agent"}
    assert all(name in clickstream.output("plugins", "list") for _, name in found)


def test_plugins_list_shows_what_cannot_be_imported(
    clickstream: Clickstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "own-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[clickstream.enrichers]\nown = nowhere_at_all:Own\n")
    monkeypatch.syspath_prepend(tmp_path)
    rows = [json.loads(each) for each in clickstream.output("plugins", "list", "--json").splitlines()]
    [row] = [row for row in rows if row["name"] == "own"]
    assert (row["distribution"], row["says"]) == (
        "own 1.0",
        "cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'",
    )


def test_plugins_check(clickstream: Clickstream) -> None:
    raw = str(next(clickstream.folder.glob("raw/**/a.gz")))
    code, output, errors = clickstream("plugins", "check", "clickstream_sdk", "--requests", raw)
    assert (code, output) == (3, "")
    assert ":1: JSON is malformed" in errors
    (clickstream.folder / "requests.ndjson").write_bytes(line(event("a"), event("b")))
    shown = clickstream.output("plugins", "check", "clickstream_sdk", "--requests", "{}/requests.ndjson").splitlines()
    assert shown[0] == "ok  makes whole events of the requests"
    assert all(each.startswith("ok  ") for each in shown)
    shown = clickstream.output("plugins", "check", "user_agent", "--options", '{"bots": "drop"}').splitlines()
    assert shown[0] == "ok  opens"
    assert shown[-1] == "checked with sample requests; give real ones with --requests FILE"


class Turned:
    """An enricher that gives the rows back in another order."""

    def open(self) -> None: ...

    def enrich(self, events: pa.Table) -> pa.Table:
        return events.take(pa.array(range(len(events))[::-1]))


def test_plugins_check_says_what_is_broken(clickstream: Clickstream) -> None:
    code, output, errors = clickstream("plugins", "check", f"{__name__}:Turned")
    assert (code, output) == (2, "ok  opens\n")
    first, second = errors.splitlines()
    assert first.startswith(f"error: {__name__}:Turned breaks its contract (returns the same rows in the same order")
    assert first.endswith("): event_id is another, or in another order")
    assert second == "hint: return the given table with columns replaced or added: with_column() of streaming_app.api does that"


@pytest.mark.parametrize(("command", "module"), [("report", "jinja2"), ("demo", "mmdb_writer")])
def test_a_command_without_its_extra_says_what_to_install(
    command: str, module: str, clickstream: Clickstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(("streaming_app.demo", "streaming_app.report"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    options = ["--folder", "{}/demo"] if command == "demo" else ["-c", "{}/c.yaml", "--out", "{}/r.html"]
    code, output, errors = clickstream(command, *options)
    assert (code, output) == (5, "")
    first, second = errors.splitlines()
    assert first.startswith(f"error: {module} is not installed")
    assert second.startswith(f"hint: pip install 'clickstream-lake[{command}")
    assert not (clickstream.folder / "demo").exists()
