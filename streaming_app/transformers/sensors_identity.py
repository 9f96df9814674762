"""Who sent a Sensors Data message, and whose an anonymous id turned out to be.

``user_pseudo_id`` is the ``distinct_id``, as in the reference system: an anonymous id before a login, the login id after it. So
no event of the anonymous id knows the login. What does, a sign-up (``original_id``), a binding, or any later message by its
``identities``, tells it by a :class:`Change` of the anonymous user: no attributes, but the login id.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from streaming_app.model.change import Change
from streaming_app.model.coerce import as_bool, as_text
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.transformers.sensors_fields import BIND, SIGN_UP, UNBIND
from streaming_app.transformers.sensors_ids import LINK, digest

IS_LOGIN = "$is_login_id"
"""A property by which servers say that the distinct id is a login id."""
_DAY_MS = 86_400_000
_REMEMBERED = 20_000
"""Links that a task remembers, some 500 bytes each; one that is forgotten is told again."""
_ANONYMOUS = ("$identity_anonymous_id", "$identity_cookie_id")


class Who(NamedTuple):
    """``anonymous`` is an id of the same user's from before the login; null where it is the distinct id itself."""

    distinct: str | None
    login: str | None
    anonymous: str | None


def who(message: dict[str, Any], kind: str | None, properties: dict[str, Any], identities: dict[str, Any]) -> Who:
    """The ids of one message; an empty one is none, and neither is an object or an array."""
    anonymous = _id(message.get("anonymous_id"))
    distinct = _id(message.get("distinct_id")) or anonymous
    login = _id(message.get("login_id"))
    if kind != UNBIND:  # its identities are those that are no longer the user's
        login = _id(identities.get("$identity_login_id")) or login
        anonymous = anonymous or next((found for key in _ANONYMOUS if (found := _id(identities.get(key)))), None)
    if kind == SIGN_UP:
        login, anonymous = login or distinct, _id(message.get("original_id")) or anonymous
    elif login is None and IS_LOGIN in properties and as_bool(properties[IS_LOGIN]):
        login = distinct
    return Who(distinct, login, None if anonymous == distinct or kind == UNBIND else anonymous)


def _id(value: Any) -> str | None:
    if value.__class__ is str:
        return value or None
    return as_text(value) if value.__class__ in (int, float) else None


class Links:
    """Tells the login ids of anonymous users: at every sign-up or binding, and of other events the first of each day.

    Which is the first, by (event time, receive time, request id), does not depend on how the input is split: a task tells
    again what it meets later but was earlier, and of all that is told the earliest stays.
    """

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, int], tuple[int, int, str]] = {}

    def of(self, event: Event, anonymous: str | None, kind: str | None, request: Request) -> Change | None:
        """The link that an event tells; None if there is none, or it was told before."""
        login, time = event.user_id, event.event_time_msec or 0
        if anonymous is None or login is None:
            return None
        if kind in (SIGN_UP, BIND):
            return _link(event, anonymous, f"{event.event_id}{LINK}")
        key = (anonymous, login, time // _DAY_MS)
        order = (time, request.ingest_time or 0, request.rid or "")
        if key in self._told and self._told[key] <= order:
            return None
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told[key] = order
        return _link(event, anonymous, digest(key) + LINK)


def _link(event: Event, anonymous: str, link_id: str) -> Change:
    return Change(
        event_id=link_id,
        event_time_msec=event.event_time_msec,
        event_name="profile_set",
        app_id=event.app_id,
        user_pseudo_id=anonymous,
        user_id=event.user_id,
        properties_json_str="{}",
        position=event.position,
        upload_time_msec=event.upload_time_msec,
    )
