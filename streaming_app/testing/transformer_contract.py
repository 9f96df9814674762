"""The contract of transformers, as a list of checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from streaming_app.model.request import Request
from streaming_app.plugins.transformer import Transformer
from streaming_app.testing.checks import REMAKE, Check, Subject, assert_all
from streaming_app.testing.samples import as_requests, sample_requests
from streaming_app.testing.transformer_trials import TransformerTrials

_FIELDS = "look at the fields and types of Event and Change, and fill those that are required"
_READ = "read payloads with payload_bytes() and elements() of streaming_app.api, or raise InputError yourself"
_SIBLINGS = "catch what is wrong with one element, yield a Rejected for it and go on with the next"
_STATELESS = "make everything of the request alone: no clock, no random number, nothing kept from call to call"
_PARTS = "take the ids that the client sent, else make them of the element and its position, from request.first_position on"
_PLACE = "leave source_file and source_line out of ids: a request may be read again from another file"


def assert_transformer_contract(
    transformer: Transformer | Callable[[], Transformer], requests: Iterable[Request | bytes]
) -> None:
    """Check a transformer, or what makes one, with real requests for it: parsed ones, or raw lines.

    Raises:
        AssertionError: it breaks its contract; the message names the transformer, the rule and the remedy.
    """
    assert_all(transformer_checks(transformer, requests))


def transformer_checks(
    transformer: Transformer | Callable[[], Transformer], requests: Iterable[Request | bytes] | None = None
) -> list[Check]:
    """The checks of a transformer's contract; without requests it gets bad input and requests of another client only."""
    subject = Subject(transformer, "transform")
    trials = TransformerTrials(subject, sample_requests() if requests is None else as_requests(requests))
    rows = [
        ("makes whole events of the requests", _FIELDS, trials.makes_events),
        ("makes the same again of the same request", _STATELESS, trials.is_deterministic),
        ("leaves the request as it is", "make a copy of what you want to change", trials.leaves_request),
        ("makes the same ids wherever the request is read", _PLACE, trials.ignores_place),
        ("makes the same ids of a payload handed over in parts", _PARTS, trials.makes_same_ids_of_parts),
        ("raises nothing but InputError where nothing can be read", _READ, trials.reads_bad_payloads),
        ("lets no bad element take its siblings along", _SIBLINGS, trials.keeps_siblings),
        ("can be made in each worker, and makes the same there", REMAKE, trials.can_be_made_again),
    ]
    return [Check(subject.name, *row) for row in rows if requests is not None or row[2] != trials.makes_events]
