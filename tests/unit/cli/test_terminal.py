"""No text of others is a command to the terminal: not in a grid, not in JSON, not in an error, not in a log line."""

from __future__ import annotations

import ast
import json
import logging
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import streaming_app
from streaming_app.cli import _exit_code, terminal
from streaming_app.model.client_text import escape, escape_json
from streaming_app.model.tables import TABLES
from tests.support.lake import LocalPipeline
from tests.support.raw import NOW, event, line, write

COMMANDS_OF_TERMINALS = [
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[31m",
    "\x1b]52;c;ZXZpbA==\x1b\\",
    "\x9b31m",
    "\x9d0;title\x9c",
    "a\rb\x08\x7f",
    "\u202eabc\u2066\u200f\u061c",
    "a\nerror: forged\u2028\u2029\x85",
    "\ufeff\u200b\u00ad\U000e0041",
    "[bold]x[/bold]",
]
HOSTILE = "".join(COMMANDS_OF_TERMINALS)
CONTROLS = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
COLOURS = re.compile(r"\r?\x1b\[[0-9;?]*[a-zA-Z]")
"""What rich writes itself."""


def controls_in(shown: str) -> set[str]:
    return (set(shown) - {"\n"}) & set(CONTROLS)


def test_every_control_character_is_escaped() -> None:
    everything = "".join(CONTROLS)
    assert not set(escape(everything)) & set(CONTROLS)
    assert set(escape(everything, lines=True)) & set(CONTROLS) == {"\n"}
    plain = "".join(each for each in everything if not "\ud800" <= each <= "\udfff")
    written = escape_json(json.dumps(plain, ensure_ascii=False))
    assert not set(written) & set(CONTROLS)
    assert json.loads(written) == plain


@pytest.mark.parametrize("text", ["", "plain", "café 日本語 עברית \u3000\xa0", "\\x1b", "👍🏽 ẞ"])
def test_what_people_write_stays(text: str) -> None:
    assert escape(text) == text
    assert escape_json(text) == text


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    """Hostile text in each place where a client can put one."""
    folder = tmp_path_factory.mktemp("terminal")
    pipeline = LocalPipeline(folder)
    fields: dict[str, Any] = {
        "unique_id": HOSTILE,
        "device_id": HOSTILE,
        "items": [{"id": HOSTILE, "name": HOSTILE, HOSTILE: HOSTILE}],
        "user": {name: {"value": HOSTILE, "set_timestamp": NOW} for name in ("_user_id", HOSTILE)},
        "attributes": dict.fromkeys(("_session_id", "_page_url", "_page_title", "_page_referrer", HOSTILE), HOSTILE),
        **dict.fromkeys(("os_version", "brand", "make", "model", "carrier", "system_language", "app_title", "sdk_name"), HOSTILE),
    }
    good = event("a" + HOSTILE, event_type=HOSTILE, **fields)
    refused = [
        event("b", app_id=HOSTILE),
        event("c", timestamp=HOSTILE),
        {HOSTILE: HOSTILE},
        event("d", timestamp=1_000, **fields),
    ]
    envelope = {"ua": HOSTILE, "uri": f"/collect?{HOSTILE}", "ip": HOSTILE, "rid": HOSTILE}
    pipeline.ingest(
        write(
            folder / "raw",
            "a\x1b[31m\u202e.gz",
            line(good, *refused, **envelope),
            line(HOSTILE, **envelope),
            line(event("e"), appId=HOSTILE),
            HOSTILE.encode(),
        )
    )
    pipeline.derive()
    (folder / "c.yaml").write_text(
        f"project_id: test\nsource: {{uri: {folder}/raw}}\nsink: {{uri: {folder}/lake}}\n"
        "apps:\n  shop: {transformer: clickstream_sdk}\n"
    )
    (folder / "request.json").write_bytes(line(good, *refused, **envelope))
    (folder / "bad.yaml").write_text((folder / "c.yaml").read_text() + '"\\e[31m\\u202e": "\\e[31m"\n')
    return pipeline


SHOWN = {
    **{f"inspect {name}": (("inspect", name, "--limit", "50"), 0) for name in TABLES},
    **{f"sql {name}": (("sql", f'SELECT * FROM "{name}"'), 0) for name in TABLES},
    "names of columns": (("sql", "PIVOT (SELECT event_id, event_name FROM event) ON event_name USING count(*)"), 0),
    "an error of a query": (("sql", "SELECT event_name::INT FROM event WHERE event_id LIKE 'a%'"), 2),
    "an error of a condition": (("inspect", "event", "--where", "\x1b[31m\u202e = 1"), 2),
    "explain": (("explain", "{}/request.json"), 0),
    "a bad configuration": (("config", "validate", "-c", "{}/bad.yaml"), 2),
    "a file that is not there": (("explain", "{}/\x1b[31m\u202e"), 3),
    "tables check": (("tables", "check"), None),
}


@pytest.mark.parametrize("json_lines", [False, True], ids=["for people", "JSON"])
@pytest.mark.parametrize("kind", ["a pipe", "a terminal"])
@pytest.mark.parametrize(("command", "code"), SHOWN.values(), ids=SHOWN)
def test_nothing_that_is_shown_holds_a_control_character(
    command: tuple[str, ...],
    code: int | None,
    kind: str,
    json_lines: bool,
    pipeline: LocalPipeline,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if kind == "a terminal":
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "400")
    words = [each.replace("{}", str(pipeline.folder)) for each in command]
    config = [] if "-c" in words else ["-c", f"{pipeline.folder}/c.yaml"]
    json_option = ["--json"] if json_lines and words[0] != "config" else []
    found = _exit_code([*words, *config, *json_option], debug=False)
    output, errors = capsys.readouterr()
    assert code in (found, None), errors
    assert output or errors or json_lines
    ours = COLOURS if kind == "a terminal" else re.compile("(?!)")
    for shown in (output, errors):
        assert controls_in(ours.sub("", shown)) == set()
        assert "\nerror: forged" not in shown


def test_json_is_exact(pipeline: LocalPipeline, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        _exit_code(
            ["sql", "SELECT event_name FROM event WHERE event_id LIKE 'a%'", "-c", f"{pipeline.folder}/c.yaml", "--json"], False
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out) == {"event_name": HOSTILE}


def test_log_lines(capsys: pytest.CaptureFixture[str]) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(terminal.EscapingFormatter("%(levelname)s %(message)s"))
    log = logging.Logger("test", logging.INFO)
    log.addHandler(handler)
    error = ValueError(HOSTILE)
    log.error("seen: %s", HOSTILE, exc_info=(ValueError, error, None))
    errors = capsys.readouterr().err
    assert errors.splitlines()[1].startswith("ValueError: ")
    assert controls_in(errors) == set()
    assert "seen: " + escape(HOSTILE) in errors.splitlines()[0]


def test_one_module_writes_to_the_terminal() -> None:
    """What any other prints would not be escaped."""
    package = Path(streaming_app.__file__).parent
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if set(calls(path)) & {"print", "Console"}}
    assert found == {"cli/terminal.py", "spark/jars/__main__.py", "privacy/renew_cdn_networks.py"}


def calls(path: Path) -> Iterator[str]:
    """Names of functions that a module calls."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
