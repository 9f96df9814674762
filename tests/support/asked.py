"""Which cases of a table are asked for: what is prepared for all of them at once is prepared for no others."""

from __future__ import annotations

from typing import Any

import pytest


def asked_for(request: pytest.FixtureRequest, name: str) -> list[Any]:
    """Values of a parameter in the tests of the fixture's module that this process may run, in their order."""
    here = (item for item in request.session.items if item.path == request.path)
    params = (item.callspec.params for item in here if isinstance(item, pytest.Function) and hasattr(item, "callspec"))
    return list(dict.fromkeys(each[name] for each in params if name in each))
