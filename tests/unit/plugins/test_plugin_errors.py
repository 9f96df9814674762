"""A plugin that cannot be imported or made, or that refuses its options, stops the run before any data is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming_app.cli import _exit_code
from tests.support.raw import event, line, write

OPTIONS = """
from pydantic import BaseModel

class Options(BaseModel, extra="forbid"):
    colour: str
    depth: int = 0

class Own:
    Options = Options
    def __init__(self, options): ...
    def transform(self, request): return []
    def enrich(self, events): return events
    def open(self): raise LookupError("no rules")
"""

METHODS = "class Own:\n def transform(self, request): ...\n def enrich(self, events): ...\n"

# case: (the module, options, what is wrong after the place in the configuration)
MODULES: dict[str, tuple[str, str, str]] = {
    "no Python": ("class Own(:\n", "", "cannot import {0}:Own: SyntaxError: invalid syntax ({0}.py, line 1)"),
    "needs what is not installed": ("import not_installed", "", "cannot import {0}:Own: No module named 'not_installed'"),
    "raises": ("raise RuntimeError('no licence')", "", "cannot import {0}:Own: RuntimeError: no licence"),
    "has no such class": ("", "", "cannot import {0}:Own: module '{0}' has no attribute 'Own'"),
    "refuses": (f"{METHODS} def __init__(self): raise ValueError('no')", "", "{0}:Own refuses its options: no"),
    "cannot be made": (
        f"{METHODS} def __init__(self): raise KeyError('HOME')",
        "",
        "{0}:Own cannot be made: KeyError: 'HOME'",
    ),
    "is no class": ("def Own(): raise SystemExit", "", "{0}:Own is no class"),
    "is something else": ("class Own:\n def __init__(self): raise SystemExit", "", "{0}:Own has no method {1}()"),
    "lacks an option": (OPTIONS, "", "colour: is required"),
    "misspells an option": (OPTIONS, "colour: red, dept: 1", "dept: unknown key, did you mean 'depth'?"),
    "mistypes an option": (OPTIONS, "colour: red, depth: low", "depth: Input should be a valid integer"),
}
PLACES = {
    "transformer": (
        "apps:\n  own: {{transformer: '{0}:Own', options: {{{1}}}}}\n",
        "transform",
        "apps.own.transformer",
        "apps.own.options",
    ),
    "enricher": ("enrichers: [{{'{0}:Own': {{{1}}}}}]\n", "enrich", "enrichers.0.{0}:Own", "enrichers.0.{0}:Own"),
}
BASIS = "project_id: test\nsource: {{uri: {0}/raw}}\nsink: {{uri: {0}/lake}}\n"


def run(folder: Path, text: str) -> int:
    """A run whose raw file and configuration are there."""
    write(folder / "raw", "a.gz", line(event("a")))
    text = text if "apps:" in text else f"apps: {{shop: {{transformer: clickstream_sdk}}}}\n{text}"
    (folder / "c.yaml").write_text(BASIS.format(folder) + text)
    return _exit_code(["run", "--config", str(folder / "c.yaml")], debug=False)


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("case", MODULES)
def test_a_plugin_that_cannot_be_used(
    case: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text, options, problem = MODULES[case]
    section, method, place, options_place = PLACES[kind]
    name = f"own_{kind}_{list(MODULES).index(case)}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    code = run(tmp_path, section.format(name, options))
    error = capsys.readouterr().err.splitlines()[0]
    if text == OPTIONS:
        wanted = f" {options_place.format(name)}.{problem}"
    else:
        wanted = f" {place.format(name)}: {problem.format(name, method)}"
    assert code == 2
    assert wanted in error
    assert not (tmp_path / "lake").exists()
