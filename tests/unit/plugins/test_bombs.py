"""How large a payload may become: whatever real batches hold passes, bombs stand out by their ratio or their size."""

from __future__ import annotations

import base64
import gzip
import json
import random
from typing import Any

import pytest

from streaming_app.errors import TooLarge
from streaming_app.plugins.payload import elements, payload_bytes
from streaming_app.plugins.transformer import Limits

LIMITS = Limits(max_payload_bytes=400_000, max_payload_ratio=50, max_event_bytes=100_000, max_events_per_request=1_000)


def noise(size: int, seed: int = 0) -> str:
    """Text that gzip hardly makes smaller than three quarters."""
    return base64.b64encode(random.Random(seed).randbytes(size * 3 // 4)).decode()


def make_elements(count: int) -> list[str]:
    return [json.dumps({"x": noise(2_000, seed)}) for seed in range(count)]


def pack(payload: str) -> str:
    return base64.b64encode(gzip.compress(payload.encode(), mtime=0)).decode()


def join_elements(*parts: str) -> str:
    return f"[{','.join(parts)}]"


[ONE] = make_elements(1)
EMPTY = json.dumps({"x": " " * 50_000})

# name: (payload, its elements or why it is refused)
CASES: dict[str, tuple[str, Any]] = {
    "within all": (join_elements(ONE), 1),
    "a bomb within the size of an event": (join_elements(EMPTY), 1),
    "a bomb": (join_elements(*[EMPTY] * 3), "payload larger than 100000 bytes"),
    "a bomb of many events": (join_elements(*["{}"] * 100_000), "payload larger than 100000 bytes"),
    "beyond an event, of an ordinary ratio": (join_elements(*make_elements(100)), 100),
    "of a high ratio": (join_elements(json.dumps({"x": noise(8_000)}), *[EMPTY] * 5), 6),
    "as large as allowed": (join_elements(json.dumps({"x": noise(99_000)}), *make_elements(100)), 101),
    "too large": (join_elements(*make_elements(210)), "payload larger than 400000 bytes"),
    "too many events": (join_elements(*["1"] * 1_001), "1001 events in one request, allowed are 1000"),
    "too many events beyond the size of one": (
        join_elements(json.dumps(noise(90_000)), *["{}"] * 10_000),
        "10001 events in one request",
    ),
    "an event too large": (
        join_elements(json.dumps({"x": noise(100_001)}), ONE),
        ["element of 100009 bytes, allowed are 100000", ONE],
    ),
    "one that is the payload": (json.dumps({"x": noise(100_001)}), ["element of 100009 bytes, allowed are 100000"]),
    "a broken one among them": (join_elements('{"a":}', *make_elements(60)), ["not JSON", *make_elements(60)]),
    "more than told apart, broken": (
        join_elements('{"a":bad}', json.dumps(noise(90_000)), *["{}"] * 10_000),
        "more than 1000 events in one request",
    ),
}


def read_elements(data: str) -> str | list[Any]:
    """Elements, with the messages of refused ones, or why all are refused."""
    try:
        return [
            str(each) if isinstance(each, Exception) else each for each in elements(payload_bytes(data, None, LIMITS), LIMITS)
        ]
    except TooLarge as error:
        return str(error)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_payloads(case: str) -> None:
    payload, wanted = CASES[case]
    found = read_elements(pack(payload))
    if isinstance(wanted, str):
        assert str(found).startswith(wanted)
    elif isinstance(wanted, int):
        assert len(found) == wanted
    else:
        shown = [
            json.dumps(each) if isinstance(each, dict) else each[: len(told)] for each, told in zip(found, wanted, strict=True)
        ]
        assert shown == wanted


@pytest.mark.parametrize("case", CASES, ids=str)
def test_plain_payloads_have_no_ratio(case: str) -> None:
    payload, wanted = CASES[case]
    found = read_elements(payload)
    if len(payload) > LIMITS.max_payload_bytes:
        assert str(found).startswith(f"payload of {len(payload)} bytes, allowed are 400000")
    elif not str(wanted).startswith("payload"):
        assert found == read_elements(pack(payload))


@pytest.mark.parametrize("ratio", [10, 20, 43])
def test_the_defaults_let_a_whole_body_pass(ratio: int) -> None:
    """1 MiB of base64 that holds so many bytes for each packed one."""
    packed_bytes = (1 << 20) * 3 // 4
    assert Limits().decoded_bytes(packed_bytes) > packed_bytes * ratio


def test_a_number_bounds_the_bytes_alone() -> None:
    """For plugins that give one, and for whoever has to look into all that was sent."""
    payload = join_elements(*[EMPTY] * 3)
    assert payload_bytes(pack(payload), None, 200_000).decode() == payload
    with pytest.raises(TooLarge):
        payload_bytes(pack(payload), None, 100_000)
