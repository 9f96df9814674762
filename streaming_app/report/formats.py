"""Formatting numbers, times and text of users for the page: English, UTC."""

from __future__ import annotations

from datetime import date, datetime

from streaming_app.model.client_text import escape
from streaming_app.report.period import Grain, Period

MAX_TEXT_CHARS = 160
"""Characters of a text that came with the data; a page address may have thousands."""
NOTHING = "n/a"
_TENTHS_BELOW_MS = 10_000


def format_count(number: float) -> str:
    return f"{number:,.0f}"


def format_plural(number: int, one: str, many: str) -> str:
    """
    >>> format_plural(1, "run", "runs"), format_plural(1_000, "run", "runs")
    ('1 run', '1,000 runs')
    """
    return f"{format_count(number)} {one if number == 1 else many}"


def format_decimal(number: float | None) -> str:
    return NOTHING if number is None else f"{number:,.1f}"


def format_percent(share: float | None) -> str:
    """
    >>> format_percent(0.12345), format_percent(None)
    ('12.3\\xa0%', 'n/a')
    """
    return NOTHING if share is None else f"{100 * share:.1f}\xa0%"


def format_share(some: float, whole: float) -> str:
    """Some of a whole in percent."""
    return format_percent(some / whole if whole else None)


def format_duration(msec: float | None) -> str:
    """A duration in its two largest units.

    >>> [format_duration(each) for each in (0, 900, 83_000, 7_500_000, None)]
    ['0s', '0.9s', '1m\xa023s', '2h\xa05m', 'n/a']
    """
    if msec is None:
        return NOTHING
    if 0 < msec < _TENTHS_BELOW_MS:
        return f"{msec / 1000:.1f}s"
    seconds = round(msec / 1000)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{format_count(hours)}h\xa0{minutes}m"
    return f"{minutes}m\xa0{seconds % 60}s" if minutes else f"{seconds}s"


def format_dollars(amount: float | None) -> str:
    """Cents, or two digits of what is less than one.

    >>> format_dollars(1234.5), format_dollars(0.0026), format_dollars(0)
    ('$1,234.50', '$0.0026', '$0.00')
    """
    if amount is None:
        return NOTHING
    if 0 < amount < 0.1:
        return "$" + f"{float(f'{amount:.2g}'):.10f}".rstrip("0").ljust(len("0.00"), "0")
    return f"${amount:,.2f}"


def format_size(stored: float) -> str:
    """
    >>> format_size(9_116_438).replace("\\xa0", " "), format_size(12)
    ('9.1 MB', '12\\xa0B')
    """
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if stored >= one:
            return f"{stored / one:.1f}\xa0{unit}"
    return f"{stored:.0f}\xa0B"


def shorten(text: str) -> str:
    """A text that came with the data, on one line and not too long; the template escapes it."""
    plain = escape(text)
    return plain if len(plain) <= MAX_TEXT_CHARS else plain[: MAX_TEXT_CHARS - 1] + "…"


def format_day(when: date) -> str:
    return f"{when.day} {when:%b %Y}"


def format_time(when: datetime) -> str:
    return f"{format_day(when)}, {when:%H:%M} UTC"


def format_step(when: datetime, grain: Grain) -> str:
    """An hour, day or month on an axis."""
    return f"{when:%b %Y}" if grain == "month" else f"{when.day} {when:%b}{f' {when:%H:%M}' if grain == 'hour' else ''}"


def format_period(period: Period) -> str:
    """
    >>> format_period(Period(date(2026, 11, 21), date(2026, 11, 23)))
    '21 to 23 Nov 2026'
    >>> format_period(Period(date(2026, 11, 21), date(2026, 11, 21)))
    '21 Nov 2026'
    """
    first, last = period.first, period.last
    if first == last:
        return format_day(last)
    if first.year != last.year:
        return f"{format_day(first)} to {format_day(last)}"
    return f"{first.day}{f' {first:%b}' if first.month != last.month else ''} to {format_day(last)}"
