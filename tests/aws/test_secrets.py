"""Secrets by reference: from AWS's services by their own protocol, each asked for once, and never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from streaming_app.cli import _exit_code
from streaming_app.errors import ConfigError
from streaming_app.plugins.load_config import load_config, load_settings
from streaming_app.storage import aws_secrets
from streaming_app.storage.any_objects import AnyObjects
from submitter.decide import read_configuration
from tests.support.moto import REGION

KEY = "a key of 16 and more"
NAMES = {
    "secretsmanager:clickstream/plain": KEY,
    "secretsmanager:clickstream/json#hash_key": KEY,
    "ssm:/clickstream/key": KEY,
}


@pytest.fixture(scope="module")
def arn(endpoint: str) -> str:
    """Of a secret; there are others, of every kind."""
    manager = boto3.client("secretsmanager", region_name=REGION)
    made = manager.create_secret(Name="clickstream/plain", SecretString=KEY)
    manager.create_secret(Name="clickstream/json", SecretString=json.dumps({"hash_key": KEY, "number": 1}))
    manager.create_secret(Name="clickstream/short", SecretString="SECRET-short")
    manager.create_secret(Name="clickstream/binary", SecretBinary=b"SECRET")
    boto3.client("ssm", region_name=REGION).put_parameter(Name="/clickstream/key", Value=KEY, Type="SecureString")
    return str(made["ARN"])


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def written(privacy: str, more: str = "") -> str:
        path = tmp_path / "pipeline.yaml"
        path.write_text(
            f"project_id: t\nsource: {{uri: {tmp_path}/raw}}\nsink: {{uri: {tmp_path}/lake}}\n"
            f"apps: {{shop: {{transformer: clickstream_sdk}}}}\nprivacy: {{ip: hash, hash_key: '{privacy}'}}\n{more}"
        )
        return str(path)

    return written


@pytest.fixture(autouse=True)
def no_answer_of_before() -> None:
    aws_secrets._read.cache_clear()


@pytest.mark.parametrize("reference", [*NAMES, "arn"])
def test_a_reference_becomes_the_key(reference: str, arn: str, write: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = write(f"secretsmanager:{arn}" if reference == "arn" else reference)
    assert load_config(path).privacy.key() == KEY
    assert not caplog.messages
    assert KEY not in repr(load_config(path))


def test_it_is_asked_for_once(arn: str, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("ssm:/clickstream/key")
    load_config(path)
    monkeypatch.setattr(aws_secrets, "_client", lambda *_: pytest.fail("asked again"))
    assert load_config(path).privacy.key() == KEY


def test_who_needs_no_secret_reads_none(arn: str, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The submitter's role may not, and neither may whoever looks at tables; taken for the key, the reference would be one."""
    monkeypatch.setattr(aws_secrets, "_client", lambda *_: pytest.fail("asked"))
    path = write("ssm:/clickstream/key")
    for config in (load_settings(path), read_configuration(path, AnyObjects())):
        with pytest.raises(ConfigError, match="a reference that was not resolved"):
            config.privacy.key()


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("secretsmanager:clickstream/missing", "cannot be read: .*ResourceNotFound"),
        ("ssm:/clickstream/missing", "cannot be read: .*ParameterNotFound"),
        ("secretsmanager:clickstream/json#other", "no JSON object with a text of the key 'other'"),
        ("secretsmanager:clickstream/json#number", "no JSON object with a text of the key 'number'"),
        ("secretsmanager:clickstream/plain#key", "no JSON object with a text of the key 'key'"),
        ("secretsmanager:clickstream/binary", "is binary"),
        ("secretsmanager:clickstream/short", "a key has 16 characters or more"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_without_the_secret(
    reference: str, says: str, arn: str, write: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(reference)
    with pytest.raises(ConfigError, match=rf"pipeline.yaml:5: privacy.hash_key: .*{says}"):
        load_config(path)
    assert _exit_code(["config", "validate", "--config", path], debug=True) == 2
    assert "SECRET" not in "".join(capfd.readouterr())


def test_other_texts_may_be_references_too(arn: str, write: Any) -> None:
    path = write(KEY, "spark: {conf: {spark.a: 'ssm:/clickstream/key'}}\nemr: {tags: {key: 'ssm:/clickstream/key'}}\n")
    config = load_config(path)
    assert config.spark.conf == {"spark.a": KEY}
    assert config.emr.tags == {"key": "ssm:/clickstream/key"}, "the submitter reads it, which knows no secrets"


def test_a_secret_at_a_wrong_place_is_not_told(arn: str, write: Any) -> None:
    path = write(KEY, "rules: {freshness_hours: 'ssm:/clickstream/key'}\n")
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert "rules.freshness_hours" in str(error.value)
    assert KEY not in str(error.value)


def test_a_key_in_the_file_is_warned_of(write: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert load_config(write(KEY)).privacy.key() == KEY
    assert "secretsmanager:NAME or ssm:NAME keeps it out" in caplog.text
    assert KEY not in caplog.text
