"""The key figures of a period as cards, each with its change against the period before."""

from __future__ import annotations

from typing import Any, Literal

from streaming_app.report.blocks import Card, Cards
from streaming_app.report.formats import NOTHING, format_count, format_duration, format_percent

Figures = dict[str, Any]
_SMALLEST_CHANGE = 0.0005
"""What is shown as 0.0 % is no change."""


def make_cards(now: Figures, before: Figures | None) -> Cards:
    """The cards of :func:`.traffic.query_figures`; ``before`` is None where there is nothing to compare with."""
    then = before or {}
    shown = [
        _card("Users", format_count(now["users"]), now["users"], then.get("users")),
        _card("Sessions", format_count(now["sessions"]), now["sessions"], then.get("sessions")),
        _card("Views", format_count(now["views"]), now["views"], then.get("views"), "pages and screens"),
        _card("Events", format_count(now["events"]), now["events"], then.get("events")),
        _rate("Bounce rate", now["bounce_rate"], then.get("bounce_rate")),
        _card(
            "Median engagement",
            format_duration(now["engaged_msec"]),
            now["engaged_msec"],
            then.get("engaged_msec"),
            "of a session",
        ),
    ]
    if now["orders"]:
        shown.append(_card("Orders", format_count(now["orders"]), now["orders"], then.get("orders")))
        shown.append(_revenue(now["revenue"], then.get("revenue", {})))
    return Cards(shown)


def _revenue(now: dict[str | None, float], before: dict[str | None, float]) -> Card:
    """The revenue in the currency with the largest sum; sums of different currencies are never added."""
    (currency, amount), *others = now.items()
    rest = ", ".join(f"{format_count(more)} {name or 'without currency'}" for name, more in others)
    value = f"{format_count(amount)} {currency}" if currency else format_count(amount)
    return _card("Revenue", value, amount, before.get(currency), f"and {rest}" if rest else "")


def _card(label: str, value: str, now: float | None, before: float | None, note: str = "") -> Card:
    if now is None or not before:
        return Card(label, value, note)
    change = now / before - 1
    return Card(label, value, note, _arrow(change, format_percent(abs(change))), _tone(change))


def _rate(label: str, now: float | None, before: float | None) -> Card:
    """A rate that is better the lower it is; its change is in percentage points."""
    if now is None or before is None:
        return Card(label, format_percent(now))
    change = now - before
    return Card(label, format_percent(now), "", _arrow(change, f"{100 * abs(change):.1f} points"), _tone(-change))


def _arrow(change: float, amount: str) -> str:
    return NOTHING if abs(change) < _SMALLEST_CHANGE else f"{'▲' if change > 0 else '▼'} {amount}"


def _tone(change: float) -> Literal["good", "bad", "even"]:
    return "even" if abs(change) < _SMALLEST_CHANGE else "good" if change > 0 else "bad"
