"""The section ``emr``: how a run on EMR Serverless is sized, priced and submitted. The application itself ignores it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from streaming_app.config.section import Section

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

WORKER_MEMORY_GB = {1: range(2, 9), 2: range(4, 17), 4: range(8, 31), 8: range(16, 61, 4), 16: range(32, 121, 8)}
"""Memory that a worker may have, by its vCPUs. Source: EMR Serverless user guide, "Worker configurations"."""

MAX_DISK_GB = 200


class WorkerSection(Section):
    vcpu: Literal[1, 2, 4, 8, 16] = 4
    """Processors of one worker."""
    memory_gb: int = 12
    """Memory of one worker; what EMR Serverless offers depends on vcpu."""
    jvm_memory_gb: int = Field(default=2, gt=0)
    """Of that, what the JVM gets; the rest is for the Python processes, which do the work."""
    disk_gb: int = Field(default=20, ge=20, le=MAX_DISK_GB)
    """Disk of one worker; 20 GB are free of charge."""

    @model_validator(mode="after")
    def _check_memory(self) -> WorkerSection:
        offered = WORKER_MEMORY_GB[self.vcpu]
        if self.memory_gb not in offered:
            step = f" in steps of {offered.step}" if offered.step > 1 else ""
            raise ValueError(f"memory_gb: a worker of {self.vcpu} vCPU has {offered[0]} to {offered[-1]} GB{step}")
        if self.jvm_memory_gb >= self.memory_gb:
            raise ValueError("jvm_memory_gb: must leave memory to Python")
        return self


class SizingSection(Section):
    target_minutes: Positive = 15
    """A run gets as many workers as it needs to be done in this time, start included."""
    min_vcpu: int = Field(default=4, gt=0)
    """Fewest processors of all executors together."""
    max_vcpu: int = Field(default=64, gt=0)
    """Most processors of all executors together; a larger backlog takes longer."""
    decoded_mb_per_vcpu_second: Positive = 12
    """Throughput of a processor, raw files after gunzip, with the aggregates of users and sessions; measurements are in
    docs/explanation/performance.md."""
    compression_ratio: Positive | None = None
    """Bytes after gunzip for each stored byte; what the last runs measured where absent, or 10 before the first."""
    start_seconds: Positive = 90
    """From submission to the first task: workers, JVM, libraries."""
    batch_mb_per_vcpu: Positive = 256
    """Stored MB of a micro-batch for each processor: what a run that is interrupted has to do again. It is eight tasks, so that
    processors wait little for the last ones."""
    driver_seconds_per_decoded_gb: float = Field(default=0.3, ge=0, allow_inf_nan=False)
    """What the driver does alone, while executors wait, for what is new: descriptions of files, and which users changed."""
    driver_seconds_per_batch: float = Field(default=4, ge=0, allow_inf_nan=False)
    """The same for each micro-batch of either query: Spark's plan, commits, requests to S3."""
    users_per_vcpu_second: Positive = 150_000
    """Stored users whose rows a processor reads and writes again, where some in the same file have new events."""
    fixed_vcpu_seconds: Positive = 60
    """Work that every run has, whatever its size: commits, table logs, JVM warm-up."""

    @model_validator(mode="after")
    def _check_order(self) -> SizingSection:
        if self.min_vcpu > self.max_vcpu:
            raise ValueError("min_vcpu: must not be above max_vcpu")
        return self


class PriceSection(Section):
    vcpu_hour: Positive = 0.042094
    """US dollars; the default is that of ARM64 in us-east-1 as of 2026."""
    gb_hour: Positive = 0.004628
    """The same of memory."""
    disk_gb_hour: Positive = 0.000111
    """The same of disk beyond the first 20 GB of a worker."""


class FlexSection(Section):
    enabled: bool = False
    """Whether executors are taken from spare capacity, which costs less and may begin or end later; the driver is not. Source:
    EMR Serverless user guide, "Flex execution"."""
    discount: float = Field(default=0, ge=0, lt=1, allow_inf_nan=False)
    """Part of the price that executors cost less, for the expected cost; AWS's prices name it."""


class EmrSection(Section):
    driver: WorkerSection = WorkerSection(vcpu=2, memory_gb=8)
    """The worker that plans, commits, and combines users and sessions."""
    executor: WorkerSection = WorkerSection()
    """The workers that read raw files."""
    sizing: SizingSection = SizingSection()
    price: PriceSection = PriceSection()
    flex: FlexSection = FlexSection()
    delta_jars: tuple[str, ...] = ("/usr/share/aws/delta/lib/delta-*.jar",)
    """Delta's jars on the image, as paths or patterns. Source of the folder: EMR Serverless user guide, "Using Delta Lake"; the
    names in it differ between releases."""
    timeout_minutes: int = Field(default=720, ge=5, le=10080)
    """A run that takes longer is ended; the next one goes on where it stopped."""
    attempts: int = Field(default=1, ge=1, le=10)
    """How often EMR Serverless starts a run that failed; the next scheduled run resumes anyway."""
    python: str = "python3.11"
    """Interpreter of the image; the packaged environment was made for its version."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of each job run, besides clickstream:pipeline."""
    spark_conf: dict[str, str] = Field(default_factory=dict)
    """Further spark-submit settings, stronger than the computed ones."""
