"""The contract of enrichers, as a list of checks."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from streaming_app.plugins.enricher import Enricher
from streaming_app.testing.checks import REMAKE, Check, Subject, assert_all
from streaming_app.testing.enricher_trials import EnricherTrials
from streaming_app.testing.samples import sample_events

_ROWS = "return the given table with columns replaced or added: with_column() of streaming_app.api does that"
_FITS = "look at the columns of event: clickstream tables describe event"
_FILLS = "name every column that it fills in FILLS, the order of enrichers is checked by it"
_TWICE = "fill only what is null, or depend on no column that it fills; else say idempotent=False"
_PARTS = "make each row of its own values alone: the same events come in other tables after a crash or a replay"
_NULLS = "any column may be null in any row: null in, null out"


def assert_enricher_contract(
    enricher: Enricher | Callable[[], Enricher], events: pa.Table | None = None, *, idempotent: bool = True
) -> None:
    """Check an enricher, or what makes one, with a table of events: those of :func:`sample_events` where absent.

    ``idempotent`` is false for one that builds on columns which it fills itself.

    Raises:
        AssertionError: it breaks its contract; the message names the enricher, the rule and the remedy.
    """
    assert_all(enricher_checks(enricher, events, idempotent=idempotent))


def enricher_checks(
    enricher: Enricher | Callable[[], Enricher], events: pa.Table | None = None, *, idempotent: bool = True
) -> list[Check]:
    """The checks of an enricher's contract; the first one opens it."""
    subject = Subject(enricher, "enrich")
    trials = EnricherTrials(subject, sample_events() if events is None else events)
    rows = [
        ("opens", "look at its options and files", trials.opens),
        ("returns the same rows in the same order, with every column", _ROWS, trials.keeps_rows),
        ("makes values that fit their columns", _FITS, trials.fits),
        ("fills the columns that it names", _FILLS, trials.fills),
        ("makes the same of what it made", _TWICE, trials.is_idempotent),
        ("makes the same of a table and of its parts", _PARTS, trials.is_the_same_in_parts),
        ("makes the same when it is opened again", "make open() start from nothing each time", trials.opens_again),
        ("works on a table without rows", _NULLS, trials.stands_no_rows),
        ("works on columns of nulls", _NULLS, trials.stands_nulls),
        ("leaves the table that it is given as it is", "make a copy of what you want to change", trials.leaves_events),
        ("can be made in each worker, and makes the same there", REMAKE, trials.can_be_made_again),
    ]
    return [Check(subject.name, *row) for row in rows if idempotent or row[2] != trials.is_idempotent]
