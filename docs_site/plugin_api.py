"""The reference page of the plugin API, from the docstrings of ``streaming_app.api`` and ``streaming_app.testing``."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from types import ModuleType
from typing import Any

import msgspec

from streaming_app import api, testing
from streaming_app.model.columns import columns_of

_HEAD = """# Plugin API

What a transformer, an enricher or their tests may import. Generated from the docstrings by `make reference`; a test compares.
[Write a plugin](../how-to/plugins.md) is the guide; all other modules may change without notice.
"""


def plugin_api_page() -> str:
    """Return the page as Markdown: a section for each public name."""
    return "".join([_HEAD, *_module("streaming_app.api", api), *_module("streaming_app.testing", testing)])


def _module(name: str, module: ModuleType) -> Iterator[str]:
    yield f"\n## {name}\n\n{_prose(module.__doc__)}\n"
    for each in module.__all__:
        yield f"\n### {each}\n\n{_about(each, getattr(module, each))}\n"


def _about(name: str, value: Any) -> str:
    """Signature, docstring, fields and methods."""
    if inspect.isclass(value) and issubclass(value, Enum):
        return f"{_prose(value.__doc__)}\n\n{', '.join(f'`{each.value}`' for each in value)}"
    if inspect.isclass(value) and issubclass(value, BaseException):
        return f"Exception, derived from `{value.__mro__[1].__name__}`. {_prose(value.__doc__)}"
    if inspect.isclass(value):
        return "\n\n".join([_prose(value.__doc__), *_fields(value), *_methods(value)])
    if inspect.isfunction(value):
        return f"```python\n{name}{_signature(value)}\n```\n\n{_prose(value.__doc__)}"
    return _prose(_literal_below(name))


def _fields(value: type[Any]) -> Iterator[str]:
    """The fields of a row class that no table has, or all fields of another class with annotations."""
    columns: list[str] = []
    if issubclass(value, msgspec.Struct):
        columns = [each.name for each in columns_of(value)]
    kinds = inspect.get_annotations(value)
    own = [name for name in kinds if not name.startswith("_") and name not in columns]
    if columns:
        listed = f"`{columns[0]}` to `{columns[-1]}`"
        yield f"{len(columns)} fields are columns, from {listed}: [Tables](tables.md) has their types and meanings."
    if own:
        listed = "\n".join(f"- `{name}`: `{kinds[name]}`" for name in own)
        yield f"{'Other fields' if columns else 'Fields'}:\n\n{listed}"


def _methods(value: type[Any]) -> Iterator[str]:
    for name, method in vars(value).items():
        if inspect.isfunction(method) and not name.startswith("_") and method.__module__ == value.__module__:
            yield f"`{name}{_signature(method)}`\n\n{_prose(method.__doc__)}".strip()


class _Annotation(str):
    """An annotation as it is written: its representation has no quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _signature(function: Any) -> str:
    found = inspect.signature(function)
    parameters = [each.replace(annotation=_written(each.annotation)) for each in found.parameters.values()]
    return str(found.replace(parameters=parameters, return_annotation=_written(found.return_annotation)))


def _written(annotation: Any) -> Any:
    return _Annotation(annotation) if isinstance(annotation, str) else annotation


def _literal_below(name: str) -> str:
    """The string literal below a constant, in the API's module or in the one that it is imported from."""
    source = inspect.getsource(api)
    if origin := re.search(rf"^from (\S+) import .*\b{name}\b", source, re.MULTILINE):
        source += inspect.getsource(importlib.import_module(origin[1]))
    below = re.search(rf'^{name} = .*\n"""(.*?)"""', source, re.MULTILINE | re.DOTALL)
    return below[1] if below else ""


def _prose(docstring: str | None) -> str:
    """A docstring as Markdown: literals, roles, sections such as ``Raises``, definitions and examples."""
    parts = re.split(r"(```.*?```)", inspect.cleandoc(docstring or ""), flags=re.DOTALL)
    return "\n\n".join(part if part.startswith("```") else _paragraphs(part) for part in parts if part.strip())


def _paragraphs(text: str) -> str:
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text.strip()).replace("<", "&lt;")
    text = re.sub(r"(?<!`)``(?!`)", "`", text)
    paragraphs = re.split(r"\n\n(?![ ])|\n(?=(?:Args|Returns|Raises):)", text)
    return "\n\n".join(_paragraph(each.splitlines()) for each in paragraphs if each.strip())


def _paragraph(lines: list[str]) -> str:
    if lines[0].startswith(">>>"):
        body = "\n".join(lines).replace("&lt;", "<")
        return f"```python\n{body}\n```"
    if lines[0] in ("Args:", "Raises:"):
        return f"{lines[0]}\n\n" + "\n".join(_items(lines[1:]))
    if lines[0] == "Returns:":
        return f"Returns: {' '.join(each.strip() for each in lines[1:])}"
    if len(lines) > 1 and any(each.startswith("    ") for each in lines):
        return "\n".join(_definitions(lines))
    return "\n".join(lines)


def _items(lines: Iterable[str]) -> Iterator[str]:
    """Indented lines ``name: meaning``, a meaning over several lines being indented further."""
    for line in lines:
        name, colon, meaning = line.strip().partition(": ")
        is_new = colon and not line.startswith("     ") and all(each.strip().isidentifier() for each in name.split(","))
        yield f"- `{name}`: {meaning}" if is_new else f"  {line.strip()}"


def _definitions(lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield f"  {line.strip()}" if line.startswith("    ") else f"- {line}  "
