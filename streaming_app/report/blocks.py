"""The blocks of a section: cards, tables with bars, line charts. They hold values and text; templates draw them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streaming_app.report.formats import format_count, shorten


@dataclass(frozen=True, slots=True)
class Card:
    """A key figure. ``tone`` of its change: good, bad or even."""

    label: str
    value: str
    note: str = ""
    change: str = ""
    tone: str = "even"


@dataclass(frozen=True, slots=True)
class Cards:
    cards: Sequence[Card]
    kind: str = "cards"


@dataclass(frozen=True, slots=True)
class BarRow:
    """A row of a table; ``bar`` is the length of its bar, 0 to 100."""

    label: str
    bar: float
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class BarTable:
    """A table of numbers. ``texts``: columns that hold text. ``nothing``: shown if there are no rows.

    On a phone the rows of a wide table are folded, or, with ``many`` columns, it scrolls.
    """

    title: str
    head: str
    columns: Sequence[str]
    rows: Sequence[BarRow]
    note: str = ""
    nothing: str = "Nothing yet."
    texts: frozenset[str] = frozenset()
    wide: bool = False
    many: bool = False
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class ChartLine:
    name: str
    points: str
    area: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over time. ``heights`` are labels with their place in percent; ``times`` too, and whether one may be left out where
    there is little room; ``spots`` are what a pointer shows: left edge, width, text.
    """

    title: str
    description: str
    lines: Sequence[ChartLine]
    heights: Sequence[tuple[float, str]]
    times: Sequence[tuple[float, str, bool]]
    spots: Sequence[tuple[float, float, str]]
    kind: str = "chart"


Block = Cards | BarTable | Chart


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section of the page; ``details`` is a table that is collapsed at first."""

    id: str
    title: str
    intro: str
    blocks: Sequence[Block]
    details: BarTable | None = None

    @property
    def in_thirds(self) -> bool:
        """Three blocks are side by side where there is room, others are in pairs."""
        return sum(not (isinstance(block, BarTable) and block.wide) for block in self.blocks) == 3


TableColumn = tuple[str, Callable[[Mapping[str, Any]], str]]
"""Its head, and what it shows of a row."""


def ranking(
    title: str, head: str, rows: Sequence[Mapping[str, Any]], measure: str, columns: Sequence[TableColumn], **more: Any
) -> BarTable:
    """A table of rows with a ``label`` and bars as long as the measure. Where rows know how many ``groups`` there are, it says
    how many are not shown.
    """
    largest = max((row[measure] for row in rows), default=0) or 1
    shown = [BarRow(shorten(str(row["label"])), 100 * row[measure] / largest, [show(row) for _, show in columns]) for row in rows]
    hidden = rows[0].get("groups", len(rows)) - len(rows) if rows else 0
    note = f"and {format_count(hidden)} more" if hidden else ""
    return BarTable(title, head, [name for name, _ in columns], shown, **{"note": note, **more})
