"""What was set aside: a note, for the run has gone on without it, and a replay brings it back."""

from __future__ import annotations

from collections.abc import Iterator

from streaming_app.errors import Reason
from streaming_app.model.tables import QUARANTINE
from streaming_app.operations.check.facts import MOST_SHOWN, Facts, Note


def set_aside(facts: Facts) -> Iterator[Note]:
    """What could not be read at all is named."""
    found = facts.ask(
        "SELECT source_file, message, count(*) OVER () AS files FROM quarantine "
        f"WHERE reason = '{Reason.UNREADABLE_FILE}' AND resolved_time IS NULL "
        f"ORDER BY created_time, source_file LIMIT {MOST_SHOWN}",
        {QUARANTINE.name: facts.of(QUARANTINE)},
    )
    if found:
        named = "; ".join(f"{row['source_file']} ({row['message']})" for row in found)
        more = "; …" if found[0]["files"] > len(found) else ""
        yield Note(
            QUARANTINE.name,
            f"raw files that are set aside: {found[0]['files']:,}: {named}{more}",
            f"when they can be read: clickstream replay --reason {Reason.UNREADABLE_FILE}",
        )
