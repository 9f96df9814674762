"""How the cost of a run grows with its events: a plot of the results that ``benchmarks.run`` and ``benchmarks.history`` left.

uv run --group plot python -m benchmarks.growth     (writes docs/explanation/growth.svg)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.run import FOLDER

REFERENCE = {20_000: 185.0, 1_000_000: 1_328.0, 4_000_000: 4_700.0}
"""CPU-seconds of the system whose users this one is for, on the same input and two cores: the lowest that were measured."""


def plot(cpu_seconds: dict[int, float]) -> Figure:
    """CPU-seconds over events, both in powers of ten."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for points, name in ((REFERENCE, "reference"), (cpu_seconds, "this job")):
        axes.plot(list(points), list(points.values()), marker="o", label=name)
        for events, cpu in points.items():
            axes.annotate(f"{cpu:,.0f}", (events, cpu), textcoords="offset points", xytext=(0, 7), ha="center", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="events in a run", ylabel="CPU-seconds, whole process tree")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    return figure


def main() -> None:
    results = json.loads((Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / "results.json").read_text())
    mpl.rcParams["svg.hashsalt"] = "growth"  # the same results make the same file
    figure = plot({int(events): results[events]["cpu_s"] for events in sorted(results, key=int)})
    figure.savefig(Path("docs/explanation/growth.svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
