"""References to secrets, which stand in the configuration in place of the secrets themselves.

``secretsmanager:NAME`` is a secret of AWS Secrets Manager by its name or ARN, ``secretsmanager:NAME#KEY`` one of its keys if it
is a JSON object, ``ssm:NAME`` a parameter of AWS Systems Manager. Any text of the configuration may be one, but for the section
``emr``: the submitter reads it, which knows no secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from streaming_app.config.problems import KeyPath, Problem, ResolvedSecret
from streaming_app.errors import ConfigError
from streaming_app.storage.aws_secrets import PARAMETER_STORE, SECRETS_MANAGER

NOT_RESOLVED = "emr"

Resolve = Callable[[str], str]
"""From a reference to the secret; raises ConfigError."""


def is_reference(text: object) -> bool:
    """Whether a value of the configuration is a reference.

    >>> is_reference("ssm:/clickstream/key"), is_reference("a key of 16 and more")
    (True, False)
    """
    return isinstance(text, str) and text.startswith((SECRETS_MANAGER, PARAMETER_STORE))


def resolve_references(document: Any, resolve: Resolve) -> Iterator[Problem]:
    """Put secrets in the place of their references, in the document itself; yields what cannot be resolved."""
    for holder, key, path in list(_references(document, (), set())):
        try:
            holder[key] = ResolvedSecret(resolve(holder[key]))
        except ConfigError as error:
            yield path, f"{error} ({error.hint})"


def _references(value: Any, path: KeyPath, seen: set[int]) -> Iterator[tuple[Any, Any, KeyPath]]:
    """Where references are: the mapping or list, the key in it, and the path. What aliases of YAML repeat is searched once: a few
    lines of them can stand for billions of values."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        entries = [(key, each) for key, each in value.items() if path or key != NOT_RESOLVED]
    elif isinstance(value, list):
        entries = list(enumerate(value))
    else:
        return
    for key, each in entries:
        if is_reference(each):
            yield value, key, (*path, key)
        else:
            yield from _references(each, (*path, key), seen)
