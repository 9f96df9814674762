"""How long buckets keep old versions of objects, by their versioning and the rules of their lifecycle.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from streaming_app.storage.files import Storage
from streaming_app.storage.s3_objects import S3Objects
from streaming_app.storage.uris import absolute, bucket_and_key, is_s3

_NO_LIFECYCLE = "NoSuchLifecycleConfiguration"


@dataclass(frozen=True)
class OldVersions:
    """``days`` for which old versions stay, 0 where there are none; None where that is without end, or cannot be known.

    ``unknown`` says what could not be read.
    """

    days: int | None
    bucket: str = ""
    unknown: str = ""

    @property
    def description(self) -> str:
        """One line for the operator."""
        if self.unknown:
            return f"whether the bucket {self.bucket} keeps old versions of objects: {self.unknown}"
        return f"the bucket {self.bucket} keeps old versions of objects, and no rule of its lifecycle removes all of them"


def old_versions(folders: Iterable[str], storage: Storage) -> list[OldVersions]:
    """What the buckets of some folders keep of objects in these, one of each bucket: the longest time."""
    longest: dict[str, OldVersions] = {}
    buckets = _Buckets(storage)
    for folder in folders:
        if is_s3(folder):
            bucket, key = bucket_and_key(absolute(folder))
            found = buckets.old_versions(bucket, f"{key}/" if key else "")
            known = longest.setdefault(bucket, found)
            if known.days is not None and (found.days is None or found.days > known.days):
                longest[bucket] = found
    return list(longest.values())


class _Buckets:
    def __init__(self, storage: Storage) -> None:
        self._client = S3Objects.connect(storage.endpoint, storage.region).client
        self._settings = cache(self._read)

    def old_versions(self, bucket: str, prefix: str) -> OldVersions:
        versioned, rules, unknown = self._settings(bucket)
        if unknown:
            return OldVersions(None, bucket, unknown)
        return OldVersions(removal_days(rules, prefix) if versioned else 0, bucket)

    def _read(self, bucket: str) -> tuple[bool, list[dict[str, Any]], str]:
        """Whether there may be old versions, the rules of the lifecycle, and what could not be read."""
        try:
            # Where versioning was suspended, the versions of before are still there.
            versioned = "Status" in self._client.get_bucket_versioning(Bucket=bucket)
        except (ClientError, BotoCoreError) as error:
            return True, [], f"its versioning cannot be read ({_code(error)}; s3:GetBucketVersioning)"
        if not versioned:
            return False, [], ""
        try:
            return True, self._client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"], ""
        except (ClientError, BotoCoreError) as error:
            if _code(error) == _NO_LIFECYCLE:
                return True, [], ""
            return True, [], f"it keeps them, for how long cannot be read ({_code(error)}; s3:GetLifecycleConfiguration)"


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def removal_days(rules: list[dict[str, Any]], prefix: str) -> int | None:
    """Days after which rules remove old versions of all objects below a prefix; None where none does."""
    return min((days for rule in rules if (days := _days_of_rule(rule, prefix)) is not None), default=None)


def _days_of_rule(rule: dict[str, Any], prefix: str) -> int | None:
    expiration = rule.get("NoncurrentVersionExpiration") or {}
    if rule.get("Status") != "Enabled" or "NoncurrentDays" not in expiration or expiration.get("NewerNoncurrentVersions"):
        return None  # a rule that leaves some number of versions leaves the last ones for ever
    filters: dict[str, Any] = dict(rule.get("Filter") or {})
    filters |= filters.pop("And", None) or {}
    only_below = filters.pop("Prefix", None) or rule.get("Prefix") or ""
    if any(filters.values()) or not prefix.startswith(only_below):
        return None  # by tags or sizes, or elsewhere
    return int(expiration["NoncurrentDays"])
