"""The event that invokes the Lambda, and what it may set for one run. Whoever may invoke it decides the run's size, no more.

Everything that names code, files or further settings comes from the configuration alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, Field, ValidationError

from streaming_app.config.emr import EmrSection
from streaming_app.config.problems import Problem, problems_of
from streaming_app.config.section import Section
from streaming_app.errors import ConfigError

OVERRIDABLE = ("attempts", "sizing", "timeout_minutes")
"""Keys of ``emr`` that an event may set."""

ENVELOPE = frozenset({"account", "detail", "detail-type", "id", "region", "resources", "source", "version"})
"""What EventBridge adds to an event of its own, besides ``time``. Nothing of it is used."""


class Trigger(Section):
    """An event without EventBridge's envelope."""

    emr: dict[str, Any] = Field(default_factory=dict)
    """Laid over the configuration's section of that name for this run: :data:`OVERRIDABLE` only."""
    command: Literal["run", "maintain"] = "run"
    """Process raw files, or maintain the tables."""
    dry_run: bool = False
    """Decide, and start nothing."""
    scheduled_time: AwareDatetime | None = None
    """The moment of the schedule, from which the age of the backlog is computed."""
    time: AwareDatetime | None = None
    """The same from EventBridge."""

    @property
    def moment(self) -> float | None:
        """The moment of the schedule, in seconds since 1970; None if the event has none."""
        moment = self.scheduled_time or self.time
        return moment.timestamp() if moment else None


def read_trigger(event: object, emr: EmrSection, maximum_vcpu: int | None) -> tuple[Trigger, EmrSection]:
    """The event, and the section ``emr`` of its run.

    Args:
        event: What the Lambda is invoked with, from JSON.
        emr: The configuration's own section.
        maximum_vcpu: Of all workers of the stack together; None where it is not known.

    Raises:
        ConfigError: the event has problems; the message lists all of them.
    """
    problems: list[Problem] = []
    trigger = Trigger()
    try:
        given = {key: value for key, value in event.items() if key not in ENVELOPE} if isinstance(event, Mapping) else event
        trigger = Trigger.model_validate(given)
    except ValidationError as error:
        problems += problems_of(error, Trigger)
    overrides = event.get("emr") if isinstance(event, Mapping) else None
    if isinstance(overrides, Mapping):
        problems += ((("emr", str(key)), _REFUSED) for key in overrides if key not in OVERRIDABLE)
        emr, found = _apply(emr, {key: overrides[key] for key in OVERRIDABLE if key in overrides})
        problems += found or _find_excess_vcpu(emr, overrides.get("sizing"), maximum_vcpu)
    if problems:
        listed = "; ".join(f"{'.'.join(map(_name, path)) or 'event'}: {message}" for path, message in problems[:_MAX_LISTED])
        raise ConfigError(f"the event that triggered this: {listed}", "docs/how-to/deploy.md has what an event may say")
    return trigger, emr


_MAX_LISTED = 20
_MAX_NAME_CHARS = 100


def _name(key: object) -> str:
    """A key as printable text, for logs and terminals."""
    text = str(key)[:_MAX_NAME_CHARS]
    return text if text.isprintable() else ascii(text)


_REFUSED = f"an event may not set it; it may set {', '.join(OVERRIDABLE)}, all else is in the configuration"


def _apply(emr: EmrSection, overrides: Mapping[str, Any]) -> tuple[EmrSection, list[Problem]]:
    """The section with the overrides, or what is wrong with them."""
    try:
        return EmrSection.model_validate(_merge(emr.model_dump(), overrides)), []
    except ValidationError as error:
        return emr, [(("emr", *path), message) for path, message in problems_of(error, EmrSection)]


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """One mapping over another, key by key at every level."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _find_excess_vcpu(emr: EmrSection, sizing: object, maximum_vcpu: int | None) -> Iterator[Problem]:
    """Problems where the event asks for more vCPUs than the stack has."""
    for key in ("min_vcpu", "max_vcpu"):
        asked = getattr(emr.sizing, key)
        if maximum_vcpu is not None and isinstance(sizing, Mapping) and key in sizing and asked + emr.driver.vcpu > maximum_vcpu:
            left = f"MaximumVcpu of the stack is {maximum_vcpu}, of which the driver has {emr.driver.vcpu}"
            yield ("emr", "sizing", key), f"{left} (given: {asked})"
