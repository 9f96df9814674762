"""How many examples a property is tried with."""

from __future__ import annotations

from hypothesis import settings


def costly(times: int) -> settings:
    """Settings of a property whose examples take so many times longer than most: that part of the profile's number of them."""
    return settings(max_examples=settings().max_examples // times)
