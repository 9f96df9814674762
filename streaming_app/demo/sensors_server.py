"""An order as the shop's own server sends it with Sensors Data's Python SDK (1.11): whose it is, and of what."""

from __future__ import annotations

from random import Random

from streaming_app.demo.world import Json, User

_VERSION, _APP_VERSION = "1.11.0", "1.2.3"
_LIB: Json = {"$lib": "python", "$lib_version": _VERSION, "$lib_method": "code", "$app_version": _APP_VERSION}
_DETAIL = "submit##submit##orders.py##{}"
_ITEM_TYPE = "product"


class OrderMessages:
    """Makes the messages of one order; ``at_ms`` (epoch ms) goes on with each, by the server's clock."""

    def __init__(self, user: User, at_ms: int, rng: Random) -> None:
        self._user, self._now, self._rng = user, at_ms, rng

    def sign_up(self, cookie: str) -> Json:
        """An anonymous visitor turned out to be this user."""
        properties = {**self._preset, "how": "checkout"}
        return self._of_user("track_signup", properties, 40) | {"event": "$SignUp", "original_id": cookie}

    def order(self, cart: list[Json]) -> list[Json]:
        """The order, one event; and changes: of the user's attributes, and of the stock of what was sold."""
        total = round(sum(item["price"] for item in cart), 2)
        order = {"order_id": f"o-{self._rng.getrandbits(32):08x}", "total": total, "lines": len(cart), "$is_login_id": True}
        told = [self._of_user("track", {**self._preset, **order}, 42) | {"event": "SubmitOrder"}]
        known = {"$is_login_id": True}
        told.append(self._of_user("profile_increment", {"orders": 1, "spent": total, **known}, 46))
        told.append(self._of_user("profile_append", {"bought": sorted({item["category"] for item in cart}), **known}, 47))
        told += [self._of_item(item) for item in cart]
        if self._rng.random() < 0.04:  # who wants to be forgotten after all
            told.append(self._of_user("profile_delete", known, 58))
        return told

    @property
    def _preset(self) -> Json:
        client = self._user.addresses[0].partition(",")[0]
        return {"$lib": _LIB["$lib"], "$lib_version": _VERSION, "$app_version": _APP_VERSION, "$ip": client}

    def _of_user(self, kind: str, properties: Json, line: int) -> Json:
        return {**self._message(kind, line), "distinct_id": self._user.login, "properties": properties}

    def _of_item(self, item: Json) -> Json:
        """What is left in stock, or that the shop does not have it any more."""
        is_gone = self._rng.random() < 0.1
        left = {"name": item["name"], "price": item["price"], "stock": self._rng.randrange(1, 500)}
        named = {"item_type": _ITEM_TYPE, "item_id": item["id"], "properties": {} if is_gone else left}
        return {**self._message("item_delete" if is_gone else "item_set", 50), **named}

    def _message(self, kind: str, line: int) -> Json:
        self._now += 1 + int(self._rng.random() * 4)
        return {"type": kind, "time": self._now, "lib": {**_LIB, "$lib_detail": _DETAIL.format(line)}}
