"""Streams are closed side by side, a bounded number at a time, and no error of one is lost."""

from __future__ import annotations

from threading import Barrier

import pytest

from streaming_app.storage import uploads
from streaming_app.storage.uploads import Uploads


class Stream:
    """``together`` streams are closed only all at once."""

    def __init__(self, together: Barrier | None = None, error: OSError | None = None) -> None:
        self.together, self.error, self.is_closed = together, error, False

    def close(self) -> None:
        if self.together:
            self.together.wait(30)
        if self.error:
            raise self.error
        self.is_closed = True


@pytest.mark.parametrize("in_threads", [True, False])
def test_all_are_closed_after_the_wait(in_threads: bool) -> None:
    streams = [Stream() for _ in range(50)]
    closing = Uploads(in_threads=in_threads)
    for stream in streams:
        closing.close(stream)
    closing.wait()
    assert all(stream.is_closed for stream in streams)


def test_as_many_as_allowed_wait_at_a_time() -> None:
    together = Barrier(uploads._SIDE_BY_SIDE)
    streams = [Stream(together) for _ in range(2 * uploads._SIDE_BY_SIDE)]
    closing = Uploads(in_threads=True)
    for stream in streams:
        closing.close(stream)
    closing.wait()
    assert all(stream.is_closed for stream in streams)


@pytest.mark.parametrize("position", [0, 17, 49])
@pytest.mark.parametrize("in_threads", [True, False])
def test_an_error_of_any_is_raised(position: int, in_threads: bool) -> None:
    closing = Uploads(in_threads=in_threads)
    error = OSError("SlowDown")
    with pytest.raises(OSError, match="SlowDown"):
        close_all([Stream(error=error if number == position else None) for number in range(50)], closing)


def close_all(streams: list[Stream], closing: Uploads) -> None:
    for stream in streams:
        closing.close(stream)
    closing.wait()
