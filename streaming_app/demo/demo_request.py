"""A request on its way to the ingestion endpoint, and what a visit brings: what all kinds of clients have in common."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from random import Random
from typing import ClassVar, Self

import msgspec
import pybase64

from streaming_app.demo.world import Json
from streaming_app.errors import Reason

_GZIP = 15 + 16  # zlib's window bits for gzip
_ZLIB_LEVEL = 6  # what Java, Swift and Python use unless told otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRequest(ABC):
    """``sent_ms`` is by the client's clock, ``received_ms`` by the server's, both epoch ms; ``address`` is X-Forwarded-For.

    ``good`` rows of ``event`` and ``change`` are made of its elements, but of some that end in quarantine for the reasons in
    ``bad``. ``data`` replaces the elements by something that is no payload.
    """

    REQUIRED: ClassVar[str]
    """Key without which an element is no event."""

    app_id: str
    address: str
    sent_ms: int
    received_ms: int
    elements: tuple[Json | msgspec.Raw, ...]
    good: int
    bad: tuple[Reason, ...] = ()
    data: str | None = None
    is_cut: bool = False
    is_repeated: bool = False

    @abstractmethod
    def make_element(self, rng: Random) -> Json:
        """An ordinary element of the same visit, made when the request was sent: one row of ``event``, if it were good."""

    @abstractmethod
    def move(self, element: Json, by_ms: int) -> None:
        """Change the time of an element that :meth:`make_element` made."""

    @abstractmethod
    def make_copy(self, rng: Random) -> Self:
        """The copy that arrives when a request is sent twice."""

    def make_next(self, pause_ms: int) -> Self:
        """A request of its own that arrives ``pause_ms`` later and has nothing good yet."""
        return replace(self, received_ms=self.received_ms + pause_ms, good=0)

    def payload(self) -> bytes:
        """JSON: an array, or what is in it where the client sends a lone element so."""
        return msgspec.json.encode(self.elements[0] if self.is_single else self.elements)

    @property
    @abstractmethod
    def is_single(self) -> bool:
        """The payload is an object."""

    @abstractmethod
    def pack_payload(self, payload: bytes) -> str:
        """The payload as it travels."""

    @abstractmethod
    def envelope(self, text: str) -> Json:
        """The fields of the raw line that only this kind of client has; ``text`` is the packed payload or its replacement."""

    def stamp(self, rng: Random) -> tuple[str, int]:
        """Id and nanoseconds (below a millisecond) that the server gives the request."""
        return f"{rng.getrandbits(128):032x}", rng.randrange(1_000_000)


def gzip_base64(payload: bytes) -> str:
    """base64(gzip(…))."""
    packer = zlib.compressobj(_ZLIB_LEVEL, zlib.DEFLATED, _GZIP)
    return pybase64.b64encode_as_string(packer.compress(payload) + packer.flush())


@dataclass(slots=True)
class VisitResult:
    """What a visit brings: its requests, and what the pipeline makes of them.

    ``sessions`` are those with an id of the client's, ``spans`` the stretches of events without one, as (user, first, last
    event in epoch ms); ``things`` are the items with attributes.
    """

    requests: list[DemoRequest]
    changes: int = 0
    items: int = 0
    users: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    spans: list[tuple[str, int, int]] = field(default_factory=list)
    things: set[str] = field(default_factory=set)
