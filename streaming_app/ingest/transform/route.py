"""Routes the elements of a request: each becomes an accepted event, or a rejection with the stage that refused it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streaming_app.config.model import Config
from streaming_app.errors import Reason
from streaming_app.ingest.transform.run_plugin import Bounds, transform
from streaming_app.ingest.transform.time_rules import TimeRules
from streaming_app.model.change import Change
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.model.times import DAY_MS, is_time
from streaming_app.plugins.registry import make_limits, make_transformer, transformer_class
from streaming_app.plugins.transformer import Rejected, Transformer
from streaming_app.transformers.clickstream_sdk import ClickstreamSdk


class RoutedElements(NamedTuple):
    """``rejected`` are pairs of a rejection and its stage: request, transform or rules."""

    events: list[Event]
    changes: list[Change]
    rejected: list[tuple[Rejected, str]]


class ElementRouter:
    """Transforms requests by their apps' transformers and applies the rules."""

    def __init__(self, config: Config) -> None:
        limits = config.limits
        self._bounds = Bounds(make_limits(limits), limits.max_events_per_request, limits.max_plugin_seconds)
        self._max_days = limits.max_days_per_request
        self._rules = TimeRules(config.rules)
        self._apps, self._limits = config.apps, limits
        self._transformers: dict[str, Transformer] = {}  # made when first needed: a task reads events of few of thousands of apps
        self._currencies = {app_id: app.default_currency for app_id, app in config.apps.items() if app.default_currency}
        # Requests without a known app: the events of this SDK name their app themselves.
        self._fallback = _first_app_of(ClickstreamSdk, config)

    def transformer_of(self, request: Request) -> Transformer | None:
        """The transformer of the request's app, or of the first app of the SDK; None if there is neither."""
        app_id = request.app_id if request.app_id in self._apps else self._fallback
        if app_id is None:
            return None
        found = self._transformers.get(app_id)
        if found is None:
            found = self._transformers[app_id] = make_transformer(self._apps[app_id], self._limits)
        return found

    def route(self, request: Request) -> RoutedElements:
        """Route every element of the request, in payload order; times are corrected where the client's clock was wrong."""
        transformer = self.transformer_of(request)
        if transformer is None:
            return RoutedElements([], [], [(_reject_unknown_app(request.app_id, None), "request")])
        events: list[Event] = []
        changes: list[Change] = []
        rejected: list[tuple[Rejected, str]] = []
        ingest, upload = request.ingest_time, request.upload_time
        earliest, latest = self._rules.ordinary_range(ingest, upload)
        without_time = _unreadable_time(request)
        base_refused: Rejected | None = None  # the refusal of the last element that is not derived, if any
        for result in transform(transformer, request, self._bounds):
            if isinstance(result, Rejected):
                rejected.append((result, "transform"))
            elif without_time:
                rejected.append((msgspec.structs.replace(without_time, position=result.position), "rules"))
            else:
                refused = (result.is_derived and base_refused) or self._find_refusal(result, ingest, upload, earliest, latest)
                if not result.is_derived:
                    base_refused = refused
                if refused:
                    rejected.append((refused, "rules"))
                elif isinstance(result, Event):
                    if self._currencies:
                        _fill_currency(result, self._currencies.get(result.app_id or ""))
                    events.append(result)
                else:
                    changes.append(result)
        if len(events) + len(changes) <= self._max_days:
            return RoutedElements(events, changes, rejected)
        return _limit_days(RoutedElements(events, changes, rejected), self._max_days)

    def _find_refusal(
        self, result: Event | Change, ingest: int | None, upload: int | None, earliest: int, latest: int
    ) -> Rejected | None:
        """The reason for which the rules refuse an element, or None; its times are corrected in place if its clock was wrong."""
        if result.app_id not in self._apps:
            return _reject_unknown_app(result.app_id, result.position)
        sent = result.upload_time_msec
        if sent is not None and sent != upload and is_time(sent):
            upload = sent  # an element's own upload time takes precedence over that of the request
            earliest, latest = self._rules.ordinary_range(ingest, upload)
        if earliest <= (result.event_time_msec or -1) <= latest:
            return None
        verdict = self._rules.apply(result, ingest, upload)
        return Rejected(verdict.reason, verdict.message, result.position) if verdict else None


def _first_app_of(kind: type, config: Config) -> str | None:
    """The first app whose transformer is of a class; no transformer is made."""
    names = dict.fromkeys(app.transformer for app in config.apps.values())
    classes = {name: transformer_class(name) for name in names}
    found = {name for name, cls in classes.items() if isinstance(cls, type) and issubclass(cls, kind)}
    return next((app_id for app_id, app in config.apps.items() if app.transformer in found), None)


def _unreadable_time(request: Request) -> Rejected | None:
    """The rejection of a request whose receive time is out of bounds, so that the time rules cannot be applied; else None."""
    sent = (request.unreadable or {}).get("ingest_time")
    message = f"ingest_time {sent} of the request is no time between 1970 and 2199"
    return Rejected(Reason.MALFORMED_EVENT, message) if sent else None


def _fill_currency(event: Event, default: str | None) -> None:
    """Fill in missing currencies: an event's is the app's default, an item's is that of its event, else the app's."""
    if default is None:
        return
    if event.event_value is not None and not event.event_value_currency:
        event.event_value_currency = default
    for item in event.items or ():
        if item.price is not None and not item.currency:
            item.currency = event.event_value_currency or default


def _limit_days(routed: RoutedElements, max_days: int) -> RoutedElements:
    """Reject elements on days before the newest ``max_days`` ones of the request: each day needs a file of its own."""
    accepted: list[Event | Change] = [*routed.events, *routed.changes]
    days = sorted({_day(each) for each in accepted})
    if len(days) <= max_days:
        return routed
    first, message = days[-max_days], f"events on {len(days)} days in one request, allowed are {max_days}"
    beyond = [Rejected(Reason.TOO_LARGE, message, each.position) for each in accepted if _day(each) < first]
    return RoutedElements(
        [each for each in routed.events if _day(each) >= first],
        [each for each in routed.changes if _day(each) >= first],
        [*routed.rejected, *((each, "rules") for each in beyond)],
    )


def _day(accepted: Event | Change) -> int:
    return (accepted.event_time_msec or 0) // DAY_MS


def _reject_unknown_app(app_id: str | None, position: int | None) -> Rejected:
    return Rejected(Reason.UNKNOWN_APP, f"app {app_id!r} is not configured", position)
