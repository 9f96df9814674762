"""The audit knows an erased person by a digest that no reader of the tables can try ids against."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from streaming_app.commands.erase.audit_key import audit_key, find_audit_key
from streaming_app.commands.erase.person import Person
from streaming_app.environment import open_lake
from tests.support.lake import config_for

PERSON = Person("shop", user_id="jane@example.com")
SECRET, OTHER = "a-secret-of-16-chars-or-more", "another-secret-of-16-chars"


def test_the_key_is_random_private_and_stays(tmp_path: Path) -> None:
    config = config_for(tmp_path)
    storage = open_lake(config).storage
    assert find_audit_key(config, storage) is None
    assert not (tmp_path / "lake").exists()
    with ThreadPoolExecutor(8) as all_at_once:
        keys = set(all_at_once.map(lambda _: audit_key(config, storage), range(8)))
    assert keys == {find_audit_key(config, storage)}
    assert stat.S_IMODE((tmp_path / "lake/_checkpoints/audit_key").stat().st_mode) == 0o600
    other = config_for(tmp_path / "other")
    assert PERSON.digest(audit_key(other, storage)) != PERSON.digest(*keys)


def test_the_key_of_the_configuration_is_used(tmp_path: Path) -> None:
    """Not as it is: a digest of the audit says nothing of a hashed address, nor the other way round."""
    config = config_for(tmp_path, f"privacy: {{ip: hash, hash_key: {SECRET}}}\n")
    storage = open_lake(config).storage
    key = audit_key(config, storage)
    assert (
        key == find_audit_key(config, storage) == audit_key(config_for(tmp_path, f"privacy: {{hash_key: {SECRET}}}\n"), storage)
    )
    assert key != audit_key(config_for(tmp_path, f"privacy: {{hash_key: {OTHER}}}\n"), storage)
    assert key not in (SECRET.encode(), hashlib.blake2b(SECRET.encode(), digest_size=32).digest())
    assert not (tmp_path / "lake").exists()


def test_the_project_is_no_key(tmp_path: Path) -> None:
    config = config_for(tmp_path)
    digest = PERSON.digest(audit_key(config, open_lake(config).storage))
    guesses = [b"", config.project_id.encode(), b"shop", config.sink.uri.encode()[:64]]
    assert digest not in [PERSON.digest(guess) for guess in guesses]
