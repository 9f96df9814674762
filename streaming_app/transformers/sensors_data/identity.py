"""Who sent a Sensors Data message, and whose an anonymous id turned out to be.

``user_pseudo_id`` is the ``distinct_id``, as in the reference system: an anonymous id before a login, the login id after it. So
the events of the anonymous id do not know the login. A sign-up or a binding, which knows both, tells it by a :class:`Change` of
the anonymous user.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from streaming_app.model.change import Change
from streaming_app.model.coerce import as_bool, as_text
from streaming_app.model.event import Event
from streaming_app.transformers.sensors_data.fields import BIND, SIGN_UP, UNBIND
from streaming_app.transformers.sensors_data.ids import LINK

IS_LOGIN = "$is_login_id"
"""A property by which servers say that the distinct id is a login id."""
_ANONYMOUS = ("$identity_anonymous_id", "$identity_cookie_id")


class SenderIds(NamedTuple):
    """``anonymous`` is an id of the same user's from before the login; null where it is the distinct id itself."""

    distinct: str | None
    login: str | None
    anonymous: str | None


def read_sender_ids(
    message: dict[str, Any], kind: str | None, properties: dict[str, Any], identities: dict[str, Any]
) -> SenderIds:
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
    return SenderIds(distinct, login, None if anonymous == distinct or kind == UNBIND else anonymous)


def _id(value: Any) -> str | None:
    if value.__class__ is str:
        return value or None
    return as_text(value) if value.__class__ in (int, float) else None


def link_of(event: Event, anonymous: str | None, kind: str | None) -> Change | None:
    """What a sign-up or a binding tells of the anonymous user: no attributes, but the login id."""
    if kind not in (SIGN_UP, BIND) or anonymous is None or event.user_id is None:
        return None
    return Change(
        event_id=f"{event.event_id}{LINK}",
        event_time_msec=event.event_time_msec,
        event_name="profile_set",
        app_id=event.app_id,
        user_pseudo_id=anonymous,
        user_id=event.user_id,
        properties_json_str="{}",
        position=event.position,
        upload_time_msec=event.upload_time_msec,
        is_derived=True,
    )
