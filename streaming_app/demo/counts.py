"""What was written, in the numbers that the pipeline has to find."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from streaming_app.demo.demo_request import DemoRequest, VisitResult

_TIMEOUT_MS = 30 * 60_000  # what sessions.timeout_minutes is by default
Span = tuple[str, int, int]


@dataclass(frozen=True, kw_only=True)
class GeneratedCounts:
    """``events``, ``changes``, ``items``, ``users``, ``sessions`` and ``things`` are rows of their tables (the last one of
    ``item_attributes``), each once. ``resent`` are further copies of these events and changes, ``broken`` the rows of
    ``quarantine`` by reason.
    """

    events: int
    changes: int
    items: int
    resent: int
    broken: dict[str, int]
    users: int
    sessions: int
    things: int

    @property
    def written(self) -> int:
        return self.events + self.changes

    @property
    def received(self) -> int:
        """Everything that the pipeline has to account for."""
        return self.written + self.resent + sum(self.broken.values())


@dataclass(frozen=True, kw_only=True)
class Generated(GeneratedCounts):
    """The sums of all ``apps``; ``decoded_bytes`` is the size of all payloads as JSON, ``stored_bytes`` that of the files."""

    apps: dict[str, GeneratedCounts]
    files: int
    stored_bytes: int
    decoded_bytes: int
    lines: int


@dataclass(slots=True)
class Tally:
    """Counts one app in one process."""

    events: int = 0
    changes: int = 0
    items: int = 0
    resent: int = 0
    decoded_bytes: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    users: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    things: set[str] = field(default_factory=set)
    spans: list[Span] = field(default_factory=list)

    def add_visit(self, played: VisitResult) -> None:
        """A visit, before anything goes wrong with it."""
        self.changes += played.changes
        self.items += played.items
        self.events += sum(request.good for request in played.requests) - played.changes
        self.users |= played.users
        self.sessions |= played.sessions
        self.things |= played.things
        self.spans += played.spans

    def add_request(self, request: DemoRequest) -> None:
        """A request, after that."""
        self.resent += request.good if request.is_repeated else 0
        self.broken.update(str(reason) for reason in request.bad)

    def add(self, other: Tally) -> None:
        for each in fields(self):
            mine, more = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, mine | more if isinstance(mine, set) else mine + more)

    def counts(self) -> GeneratedCounts:
        return GeneratedCounts(
            events=self.events,
            changes=self.changes,
            items=self.items,
            resent=self.resent,
            broken=dict(sorted(self.broken.items())),
            users=len(self.users),
            sessions=len(self.sessions) + _count_inferred_sessions(self.spans),
            things=len(self.things),
        )


def _count_inferred_sessions(spans: Iterable[Span]) -> int:
    """Sessions of clients that send no session id: a user's events without a longer pause."""
    reached: defaultdict[str, float] = defaultdict(lambda: float("-inf"))
    sessions = 0
    for user, first, last in sorted(spans, key=lambda span: span[1]):
        sessions += first - reached[user] > _TIMEOUT_MS
        reached[user] = max(reached[user], last)
    return sessions


def sum_counts(apps: dict[str, GeneratedCounts]) -> dict[str, Any]:
    """The fields of :class:`GeneratedCounts` over all apps."""
    total: dict[str, Any] = {each.name: 0 for each in fields(GeneratedCounts)}
    for name in total:
        values = [getattr(counts, name) for counts in apps.values()]
        total[name] = sum(values) if name != "broken" else dict(sorted(sum(map(Counter, values), Counter()).items()))
    return total
