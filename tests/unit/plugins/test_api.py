"""What plugin authors may import: each function, class and method has a docstring."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from streaming_app import api

PUBLIC = {name: getattr(api, name) for name in api.__all__ if callable(getattr(api, name))}


def public_methods(value: Any) -> list[tuple[str, Any]]:
    members = vars(value).items() if inspect.isclass(value) else []
    return [(name, member) for name, member in members if inspect.isfunction(member) and not name.startswith("_")]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_docstrings(name: str) -> None:
    assert inspect.getdoc(PUBLIC[name])
    assert [method for method, member in public_methods(PUBLIC[name]) if not inspect.getdoc(member)] == []
