"""Numbers, times and foreign text as the page shows them: English, UTC."""

from __future__ import annotations

from datetime import date, datetime

from streaming_app.model.client_text import escape
from streaming_app.report.period import Grain, Period

LONGEST_TEXT = 160
"""Characters of a text that came with the data; a page address may have thousands."""
NOTHING = "n/a"
_TENTHS_BELOW_MS = 10_000


def count(number: float) -> str:
    return f"{number:,.0f}"


def counted(number: int, one: str, many: str) -> str:
    """
    >>> counted(1, "run", "runs"), counted(1_000, "run", "runs")
    ('1 run', '1,000 runs')
    """
    return f"{count(number)} {one if number == 1 else many}"


def decimal(number: float | None) -> str:
    return NOTHING if number is None else f"{number:,.1f}"


def percent(share: float | None) -> str:
    """
    >>> percent(0.12345), percent(None)
    ('12.3\\xa0%', 'n/a')
    """
    return NOTHING if share is None else f"{100 * share:.1f}\xa0%"


def part(some: float, whole: float) -> str:
    """Some of a whole in percent."""
    return percent(some / whole if whole else None)


def span(msec: float | None) -> str:
    """A duration in its two largest units.

    >>> [span(each) for each in (0, 900, 83_000, 7_500_000, None)]
    ['0s', '0.9s', '1m\xa023s', '2h\xa05m', 'n/a']
    """
    if msec is None:
        return NOTHING
    if 0 < msec < _TENTHS_BELOW_MS:
        return f"{msec / 1000:.1f}s"
    seconds = round(msec / 1000)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{count(hours)}h\xa0{minutes}m"
    return f"{minutes}m\xa0{seconds % 60}s" if minutes else f"{seconds}s"


def dollars(amount: float | None) -> str:
    """Cents, or two digits of what is less than one.

    >>> dollars(1234.5), dollars(0.0026), dollars(0)
    ('$1,234.50', '$0.0026', '$0.00')
    """
    if amount is None:
        return NOTHING
    if 0 < amount < 0.1:
        return "$" + f"{float(f'{amount:.2g}'):.10f}".rstrip("0").ljust(len("0.00"), "0")
    return f"${amount:,.2f}"


def size(stored: float) -> str:
    """
    >>> size(9_116_438).replace("\\xa0", " "), size(12)
    ('9.1 MB', '12\\xa0B')
    """
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if stored >= one:
            return f"{stored / one:.1f}\xa0{unit}"
    return f"{stored:.0f}\xa0B"


def shorten(text: str) -> str:
    """A text that came with the data, on one line and not too long; the template escapes it."""
    plain = escape(text)
    return plain if len(plain) <= LONGEST_TEXT else plain[: LONGEST_TEXT - 1] + "…"


def day(when: date) -> str:
    return f"{when.day} {when:%b %Y}"


def moment(when: datetime) -> str:
    return f"{day(when)}, {when:%H:%M} UTC"


def step(when: datetime, grain: Grain) -> str:
    """An hour, day or month on an axis."""
    return f"{when:%b %Y}" if grain == "month" else f"{when.day} {when:%b}{f' {when:%H:%M}' if grain == 'hour' else ''}"


def days(period: Period) -> str:
    """
    >>> days(Period(date(2026, 11, 21), date(2026, 11, 23))), days(Period(date(2026, 11, 21), date(2026, 11, 21)))
    ('21 to 23 Nov 2026', '21 Nov 2026')
    """
    first, last = period.first, period.last
    if first == last:
        return day(last)
    if first.year != last.year:
        return f"{day(first)} to {day(last)}"
    return f"{first.day}{f' {first:%b}' if first.month != last.month else ''} to {day(last)}"
