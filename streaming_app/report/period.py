"""The days that a report covers, and the files of the tables that hold them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from streaming_app.errors import QueryError

MAX_DAYS = 90
"""A report for which no days are given goes back this far from the latest event: a quarter of a year."""
HOURLY_DAYS, DAILY_DAYS = 3, 400
"""Up to so many days a chart has a point an hour, up to so many a point a day; more days have one a month."""

Grain = Literal["hour", "day", "month"]


@dataclass(frozen=True, slots=True)
class Period:
    """Days of events, UTC, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def before(self) -> Period:
        """The period of the same length just before."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    @property
    def grain(self) -> Grain:
        return "hour" if self.days <= HOURLY_DAYS else "day" if self.days <= DAILY_DAYS else "month"

    def steps(self) -> list[datetime]:
        """The beginnings of its hours, days or months."""
        at, end = datetime.combine(self.first, datetime.min.time(), UTC), self.last
        found = [at.replace(day=1) if self.grain == "month" else at]
        while (following := _after(found[-1], self.grain)).date() <= end:
            found.append(following)
        return found

    def has(self, partition: Mapping[str, str]) -> bool:
        """Whether a file belongs to the period; a file of a table that is not partitioned by days always does."""
        day = day_of(partition)
        return day is None or self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """``period`` is that of events, None where there are none; ``previous`` as many days to compare it with, where events go
    back that far. ``received`` is when the requests came that count: where the period was not cut, also those before and after.
    """

    period: Period | None
    previous: Period | None
    received: Period
    note: str


def choose_period(days: Collection[date], first: date | None, last: date | None) -> ReportPeriod:
    """The days of a report, given those that have events and those that are asked for.

    Raises:
        QueryError: the last day lies before the first.
    """
    if first and last and first > last:
        raise QueryError(f"--from {first} is after --to {last}", "days are inclusive and UTC, such as --from 2026-11-01")
    asked = Period(first or date.min, last or date.max)
    if not days:
        return ReportPeriod(None, None, asked, "no events yet")
    known = Period(min(days), max(days))
    note = "as asked" if first or last else "all days that have events"
    if not (first or last) and known.days > MAX_DAYS:
        asked = Period(known.last - timedelta(days=MAX_DAYS - 1), date.max)
        note = f"the last {MAX_DAYS} days that have events"
    period = Period(max(asked.first, known.first), min(asked.last, known.last))
    if period.days < 1:
        return ReportPeriod(None, None, asked, f"no events then: there are some from {known.first} to {known.last}")
    goes_back = (period.first - known.first).days >= period.days
    return ReportPeriod(period, period.before() if goes_back else None, asked, note)


def day_of(partition: Mapping[str, str]) -> date | None:
    """The day of a file, by the values in the table's log; None where the table has none."""
    if "day" in partition:
        return date(int(partition["year"]), int(partition["month"]), int(partition["day"]))
    return date.fromisoformat(partition["start_date"]) if "start_date" in partition else None


def _after(at: datetime, grain: Grain) -> datetime:
    if grain == "month":
        return (at + timedelta(days=31)).replace(day=1)
    return at + (timedelta(hours=1) if grain == "hour" else timedelta(days=1))
