"""Line charts over time: the points of the lines, and the positions of their labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from streaming_app.report.blocks import Chart, ChartLine
from streaming_app.report.formats import format_count, format_step
from streaming_app.report.period import Grain

WIDTH, HEIGHT = 1000, 240
"""Of a chart in its own units; it is stretched to the room there is."""
_MOST_TICKS = 6
"""Labels below a chart."""
_EVERY: dict[Grain, Sequence[int]] = {"hour": (1, 2, 3, 6, 12), "day": (1, 2, 7, 14, 28, 91), "month": (1, 2, 3, 6, 12, 60)}
"""How many hours, days or months there may be between two labels."""
_STEPS = (1, 2, 2.5, 5, 10)


def line_chart(title: str, series: Mapping[str, Sequence[float]], times: Sequence[datetime], grain: Grain) -> Chart:
    """A chart of at most two lines over the same points in time: hours, days or months."""
    labels = [format_step(time, grain) for time in times]
    top = ceiling(max(max(values) for values in series.values()))
    each = WIDTH / len(labels)
    places = [each * (number + 0.5) for number in range(len(labels))]
    texts = [
        f"{label}: " + ", ".join(f"{format_count(values[number])} {name}" for name, values in series.items())
        for number, label in enumerate(labels)
    ]
    return Chart(
        title=title,
        description=f"{title}, {labels[0]} to {labels[-1]}. " + " ".join(_describe(*named, labels) for named in series.items()),
        lines=[_line(name, values, places, top) for name, values in series.items()],
        heights=[(100 * fraction, _tick(top * fraction)) for fraction in (0, 0.5, 1)],
        times=[(100 * places[number] / WIDTH, label, is_minor) for number, label, is_minor in _ticks(times, grain)],
        spots=[(place - each / 2, each, text) for place, text in zip(places, texts, strict=True)],
    )


def ceiling(largest: float) -> float:
    """The end of an axis: a round number that is not smaller, and has a whole number in its middle.

    >>> [ceiling(each) for each in (0, 1, 7, 130, 4_001)]
    [2, 2, 10, 200, 5000]
    """
    if largest <= 2:
        return 2
    power = 10 ** math.floor(math.log10(largest))
    return next(int(step * power) for step in _STEPS if step * power >= largest and step * power % 2 == 0)


def _tick(number: float) -> str:
    """
    >>> _tick(500), _tick(25_000), _tick(2_500_000)
    ('500', '25k', '2.5M')
    """
    for unit, one in (("M", 1e6), ("k", 1e4)):
        if number >= one:
            return f"{number / (1e3 if unit == 'k' else one):g}{unit}"
    return f"{number:,.0f}"


def _describe(name: str, values: Sequence[float], labels: Sequence[str]) -> str:
    most = max(values)
    mean = format_count(sum(values) / len(values))
    return f"{name.capitalize()}: {mean} on average, at most {format_count(most)} ({labels[values.index(most)]})."


def _line(name: str, values: Sequence[float], places: Sequence[float], top: float) -> ChartLine:
    if len(places) == 1:  # a point alone would not be seen
        places, values = (0, WIDTH), (*values, *values)
    heights = [HEIGHT * (1 - value / top) for value in values]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(places, heights, strict=True))
    return ChartLine(name, points, f"{places[0]:.1f},{HEIGHT} {points} {places[-1]:.1f},{HEIGHT}")


def _ticks(times: Sequence[datetime], grain: Grain) -> Iterator[tuple[int, str, bool]]:
    """Points that have a label, which one, and whether it may be left out; hours count from midnight, which has the date."""
    every = next((each for each in _EVERY[grain] if len(times) <= each * _MOST_TICKS), len(times))
    for number, time in enumerate(times):
        place = time.hour if grain == "hour" else number
        if place % every == 0:
            label = f"{time:%H:%M}" if grain == "hour" and time.hour else format_step(time, "day" if grain == "hour" else grain)
            yield number, label, place // every % 2 == 1
