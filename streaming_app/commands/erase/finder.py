"""Where raw text names the person of an app: in which elements of a request, or beside them, and whether all of it could be read.

An element belongs to the app that its transformer gives it, which a line with another ``appId`` may hold, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from streaming_app.commands.erase.mentions import Mentions
from streaming_app.commands.erase.packed import BLOCK, Buffer, Damaged, is_readable, packed_texts, unpacked
from streaming_app.config.model import Config
from streaming_app.errors import MalformedPayload
from streaming_app.ingest.transform.route import ElementRouter
from streaming_app.ingest.transform.run_plugin import Bounds, raw_elements, transform
from streaming_app.model.request import Request
from streaming_app.plugins.payload import stored_payload
from streaming_app.plugins.transformer import Rejected


class Look(NamedTuple):
    """Whether a text names the person, and whether all of it could be read."""

    named: bool
    complete: bool = True


class Found(NamedTuple):
    """``mine``: the person of this app is named. If that is in elements alone, ``others`` are those that stay.

    ``named`` and not ``mine``: the same id, of other apps.
    """

    named: bool
    mine: bool
    complete: bool
    others: list[str] | None = None


class PersonFinder:
    """Looks for a person's ids in raw lines and in rows of ``quarantine``."""

    def __init__(self, config: Config, app_id: str, ids: Iterable[str]) -> None:
        limits = config.limits
        self._app_id, self._apps = app_id, frozenset(config.apps)
        self._person, self._app = Mentions(ids), Mentions([app_id], values=True)
        others = self._apps - {app_id}
        self._other_apps = Mentions(others, values=True) if others else None
        self._router = ElementRouter(config)
        self._bounds = Bounds(limits.max_payload_bytes, limits.max_events_per_request, limits.max_plugin_seconds)

    def in_text(self, text: Buffer) -> Found:
        """In what is no request. Where it names other apps of the pipeline and not this one, it is theirs."""
        look = _look(self._person, text)
        return Found(look.named, look.named and self._may_be_of_app(text), look.complete)

    def in_request(self, request: Request, whole: bytes, envelope: bytes) -> Found:
        """In a request; ``whole`` is all its text, ``envelope`` what stays of it beside its elements if some are taken out."""
        look, payload = _look(self._person, whole), self._look_at_payload(request)
        complete = look.complete and payload.complete
        if not look.named and not payload.named:
            return Found(False, False, complete)
        elements = raw_elements(request, self._bounds.payload)
        named = [position for position, element in enumerate(elements) if self._names(element)]
        mine = {position for position in named if self._is_of_app(request, position, elements[position])}
        beside = _look(self._person, envelope).named
        if mine and not beside:
            others = [element for position, element in enumerate(elements) if position not in mine]
            return Found(True, True, complete, others)
        if named and not mine and not beside:
            return Found(True, False, complete)
        return Found(True, bool(mine) or self._concerns_app(request, elements, whole), complete)

    def _names(self, element: str) -> bool:
        return _look(self._person, element.encode()).named

    def _look_at_payload(self, request: Request) -> Look:
        """In the payload as the pass unpacks it, without a limit of size."""
        try:
            content, is_packed = stored_payload(request.data, request.uri)
        except MalformedPayload:
            return Look(False)
        if not is_packed and (request.data or "").lstrip()[:1] in ("[", "{"):
            return Look(False)  # it is in the line as it is
        try:
            named = self._person.in_stream(unpacked([content]))
        except Damaged:
            return Look(False, complete=False)
        return Look(named, complete=not is_packed or is_readable(content[:_HEAD]))

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
        """Whether what a request has beside its elements belongs to the app."""
        if request.app_id == self._app_id:
            return True
        if elements:
            return any(self._is_of_app(request, position, element) for position, element in enumerate(elements))
        return self._may_be_of_app(whole) if request.app_id is None else _look(self._app, whole).named

    def _may_be_of_app(self, text: Buffer) -> bool:
        if self._other_apps is None or _look(self._app, text).named:
            return True
        return not _look(self._other_apps, text).named


_HEAD = 12


def _own_app(element: str) -> str | None:
    """The app that an element names itself, as those of the Clickstream SDK do."""
    try:
        fields: Any = msgspec.json.decode(element)
    except (msgspec.MsgspecError, RecursionError):
        return None
    named = fields.get("app_id") if isinstance(fields, dict) else None
    return named if isinstance(named, str) else None


def _look(mentions: Mentions, text: Buffer) -> Look:
    """In a text and in whatever is packed in it."""
    if mentions.in_stream(text[at : at + BLOCK] for at in range(0, len(text), BLOCK)):
        return Look(True)
    complete = True
    for packed in packed_texts(text):
        try:
            if mentions.in_stream(packed):
                return Look(True, complete)
        except Damaged:
            complete = False
    return Look(False, complete)
