"""The cost of runs: measured CPU-seconds, and dollars by the prices of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from streaming_app.config.emr import EmrSection
from streaming_app.lake.query import Query
from streaming_app.report.period import Period
from streaming_app.report.quality import batches_sql
from streaming_app.report.terms import fetch_rows
from submitter.ratio import DEFAULT
from submitter.sizing import plan_for

_BYTES_OF_A_GB, _SECONDS_OF_AN_HOUR = 1e9, 3_600


@dataclass(frozen=True, slots=True)
class Cost:
    """``worker_dollars`` is for the CPU-seconds alone, as if workers were never idle; ``run_dollars`` for whole runs on EMR
    Serverless by the submitter's model: driver, start-up and waiting included.
    """

    runs: int
    events: int
    decoded_bytes: int
    cpu_seconds: float
    worker_dollars: float
    run_dollars: float

    @property
    def decoded_gb(self) -> float:
        return self.decoded_bytes / _BYTES_OF_A_GB


def compute_cost(query: Query, received: Period, emr: EmrSection) -> Cost:
    """Compute the cost of all runs that read requests of some days."""
    runs = fetch_rows(
        query,
        "SELECT CAST(sum(bytes) AS BIGINT) AS stored, CAST(sum(decoded_bytes) AS BIGINT) AS decoded, "
        "CAST(sum(written) AS BIGINT) AS events, sum(pass_cpu_seconds) AS cpu_seconds "
        f"FROM {batches_sql(received)} GROUP BY job_id",
    )
    cpu_seconds = sum(run["cpu_seconds"] for run in runs)
    return Cost(
        runs=len(runs),
        events=sum(run["events"] for run in runs),
        decoded_bytes=sum(run["decoded"] for run in runs),
        cpu_seconds=cpu_seconds,
        worker_dollars=cpu_seconds / _SECONDS_OF_AN_HOUR * dollars_per_vcpu_hour(emr),
        run_dollars=sum(plan_for(emr, run["stored"], _ratio(run["stored"], run["decoded"])).dollars for run in runs),
    )


def dollars_per_vcpu_hour(emr: EmrSection) -> float:
    """The price of one vCPU of an executor with its share of the memory, for an hour."""
    return emr.price.vcpu_hour + emr.executor.memory_gb / emr.executor.vcpu * emr.price.gb_hour


def _ratio(stored: int, decoded: int) -> float:
    return decoded / stored if stored and decoded else DEFAULT
