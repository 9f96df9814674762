"""Trials of a transformer, one or more for each rule of its contract."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from msgspec.structs import replace

from streaming_app.config.model import LimitsSection
from streaming_app.errors import InputError
from streaming_app.ingest.transform.run_plugin import Bounds, raw_elements, transform
from streaming_app.model.request import Request
from streaming_app.plugins.transformer import Limits, Rejected, Transformer
from streaming_app.plugins.validate_elements import validate_result
from streaming_app.testing.checks import Broken, Subject
from streaming_app.testing.outcomes import assert_same_ids, difference, ids_of
from streaming_app.testing.payloads import UNREADABLE, Payload, bad_elements, bad_values

_MAX_BYTES = Limits().max_payload_bytes
_BOUNDS = Bounds(_MAX_BYTES, Limits().max_events_per_request, LimitsSection().max_plugin_seconds)
_WITH_BAD_ELEMENTS = 3
"""Maximum number of requests that are tried with all kinds of bad elements, a few thousand times each."""


class TransformerTrials:
    """Trials of one transformer; each method returns if it passes.

    Raises:
        Broken: it fails; the message says what happened.
    """

    def __init__(self, subject: Subject, requests: Sequence[Request]) -> None:
        self._subject, self._requests = subject, requests

    def makes_events(self) -> None:
        refused: list[Rejected] = []
        made = 0
        for request in self._requests:
            for result in self._subject.plugin.transform(replace(request)):
                seen = validate_result(result, self._subject.name)
                if not isinstance(seen, Rejected):
                    made += 1
                elif seen == result:
                    refused.append(seen)
                else:
                    raise Broken(seen.message)
        if not made:
            why = f", but rejected {len(refused)} elements, the first one because: {refused[0].message}" if refused else ""
            raise Broken(f"it made none of {len(self._requests)} requests{why}")

    def reads_bad_payloads(self) -> None:
        request = next(iter(self._requests), Request())
        blank = Request(data=request.data, uri=request.uri)
        tries = {what: replace(request, data=data, uri=None) for what, data in UNREADABLE.items()} | {"no envelope": blank}
        for what, bad in tries.items():
            try:
                list(self._subject.plugin.transform(bad))
            except InputError:
                pass
            except Exception as error:
                raise Broken(f"given {what} it raised {type(error).__name__}: {str(error)[:200]}") from error

    def keeps_siblings(self) -> None:
        with_lists = (payload for payload in map(Payload, self._requests) if payload.lists)
        for payload in islice(with_lists, _WITH_BAD_ELEMENTS):
            ids = self._ids(payload.request)
            for key, elements in payload.lists.items():
                if self._ids(payload.with_elements(key, elements)) != ids:
                    continue  # the client's payloads are not plain JSON: elements cannot be inserted
                for what, bad in bad_elements(next(each for each in elements if isinstance(each, dict))):
                    self._assert_made(ids, payload.with_elements(key, [*elements, bad]), f"after {what}")
            if None in payload.lists:
                ids = self._ids_of_parts(payload.request, 1)
                for what, bad in bad_values():
                    self._assert_made(
                        ids, payload.with_elements(None, [bad, *payload.lists[None][1:]]), f"before the others {what}"
                    )

    def is_deterministic(self) -> None:
        self._assert_alike(self._subject.plugin, self._subject.plugin)

    def can_be_made_again(self) -> None:
        self._assert_alike(self._subject.plugin, self._subject.another())

    def leaves_request(self) -> None:
        for request in self._requests:
            given = replace(request)
            transform(self._subject.plugin, given, _BOUNDS)
            changed = [name for name in request.__struct_fields__ if getattr(given, name) != getattr(request, name)]
            if changed:
                raise Broken(f"it changed {', '.join(changed)}")

    def makes_same_ids_of_parts(self) -> None:
        for request in self._requests:
            if len(raw_elements(request, _MAX_BYTES)) > 1:
                assert_same_ids(self._ids(request), self._ids_of_parts(request, 0), "element by element")

    def ignores_place(self) -> None:
        for request in self._requests:
            elsewhere = replace(request, source_file="another/file.gz", source_line=12_345)
            assert_same_ids(self._ids(request), self._ids(elsewhere), "read from another file")

    def _assert_made(self, ids: set[str], request: Request, what: str) -> None:
        if missing := ids - self._ids(request):
            raise Broken(f"{what}, {len(missing)} of {len(ids)} are missing, {min(missing)} for one")

    def _assert_alike(self, one: Transformer, other: Transformer) -> None:
        for request in self._requests:
            first, second = (transform(each, replace(request), _BOUNDS) for each in (one, other))
            if len(first) != len(second):
                raise Broken(f"{len(first)} results became {len(second)}")
            for before, after in zip(first, second, strict=True):
                if repr(before) != repr(after):
                    raise Broken(difference(before, after))

    def _ids(self, request: Request) -> set[str]:
        return ids_of(transform(self._subject.plugin, replace(request), _BOUNDS))

    def _ids_of_parts(self, request: Request, start: int) -> set[str]:
        parts = list(enumerate(raw_elements(request, _MAX_BYTES)))[start:]
        return set().union(*(self._ids(replace(request, data=part, first_position=at)) for at, part in parts))
