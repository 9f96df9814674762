"""Compares the results of a transformer."""

from __future__ import annotations

from collections.abc import Iterable

from streaming_app.ingest.transform.run_plugin import Result
from streaming_app.plugins.transformer import Rejected
from streaming_app.testing.checks import Broken


def ids_of(results: Iterable[Result]) -> set[str]:
    """Kind, app and id of each event and change."""
    return {f"{type(each).__name__} {each.app_id}/{each.event_id}" for each in results if not isinstance(each, Rejected)}


def assert_same_ids(whole: set[str], other: set[str], how: str) -> None:
    if differing := whole ^ other:
        raise Broken(f"{how}, {len(differing)} ids are others, {min(differing)} for one")


def difference(before: Result, after: Result) -> str:
    """Describe the difference between two results."""
    if type(before) is not type(after):
        return f"{before!r:.200} became {after!r:.200}"
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in before.__struct_fields__)
    return "; ".join(f"{name} {one!r:.80} became {other!r:.80}" for name, one, other in pairs if repr(one) != repr(other))
