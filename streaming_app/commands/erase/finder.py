"""Search for a person in raw text: in which elements of a request, or beside them, and whether all of it could be read.

An element belongs to the app that its transformer gives it, which a line with another ``appId`` may hold, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from streaming_app.commands.erase.identifier_matcher import IdentifierMatcher
from streaming_app.commands.erase.packed import BLOCK_BYTES, Buffer, Damaged, find_packed_texts, is_readable, unpack
from streaming_app.config.model import Config
from streaming_app.errors import MalformedPayload
from streaming_app.ingest.transform.route import ElementRouter
from streaming_app.ingest.transform.run_plugin import Bounds, raw_elements, transform
from streaming_app.model.request import Request
from streaming_app.plugins.payload import stored_payload
from streaming_app.plugins.transformer import Rejected


class TextMatch(NamedTuple):
    """Whether a text has an id of the person, and whether all of it could be read."""

    id_found: bool
    complete: bool = True


class PersonMatch(NamedTuple):
    """What a search in a request, a raw line or a row found.

    ``id_found`` without ``person_found``: the same id of another app. ``kept_elements``: where the person is in elements alone,
    those that stay. ``complete``: all of the text could be read.
    """

    id_found: bool
    person_found: bool
    complete: bool
    kept_elements: list[str] | None = None


class PersonFinder:
    """Searches raw lines and rows of ``quarantine`` for a person's ids."""

    def __init__(self, config: Config, app_id: str, ids: Iterable[str]) -> None:
        limits = config.limits
        self._app_id, self._apps = app_id, frozenset(config.apps)
        self._person, self._app = IdentifierMatcher(ids), IdentifierMatcher([app_id], values=True)
        other_apps = self._apps - {app_id}
        self._other_apps = IdentifierMatcher(other_apps, values=True) if other_apps else None
        self._router = ElementRouter(config)
        self._bounds = Bounds(limits.max_payload_bytes, limits.max_events_per_request, limits.max_plugin_seconds)

    def in_text(self, text: Buffer) -> PersonMatch:
        """Search a text that is no request. One that names other apps of the pipeline and not this one is theirs."""
        match = _match_text(self._person, text)
        return PersonMatch(match.id_found, match.id_found and self._may_be_of_app(text), match.complete)

    def in_request(self, request: Request, whole: bytes, envelope: bytes) -> PersonMatch:
        """Search a request; ``whole`` is all its text, ``envelope`` what stays of it beside its elements if some are erased."""
        text, payload = _match_text(self._person, whole), self._match_payload(request)
        complete = text.complete and payload.complete
        if not text.id_found and not payload.id_found:
            return PersonMatch(False, False, complete)
        elements = raw_elements(request, self._bounds.payload)
        with_id = [position for position, element in enumerate(elements) if self._has_id(element)]
        of_person = {position for position in with_id if self._is_of_app(request, position, elements[position])}
        beside = _match_text(self._person, envelope).id_found
        if of_person and not beside:
            kept = [element for position, element in enumerate(elements) if position not in of_person]
            return PersonMatch(True, True, complete, kept)
        if with_id and not of_person and not beside:
            return PersonMatch(True, False, complete)
        return PersonMatch(True, bool(of_person) or self._concerns_app(request, elements, whole), complete)

    def _has_id(self, element: str) -> bool:
        return _match_text(self._person, element.encode()).id_found

    def _match_payload(self, request: Request) -> TextMatch:
        """Search the payload, unpacked as the parse stage unpacks it, but without a limit of size."""
        try:
            content, is_packed = stored_payload(request.data, request.uri)
        except MalformedPayload:
            return TextMatch(False)
        if not is_packed and (request.data or "").lstrip()[:1] in ("[", "{"):
            return TextMatch(False)  # it is in the line as it is
        try:
            id_found = self._person.in_stream(unpack([content]))
        except Damaged:
            return TextMatch(False, complete=False)
        return TextMatch(id_found, complete=not is_packed or is_readable(content[:_HEAD_BYTES]))

    def _is_of_app(self, request: Request, position: int, element: str) -> bool:
        at = request.first_position + position
        single = msgspec.structs.replace(request, data=element, first_position=at)
        transformer = self._router.transformer_of(request)
        results = transform(transformer, single, self._bounds) if transformer else []
        apps = {each.app_id for each in results if not isinstance(each, Rejected)} or {_own_app(element), request.app_id} - {None}
        if self._app_id in apps or not apps:
            return True
        return request.app_id in (self._app_id, None) and not apps & self._apps

    def _concerns_app(self, request: Request, elements: list[str], whole: bytes) -> bool:
        """Whether the part of a request beside its elements belongs to the app."""
        if request.app_id == self._app_id:
            return True
        if elements:
            return any(self._is_of_app(request, position, element) for position, element in enumerate(elements))
        return self._may_be_of_app(whole) if request.app_id is None else _match_text(self._app, whole).id_found

    def _may_be_of_app(self, text: Buffer) -> bool:
        if self._other_apps is None or _match_text(self._app, text).id_found:
            return True
        return not _match_text(self._other_apps, text).id_found


_HEAD_BYTES = 12


def _own_app(element: str) -> str | None:
    """The app that an element names itself, as those of the Clickstream SDK do."""
    try:
        fields: Any = msgspec.json.decode(element)
    except (msgspec.MsgspecError, RecursionError):
        return None
    app_id = fields.get("app_id") if isinstance(fields, dict) else None
    return app_id if isinstance(app_id, str) else None


def _match_text(matcher: IdentifierMatcher, text: Buffer) -> TextMatch:
    """Search a text and whatever is packed in it."""
    if matcher.in_stream(text[at : at + BLOCK_BYTES] for at in range(0, len(text), BLOCK_BYTES)):
        return TextMatch(True)
    complete = True
    for packed in find_packed_texts(text):
        try:
            if matcher.in_stream(packed):
                return TextMatch(True, complete)
        except Damaged:
            complete = False
    return TextMatch(False, complete)
