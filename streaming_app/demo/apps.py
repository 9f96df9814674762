"""The demo's apps: one shop, measured three times by other means. Users, products and addresses are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from streaming_app.demo.demo_request import VisitResult
from streaming_app.demo.dirt import Dirt
from streaming_app.demo.gtm_requests import play_gtm
from streaming_app.demo.sdk_requests import play_sdk
from streaming_app.demo.sensors_play import play_sensors
from streaming_app.demo.visit import PlannedVisit
from streaming_app.demo.world import World

_OF_THE_SDK = frozenset({Dirt.BROKEN_LINE, Dirt.UNKNOWN_APP})
"""A broken line is no app's; and only events that name their app themselves can be of an unknown one."""


@dataclass(frozen=True, slots=True)
class DemoApp:
    """``share`` of 100 events; ``spared`` is the dirt that there is not.

    ``waits``: its clients keep what happens while they are offline. ``has_clock``: the time is a client's, which may be wrong.
    """

    transformer: str
    share: int
    play: Callable[[PlannedVisit, World, str, Random], VisitResult]
    spared: frozenset[Dirt] = frozenset()
    waits: bool = True
    has_clock: bool = True


APPS = {
    "shop": DemoApp("clickstream_sdk", 60, play_sdk),
    "shop-gtm": DemoApp("gtm_server", 25, play_gtm, _OF_THE_SDK, waits=False, has_clock=False),
    "shop-sensors": DemoApp("sensors_data", 15, play_sensors, _OF_THE_SDK),
}
"""By app id."""


def quotas(events: int, apps: Sequence[str]) -> dict[str, int]:
    """How many of the events each app has, in proportion to their shares.

    >>> quotas(10_000, ["shop", "shop-gtm", "shop-sensors"]), quotas(7, ["shop-gtm"])
    ({'shop': 6000, 'shop-gtm': 2500, 'shop-sensors': 1500}, {'shop-gtm': 7})
    """
    found, total = {}, sum(APPS[app_id].share for app_id in apps)
    for app_id in apps:
        found[app_id] = round(events * APPS[app_id].share / total)
        events, total = events - found[app_id], total - APPS[app_id].share
    return found
