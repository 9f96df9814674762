"""The configuration: a frozen model for each section, every key with its meaning."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from streaming_app.config.emr import EmrSection
from streaming_app.config.references import is_reference
from streaming_app.config.section import Section, Uri
from streaming_app.errors import ConfigError

ByteCount = Annotated[int, Field(gt=0)]


class WindowsSection(Section):
    by: Literal["month", "day", "none"] = "month"
    """The source is split into source partitions, its year=/month=(/day=) folders, each with a checkpoint of its own, so that
    none grows for ever; files in no such folder are one source partition more. Choose it before the first run."""
    look_back: int = Field(default=2, ge=0)
    """How many source partitions before the newest are searched for late files; older ones only until they were read once."""


class SourceSection(Section):
    uri: Uri
    """Folder of the raw files, local or s3://; below it year=/month=/day=/hour= folders or any other layout."""
    glob: str = "*"
    """Only files whose name matches are read (names starting with _ or . never are)."""
    max_files_per_batch: int | None = Field(default=None, gt=0)
    """Bound a micro-batch by files; not together with max_bytes_per_batch."""
    max_bytes_per_batch: ByteCount | None = None
    """Bound a micro-batch by stored bytes; 1 GiB where neither bound is given."""
    windows: WindowsSection = WindowsSection()


class SinkSection(Section):
    uri: Uri
    """Tables are at <uri>/<table>/, local or s3://."""


class CheckpointSection(Section):
    uri: Uri | None = None
    """Where the streams keep their progress; <sink>/_checkpoints/ where absent."""


class AppSection(Section):
    transformer: str = Field(min_length=1)
    """Name of a built-in or installed transformer, or package.module:Class."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Passed to the transformer's class as keyword arguments."""
    enrichers: tuple[str, ...] | None = None
    """Which of the configured enrichers serve this app, by name, in their own order; all where absent."""
    default_currency: str | None = Field(default=None, pattern="^[A-Z]{3}$")
    """Currency of amounts and item prices that come without one, for example EUR; unknown where absent."""


class RulesSection(Section):
    freshness_hours: float = Field(default=72, gt=0, allow_inf_nan=False)
    """Events older than this at ingest time are quarantined as too_late."""
    clock_correction: bool = True
    """Correct the times of events whose client has a wrong clock, by the difference of its upload time and the ingest time."""
    clock_threshold_minutes: float = Field(default=10, ge=0, allow_inf_nan=False)
    """A client clock that is off by no more than this is trusted."""
    always_fresh: tuple[str, ...] = ("_first_open", "_first_visit", "_profile_set")
    """Events that may be older, as changes of attributes may: they carry first touches and user attributes."""
    always_fresh_days: int = Field(default=400, gt=0)
    """These, and changes of attributes, are quarantined as too_late if they are older than this at ingest time."""


class SessionsSection(Section):
    timeout_minutes: float = Field(default=30, gt=0, allow_inf_nan=False)
    """Inactivity that ends a session which the client gave no id."""
    max_days: int = Field(default=3, gt=0)
    """A session id that occurs again after more days than this starts another session."""


class HookSection(Section):
    function: str = Field(pattern=r"^[\w.]+:\w+$")
    """package.module:function, from the DataFrame of a micro-batch's new events (all columns of event) to a DataFrame."""
    table: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """Name of the Delta table below the sink to which its rows are appended, once per micro-batch."""


class DeriveSection(Section):
    hooks: tuple[HookSection, ...] = ()
    """Functions of your own over new events, for a join in Spark; see docs/how-to/plugins.md."""


class DedupeSection(Section):
    neighbour_days: int = Field(default=1, ge=0)
    """Events with one id are duplicates if their days are no further apart than this, or if others link them day by day."""


class LimitsSection(Section):
    max_line_bytes: ByteCount = 20_000_000
    """A longer raw line is quarantined as too_large."""
    max_payload_bytes: ByteCount = 40_000_000
    """A payload that would be larger after gunzip is quarantined as too_large; decompression stops there. The default is what
    a body of 1 MB holds at 50 bytes for each packed one; batches of real events have 10 to 30."""
    max_payload_ratio: float = Field(default=200, ge=1, allow_inf_nan=False)
    """The same of a payload beyond max_event_bytes that has more bytes than this for each packed one: a bomb has 1,000."""
    max_event_bytes: ByteCount = 10_000_000
    """A longer element of a payload is quarantined as too_large."""
    max_events_per_request: int = Field(default=50_000, gt=0)
    """A request with more events is quarantined as too_large."""
    max_days_per_request: int = Field(default=8, gt=0)
    """Of a request whose events lie on more days than this (UTC), the older days' events are quarantined as too_large: each day
    is a file of its own."""
    max_items_per_event: int = Field(default=1_000, gt=0)
    """Further items of one event stay in its process_info."""
    max_depth: int = Field(default=64, gt=0)
    """Parameters nested deeper make the event too_large."""
    max_plugin_seconds: float = Field(default=30, gt=0, allow_inf_nan=False)
    """A transformer of yours that takes longer for a request, or an enricher for a table of some 10,000 events, is given up:
    the elements are quarantined, the values stay as they were."""
    max_quarantine_bytes: ByteCount = 1_000_000
    """Longer raw text in quarantine is cut there; source_file and source_line say where the whole is."""


