"""How the messages of Sensors Data's SDKs reach the ingestion endpoint: forms, and addresses of images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from operator import mul
from random import Random
from typing import Self
from urllib.parse import quote

import msgspec
import pybase64

from streaming_app.demo.demo_request import DemoRequest, gzip_base64
from streaming_app.demo.world import Json


class Way(StrEnum):
    """How a client sends; the shop's server has an SDK of its own."""

    IMAGE = "image"
    AJAX = "ajax"
    BATCH = "batch"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorsRequest(DemoRequest):
    """``like`` is an event of the same sender."""

    REQUIRED = "event"

    way: Way
    agent: str
    like: Json

    def make_element(self, rng: Random) -> Json:
        drawn = {"_track_id": rng.getrandbits(30)} if "_track_id" in self.like else {}
        ordinary = {name: value for name, value in self.like["properties"].items() if name != "$is_first_time"}
        return {**self.like, "properties": ordinary, "time": self.sent_ms, **drawn}

    def move(self, element: Json, by_ms: int) -> None:
        element["time"] += by_ms

    def make_copy(self, rng: Random) -> Self:
        """The SDK tries again with a time of sending of its own: the messages are the same all the same."""
        pause = rng.randint(1_000, 2_000)
        return replace(self, sent_ms=self.sent_ms + pause, received_ms=self.received_ms + pause, is_repeated=True)

    @property
    def is_single(self) -> bool:
        return len(self.elements) == 1 and self.way != Way.BATCH

    def payload(self) -> bytes:
        flushed = {} if self.way == Way.SERVER else {"_flush_time": self.sent_ms}
        sent = [{**each, **flushed} if isinstance(each, dict) else each for each in self.elements]
        return msgspec.json.encode(sent[0] if self.is_single else sent)

    def pack_payload(self, payload: bytes) -> str:
        return gzip_base64(payload) if self.way == Way.SERVER else pybase64.b64encode_as_string(payload)

    def envelope(self, text: str) -> Json:
        form = f"{'data' if self.is_single else 'data_list'}={quote(text, safe='')}"
        form += {Way.SERVER: "&gzip=1", Way.BATCH: ""}.get(self.way, f"&ext=crc%3D{checksum(text)}")
        platform = "Server" if self.way == Way.SERVER else "Web"
        uri, is_image = f"/collect?appId={self.app_id}&platform={platform}", self.way == Way.IMAGE
        return {
            "compression": None,
            "data": "" if is_image else form,
            "method": "GET" if is_image else "POST",
            "platform": platform,
            "ua": self.agent,
            "upload_timestamp": None,
            "uri": f"{uri}&{form}" if is_image else uri,
        }


def checksum(text: str) -> int:
    """What the JavaScript SDK calls crc: Java's hash of a string, 32 bits with a sign.

    >>> checksum("clickstream"), checksum("shop")
    (-2036150520, 3529462)
    """
    size = len(text)
    powers = _powers(1 << size.bit_length())[-size or None :]
    hashed: int = sum(map(mul, text.encode("ascii"), powers)) & 0xFFFFFFFF
    return hashed - (hashed >> 31 << 32)


@cache
def _powers(count: int) -> tuple[int, ...]:
    """Powers of 31 modulo 2^32, falling to 1."""
    powers = [1]
    while len(powers) < count:
        powers.append(powers[-1] * 31 & 0xFFFFFFFF)
    return tuple(reversed(powers))
