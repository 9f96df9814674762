"""The AWS identity of this process."""

from __future__ import annotations

import boto3
from botocore.config import Config

_IMPATIENT = Config(connect_timeout=5, read_timeout=5, retries={"mode": "standard", "max_attempts": 1})
"""Short timeouts: people wait for the answer, and nothing depends on it."""


def identity(region: str | None) -> str:
    """The ARN of the role or user. Needs no permission.

    Raises:
        botocore.exceptions.BotoCoreError: no credentials, no region, no network.
        botocore.exceptions.ClientError: they are not valid.
    """
    return str(boto3.client("sts", region_name=region, config=_IMPATIENT).get_caller_identity()["Arn"])