MIN_KEY_CHARS = 16


class PrivacySection(Section):
    ip: Literal["keep", "truncate", "hash", "drop"] = "keep"
    """What is stored of client addresses, in all tables, after they were looked up: all; the /24 (IPv4) or /48 (IPv6) network; a
    keyed hash; nothing. Other than keep, addresses are looked for in all texts but ids; see docs/how-to/operations.md."""
    hash_key: SecretStr | None = None
    """Key of the hash, and of the audit of erasures, 16 characters or more; who has it can test whether an address, or a person,
    was here. Best a reference: secretsmanager:NAME, secretsmanager:NAME#KEY (of a JSON secret) or ssm:NAME."""

    @model_validator(mode="after")
    def _check_key(self) -> PrivacySection:
        if self.ip == "hash" and self.hash_key is None:
            raise ValueError("ip: hash needs a hash_key of 16 characters or more")
        return self

    @field_validator("hash_key")
    @classmethod
    def _check_length(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None and not is_reference(given.get_secret_value()) and len(given.get_secret_value()) < MIN_KEY_CHARS:
            raise ValueError(f"a key has {MIN_KEY_CHARS} characters or more")
        return given

    def key(self) -> str | None:
        """The key; None where there is none.

        Raises:
            ConfigError: the configuration was read without its secrets.
        """
        text = self.hash_key.get_secret_value() if self.hash_key else None
        if is_reference(text):
            raise ConfigError("privacy.hash_key: is a reference that was not resolved", "this command must not need the key")
        return text


class S3Section(Section):
    endpoint: str | None = None
    """An endpoint other than AWS's, for example http://127.0.0.1:5000."""
    region: str | None = None
    """Region of the buckets; the environment's where absent."""


class SparkSection(Section):
    master: str | None = None
    """Spark master; where absent the one that spark-submit gave, else all cores of this machine."""
    driver_memory: str = "1g"
    """Memory of the JVM on one machine; ignored where the JVM already runs."""
    conf: dict[str, str] = Field(default_factory=dict)
    """Further Spark settings, stronger than the application's own."""


class Config(Section):
    """One pipeline: where raw files are, which apps they belong to, where tables go."""

    project_id: str = Field(min_length=1, max_length=255)
    """Written to every row."""
    source: SourceSection
    sink: SinkSection
    checkpoint: CheckpointSection = CheckpointSection()
    apps: dict[str, AppSection] = Field(min_length=1)
    """App id to transformer; events of other apps are quarantined as unknown_app."""
    enrichers: tuple[dict[str, dict[str, Any]], ...] = ()
    """In order: a name or package.module:Class, and its options; none where absent."""
    rules: RulesSection = RulesSection()
    sessions: SessionsSection = SessionsSection()
    derive: DeriveSection = DeriveSection()
    dedupe: DedupeSection = DedupeSection()
    limits: LimitsSection = LimitsSection()
    privacy: PrivacySection = PrivacySection()
    s3: S3Section = S3Section()
    spark: SparkSection = SparkSection()
    emr: EmrSection = EmrSection()

    @field_validator("enrichers")
    @classmethod
    def _one_name_each(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for position, entry in enumerate(value):
            if len(entry) != 1:
                raise ValueError(f"entry {position} must be one name with its options, for example `- user_agent: {{}}`")
        return value

    @model_validator(mode="after")
    def _known_enrichers(self) -> Config:
        known = {name for entry in self.enrichers for name in entry}
        for app_id, app in self.apps.items():
            if unknown := [name for name in app.enrichers or () if name not in known]:
                raise ValueError(f"apps.{app_id}.enrichers: {', '.join(unknown)}: not among the enrichers configured here")
        return self

    @field_validator("source")
    @classmethod
    def _one_bound(cls, value: SourceSection) -> SourceSection:
        if value.max_files_per_batch and value.max_bytes_per_batch:
            raise ValueError("give max_files_per_batch or max_bytes_per_batch, not both (Spark accepts one bound)")
        return value

    def table_uri(self, table: str) -> str:
        return f"{self.sink.uri.rstrip('/')}/{table}"

    @property
    def lock_uri(self) -> str:
        """The lock on the tables: the job holds it, the submitter reads it."""
        return self.table_uri("_lease.json")

    def checkpoint_uri(self, query: str) -> str:
        root = self.checkpoint.uri or f"{self.sink.uri.rstrip('/')}/_checkpoints"
        return f"{root.rstrip('/')}/{query}"
