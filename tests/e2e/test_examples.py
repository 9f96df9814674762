"""The examples of plugins are packages of their own: installed as a user would, found by name, and part of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.raw import NOW, event, line, write

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("segment_transformer", "reference_enricher")
SCRIPTS = Path(sys.executable).parent
SENT = "2026-05-28T20:26:3{}Z"  # some seconds before NOW
CALLS = [
    {"type": "identify", "messageId": "m-1", "originalTimestamp": SENT.format(0), "traits": {"plan": "gold"}},
    {"type": "page", "messageId": "m-2", "timestamp": SENT.format(1), "context": {"page": {"url": "https://shop.example/"}}},
    {"type": "track", "messageId": "m-3", "timestamp": SENT.format(2), "event": "Order", "properties": {"revenue": 7}},
    {"type": "alias", "messageId": "m-4", "timestamp": SENT.format(3)},
]
BATCH = {"batch": [{"anonymousId": "a-1", **call} for call in CALLS], "sentAt": "2026-05-28T20:26:40Z"}
CONFIG = """
project_id: examples
source: {{uri: {0}/raw}}
sink: {{uri: {0}/lake}}
apps:
  shop: {{transformer: clickstream_sdk}}
  segments: {{transformer: segment}}
enrichers:
  - reference: {{uri: {0}/apps.csv, key: app, match: app_id, columns: {{team: geo_metro}}}}
spark: {{conf: {{spark.sql.shuffle.partitions: "1"}}}}
"""


class Environment:
    """Processes that see both packages, installed beside this environment and not into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._variables = {**os.environ, "PYTHONPATH": str(folder / "site")}
        # No index is asked and nothing else is installed: the build backend is one of the development dependencies.
        options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
        packages = [str(EXAMPLES / name) for name in NAMES]
        self(sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site"), *packages)

    def __call__(self, *command: str, code: int = 0) -> str:
        """Output of a command, errors included."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(command, cwd=self.folder, env=self._variables, text=True, timeout=300, check=False, **pipes)
        assert done.returncode == code, done.stdout[-3_000:]
        return done.stdout

    def clickstream(self, *arguments: str, code: int = 0) -> str:
        return self(str(SCRIPTS / "clickstream"), *arguments, code=code)

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.clickstream(*arguments, "--json").splitlines()]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("examples"))
    folder = environment.folder
    (folder / "c.yaml").write_text(CONFIG.format(folder))
    (folder / "apps.csv").write_text("app,team\nsegments,growth\n")
    write(folder / "raw", "a.gz", line(json.dumps(BATCH), appId="segments"), line(event("sdk"), rid="r-2"))
    return environment


@pytest.mark.parametrize("name", NAMES)
def test_its_own_tests_pass_where_it_is_installed(name: str, environment: Environment) -> None:
    output = environment(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(EXAMPLES / name / "tests"))
    assert " passed" in output


@pytest.mark.parametrize("module", [*EXAMPLES.glob("*/src/*/*.py")], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_it_is_short(module: Path) -> None:
    assert len(module.read_text().splitlines()) < 60


def test_they_are_listed(environment: Environment) -> None:
    found = {(row["kind"], row["name"]): row for row in environment.rows("plugins", "list")}
    transformer, enricher = found["transformer", "segment"], found["enricher", "reference"]
    assert (transformer["class"], transformer["distribution"]) == ("segment_transformer:Segment", "segment-transformer 0.1.0")
    assert (enricher["class"], enricher["distribution"]) == ("reference_enricher:Reference", "reference-enricher 0.1.0")
    assert transformer["says"].startswith("Track, page, screen and identify calls")
    assert ("transformer", "clickstream_sdk") in found


def test_they_are_checked_by_name(environment: Environment) -> None:
    raw = next(environment.folder.glob("raw/**/*.gz"))
    assert "ok  makes whole events" in environment.clickstream("plugins", "check", "segment", "--requests", str(raw))
    options = {"uri": "apps.csv", "key": "app", "match": "app_id", "columns": {"team": "geo_metro"}}
    assert "ok  fills the columns" in environment.clickstream("plugins", "check", "reference", "--options", json.dumps(options))
    refused = json.dumps({**options, "columns": {"team": "geo_metre"}})
    output = environment.clickstream("plugins", "check", "reference", "--options", refused, code=2)
    assert "reference refuses its options: columns.team: is no column of event" in output


def test_a_run_uses_both(environment: Environment) -> None:
    environment.clickstream("run", "--config", "c.yaml")
    columns = "event_id, event_name, user_pseudo_id, event_value, page_view_hostname AS host, geo_metro AS team"
    rows = environment.rows("sql", f"SELECT {columns}, epoch_ms(event_timestamp) AS ms FROM event ORDER BY 1", "-c", "c.yaml")
    assert [tuple(row.values()) for row in rows] == [
        ("m-1", "_profile_set", "a-1", None, None, "growth", NOW - 10_000),
        ("m-2", "_page_view", "a-1", None, "shop.example", "growth", NOW - 9_000),
        ("m-3", "Order", "a-1", 7.0, None, "growth", NOW - 8_000),
        ("sdk", "_page_view", "u-1", None, "shop.example", None, NOW - 1_000),
    ]
    [user] = environment.rows(
        "sql", "SELECT user_properties_json_str AS p FROM \"user\" WHERE app_id = 'segments'", "-c", "c.yaml"
    )
    assert json.loads(user["p"]) == {"plan": {"value": "gold", "set_time_msec": NOW - 10_000}}
    [refused] = environment.rows("sql", "SELECT reason, message FROM quarantine", "-c", "c.yaml")
    assert refused == {"reason": "malformed_event", "message": "type 'alias' is none of track, page, screen, identify"}
