"""From a model's complaints to what a user reads: the path of the key, what is wrong with it, and what it could be."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from ruamel.yaml.comments import CommentedMap


class ResolvedSecret(str):
    """A secret that a reference in the configuration named: messages do not repeat it."""

    __slots__ = ()


KeyPath = tuple[str | int, ...]
Problem = tuple[KeyPath, str]
"""Path of a key in the configuration, and what is wrong there."""


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every complaint of a model about a document."""
    problems = [(_without_branches(each["loc"], model), each) for each in error.errors()]
    return [(path, _message(path, each, model)) for path, each in problems]


def format_problem(document: Any, path: KeyPath, message: str) -> str:
    """``line: key.path: message``, the line being that of the nearest key that is there."""
    line, here = 1, document
    for key in path:
        try:
            line = here.lc.key(key)[0] + 1 if isinstance(here, CommentedMap) else here.lc.item(key)[0] + 1
            here = here[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return f"{line}: {'.'.join(map(str, path)) or 'file'}: {message}"


def _message(path: KeyPath, error: Any, model: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        return f"unknown key{_suggestion(path, model)}"
    if error["type"] == "missing":
        return "is required"
    given = error.get("input")
    is_secret = isinstance(given, ResolvedSecret) or _is_secret(path, model)
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) and not is_secret else ""
    message: str = error["msg"].removeprefix("Value error, ").replace("valid tuple", "valid list")
    return message.partition(" or instance of ")[0] + shown


def _is_secret(path: KeyPath, model: type[BaseModel]) -> bool:
    """Whether a key takes a secret, or a section with one: what is written there is not repeated."""
    field = _section(path[:-1], model).model_fields.get(str(path[-1])) if path else None
    return field is not None and _takes_secret(field.annotation)


def _takes_secret(annotation: Any) -> bool:
    waiting, seen = [annotation], set[str]()  # sections may be nested in themselves
    while waiting:
        each = waiting.pop()
        if each is SecretStr:
            return True
        if repr(each) not in seen:
            seen.add(repr(each))
            waiting += getattr(each, "__args__", ())
            waiting += [field.annotation for model in _models(each) for field in model.model_fields.values()]
    return False


def _suggestion(path: KeyPath, model: type[BaseModel]) -> str:
    known = sorted(_section(path[:-1], model).model_fields)
    close = get_close_matches(str(path[-1]), known, n=1)
    return f", did you mean {close[0]!r}?" if close else f"; known here: {', '.join(known)}"


def _section(path: KeyPath, model: type[BaseModel]) -> type[BaseModel]:
    """The model that the keys below ``path`` belong to."""
    for key in path:
        field = model.model_fields.get(str(key))
        if field is None:
            continue  # a key the user chose, such as an app's id
        model = next((kind for kind in _models(field.annotation)), model)
    return model


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models in a type such as ``dict[str, App]`` or ``str | list[DatabaseOptions]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]


def _without_branches(path: KeyPath, model: type[BaseModel]) -> KeyPath:
    """The path as the user wrote it: pydantic puts the name of each tried branch of a union in between."""
    names = {each.__name__ for each in _below(model, set())} | {"str", "int", "float", "bool", "none"}
    return tuple(key for key in path if key not in names and not str(key).startswith(("list[", "dict[", "function-")))


def _below(model: type[BaseModel], found: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """The model and all that are in it."""
    if model not in found:
        found.add(model)
        for field in model.model_fields.values():
            for each in _models(field.annotation):
                _below(each, found)
    return found
