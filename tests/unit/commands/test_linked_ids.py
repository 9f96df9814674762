"""An erasure by a login id takes linked ids along only after an operator has seen them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streaming_app.cli import _exit_code
from streaming_app.cli.erase_command import confirm_links
from streaming_app.commands.erase.linked_ids import LinkedId
from streaming_app.errors import ConfigError
from tests.support.lake import LocalPipeline
from tests.support.raw import NOW, event, line, write

LINKS = [LinkedId("victim", 1, 30, 0), LinkedId("mine", 2, 1, 1)]


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def answering(answer: str) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda _="": answer)

    return answering


def test_without_linked_ids_nothing_is_asked() -> None:
    assert confirm_links([], yes=False) == ""


def test_a_script_says_yes() -> None:
    assert confirm_links(LINKS, yes=True) == "--yes"
    with pytest.raises(ConfigError, match="31 anonymous rows of 2 linked ids"):
        confirm_links(LINKS, yes=False)


def test_people_are_asked(at_a_terminal: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    at_a_terminal("y")
    assert confirm_links(LINKS, yes=False) == "asked"
    at_a_terminal("")
    with pytest.raises(ConfigError, match="nothing was erased"):
        confirm_links(LINKS, yes=False)
    assert "erase 31 anonymous rows of 2 linked ids, too?" in capsys.readouterr().err


def test_the_command_shows_them_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By one forged event a login takes the pseudonymous id of another."""
    pipeline = LocalPipeline(tmp_path)
    login = {"_user_id": {"value": "attacker", "set_timestamp": NOW}}
    forged = event("f", unique_id="victim", user=login)
    victims = [event(f"v{number}", unique_id="victim") for number in range(7)]
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(forged, *victims)))
    (tmp_path / "c.yaml").write_text(
        f"project_id: test\nsource: {{uri: {tmp_path}/raw}}\nsink: {{uri: {tmp_path}/lake}}\n"
        "apps:\n  shop: {transformer: clickstream_sdk}\n"
    )
    command = ["erase", "-c", f"{tmp_path}/c.yaml", "--app", "shop", "--user-id", "attacker"]
    assert _exit_code(command, debug=False) == 2
    errors = capsys.readouterr().err
    [row] = [each for each in errors.splitlines() if "victim" in each]
    assert [each for each in row.split() if each.isdigit()] == ["1", "7", "0"]
    assert "hint: --yes erases them, --linked none leaves them" in errors
    assert pipeline.query("SELECT * FROM event").num_rows == 8
    assert pipeline.query("SELECT * FROM operation").num_rows == 0
    for linked, rows in (("listed", 8), ("none", 1)):
        assert _exit_code([*command, "--dry-run", "--json", "--linked", linked], debug=False) == 0
        shown = capsys.readouterr().out
        assert f'"event":{rows},' in shown
        assert '"user_pseudo_id":"victim","with_login":1,"anonymous":7,"other_logins":0' in shown
