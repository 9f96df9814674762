"""The cost table of the documentation is the one that the model gives today, and the model's figures are right."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cost import markdown, rows
from streaming_app.config.emr import EmrSection, PriceSection, SizingSection

PERFORMANCE = Path(__file__).parents[3] / "docs/explanation/performance.md"


def test_the_documented_table_is_what_the_module_prints() -> None:
    section = PERFORMANCE.read_text().split("\n## What it costs\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines(keepends=True) if line.startswith("|")]
    assert "".join(table) == markdown(EmrSection())


def test_a_row_by_hand() -> None:
    """A vCPU-second costs a dollar, memory next to nothing: 2 + 4 vCPU for 100 s of start, 5 s of the driver, (200 + 1,000 / 10 +
    100,000 / 10,000) / 4 s of work, and the wait for the last tasks: 0.75 of one, of 100 / 4 and 10 / 4 s.
    """
    sizing = SizingSection(
        start_seconds=100,
        fixed_vcpu_seconds=200,
        decoded_mb_per_vcpu_second=10,
        driver_seconds_per_decoded_gb=5,
        driver_seconds_per_batch=0,
        users_per_vcpu_second=10_000,
    )
    emr = EmrSection(sizing=sizing, price=PriceSection(vcpu_hour=3_600, gb_hour=1e-9))
    [row] = [each for each in rows(emr) if each[:3] == ("1", "100,000", "daily")]
    assert row == ("1", "100,000", "daily", "1 + 1", "3.4", "1218.7500", "36,562.50", "1218.7500", "468750.0%")
