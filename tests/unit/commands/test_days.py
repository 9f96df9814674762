"""Days as operators give them, and the folders that they mean."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from streaming_app.commands.days import Days, find_raw_folders
from streaming_app.errors import ConfigError, SourceError
from streaming_app.storage.local_objects import LocalObjects
from tests.support.lake import config_for

TWO = Days(date(2026, 1, 31), date(2026, 2, 1))


def test_both_ends_are_included() -> None:
    assert [str(day) for day in TWO] == ["2026-01-31", "2026-02-01"]
    assert (date(2026, 1, 30) in TWO, date(2026, 1, 31) in TWO, date(2026, 2, 1) in TWO) == (False, True, True)
    assert str(TWO.widen(1, 2)) == "2026-01-30..2026-02-03"
    assert TWO.span_ms == (1_769_817_600_000, 1_769_817_600_000 + 2 * 86_400_000 - 1)


def test_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ConfigError, match="--from 2026-02-01 is after --to 2026-01-31"):
        Days(date(2026, 2, 1), date(2026, 1, 31))


@pytest.mark.parametrize(
    ("folder", "holds"),
    [
        (("2026",), True),
        (("2025",), False),
        (("2026", "01"), True),
        (("2026", "02"), True),
        (("2026", "03"), False),
        (("2026", "01", "30"), False),
        (("2026", "01", "31"), True),
        (("2026", "02", "02"), False),
    ],
)
def test_folders_that_may_hold_something(folder: tuple[str, ...], holds: bool) -> None:
    assert TWO.may_hold(folder) is holds


def test_only_folders_of_the_days_are_looked_into(tmp_path: Path) -> None:
    for name in ("month=1/day=30", "month=01/day=31/hour=23", "month=02/day=1", "month=02/day=02", "month=03/day=01"):
        folder = tmp_path / "raw" / "year=2026" / name
        folder.mkdir(parents=True)
        (folder / "a.gz").touch()
    (tmp_path / "raw/stray.gz").touch()
    folders, strays = find_raw_folders(config_for(tmp_path), TWO, LocalObjects())
    assert [found.uri.removeprefix(f"{tmp_path}/raw/year=2026/") for found in folders] == ["month=01/day=31", "month=02/day=1"]
    assert [found.name for found in strays] == ["stray.gz"]


def test_no_such_day_is_said(tmp_path: Path) -> None:
    (tmp_path / "raw/year=2025/month=01/day=31").mkdir(parents=True)
    with pytest.raises(SourceError, match=r"no folder year=/month=/day= of 2026-01-31\.\.2026-02-01"):
        find_raw_folders(config_for(tmp_path), TWO, LocalObjects())
