"""Secrets of AWS Secrets Manager and parameters of AWS Systems Manager, by references; each is read once in a process."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from streaming_app.errors import ConfigError
from streaming_app.storage.aws_environment import client_key

SECRETS_MANAGER, PARAMETER_STORE = "secretsmanager:", "ssm:"
"""How references begin."""


def read_secret(reference: str) -> str:
    """The secret that a reference names, see :mod:`streaming_app.config.references`.

    Raises:
        ConfigError: it is not there, may not be read, or is no text.
    """
    return _read(reference, client_key())


@lru_cache(maxsize=64)
def _read(reference: str, _key: tuple[object, ...]) -> str:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - boto3 takes a third of a second

    try:
        if reference.startswith(SECRETS_MANAGER):
            return _of_secrets_manager(*reference.removeprefix(SECRETS_MANAGER).partition("#")[::2])
        return _of_parameter_store(reference.removeprefix(PARAMETER_STORE))
    except (ClientError, BotoCoreError) as error:
        raise ConfigError(f"{reference}: cannot be read: {error}", _HINT) from None


_HINT = "check its name and region, and the right of this role to read it (SecretArns of the stack)"


def _of_secrets_manager(name: str, key: str) -> str:
    answer = _client("secretsmanager", name).get_secret_value(SecretId=name)
    if (text := answer.get("SecretString")) is None:
        raise ConfigError(f"{SECRETS_MANAGER}{name}: is binary", "store it as text")
    if not key:
        return str(text)
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get(key), str):
        raise ConfigError(
            f"{SECRETS_MANAGER}{name}: is no JSON object with a text of the key {key!r}", "check what follows the #"
        )
    return str(found[key])


def _of_parameter_store(name: str) -> str:
    return str(_client("ssm", name).get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])


def _client(service: str, name: str) -> Any:
    """A client in the region of an ARN, or in that of the environment."""
    import boto3  # noqa: PLC0415 - as above

    parts = name.split(":")
    region = parts[3] if name.startswith("arn:") and len(parts) > 3 else None
    session = boto3.Session()
    return session.client("ssm", region_name=region) if service == "ssm" else session.client("secretsmanager", region_name=region)
