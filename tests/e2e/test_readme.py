"""Every command of the README and of the tutorial does what they say: run in an empty folder, in the order in which they stand there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cost import rows
from streaming_app.config.emr import EmrSection
from streaming_app.demo.apps import APPS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    command.partition(" #")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    for command in block.strip().splitlines()
]
TUTORIAL = (ROOT / "docs/tutorial/first-lake.md").read_text()
STEP = re.compile(r'^```(?:console|yaml title="([^"]+)")\n(.*?)^```', flags=re.DOTALL | re.MULTILINE)
"""Commands, or a file's name and its text."""
# `make` targets are looked up in the Makefile and run as what they are; `make test` would be this very test.
MAKE = {"make demo": "clickstream demo", "make test": "pytest"}


def run(command: str, folder: Path) -> str:
    """A command as a user would give it, with this environment's scripts first on the PATH."""
    scripts = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200"}
    done = subprocess.run(
        shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2_000:]}{done.stderr[-2_000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each command printed."""
    folder = tmp_path_factory.mktemp("reader")
    found = {}
    for command in COMMANDS:
        if command in MAKE:
            assert MAKE[command] in run(f"make --dry-run -C {ROOT} {command.split()[1]}", folder)
        if command == "make test":
            continue
        found[command] = run(MAKE.get(command, command), folder)
        if command.startswith("clickstream config init"):
            _point_at_the_demo(folder)
    for file, text in STEP.findall(TUTORIAL):
        if file:
            (folder / file).write_text(text)
        for command in () if file else text.strip().splitlines():
            if command not in found:  # the README has run the demo
                found[command] = run(command, folder)
    return found


def _point_at_the_demo(folder: Path) -> None:
    """What the README asks for next: set source.uri, sink.uri, apps and the geo database."""
    config = folder / "conf" / "pipeline.yaml"
    text = config.read_text().replace("s3://my-bucket/raw/", f"{folder}/.demo/raw")
    apps = "".join(f"  {app_id}: {{transformer: {app.transformer}}}\n" for app_id, app in APPS.items() if app_id != "shop")
    text = text.replace("\napps:\n", f"\napps:\n{apps}")
    text = text.replace("s3://my-bucket/geo/GeoLite2-City.mmdb", f"{folder}/.demo/geo.mmdb")
    config.write_text(text.replace("s3://my-bucket/lake/", f"{folder}/mine"))


def test_there_are_commands_and_they_are_few() -> None:
    assert COMMANDS[:2] == ["make demo", "make test"]
    assert len(README.splitlines()) <= 100


def test_the_demo_prints_the_counts_of_the_readme(outputs: dict[str, str]) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", README, flags=re.MULTILINE))
    printed = dict(re.findall(r"^(\w+): ([\d,]+) rows$", outputs["make demo"], flags=re.MULTILINE))
    assert printed == rows
    [balance] = re.findall(r"^    (received .*)$", README, flags=re.MULTILINE)
    assert f"balance: {balance}" in outputs["make demo"]
    assert "nothing new to process" in outputs["make demo"]
    assert re.search(r"^wrote \S+/\.demo/report\.html \(", outputs["make demo"], flags=re.MULTILINE)


def test_ones_own_configuration_runs(outputs: dict[str, str]) -> None:
    own = outputs["clickstream run --config conf/pipeline.yaml"]
    [balance] = re.findall(r"^    (received .*)$", README, flags=re.MULTILINE)
    assert balance in own


def test_the_tutorial_prints_what_it_shows(outputs: dict[str, str]) -> None:
    """The balance of the run, what the replay did, and the events of each app."""
    balance, replayed = re.findall(r"^    (\w+ [\d,]+.*)$", TUTORIAL, flags=re.MULTILINE)
    assert balance in outputs["clickstream run --config my-lake/pipeline.yaml"]
    assert replayed in outputs["clickstream replay --reason malformed_event --config my-lake/pipeline.yaml"]
    [by_app] = [text for command, text in outputs.items() if "app_id, count(*) AS events" in command]
    rows = re.findall(r"^\| ([\w-]+) \| (\d+) \|$", TUTORIAL, flags=re.MULTILINE)
    assert re.findall(r"^│ ([\w-]+) +│ (\d+) +│$", by_app, flags=re.MULTILINE) == rows


def test_looks_show_rows(outputs: dict[str, str]) -> None:
    looks = {each: outputs[each] for each in COMMANDS if each.startswith(("clickstream inspect", "clickstream sql"))}
    assert len(looks) == 3
    assert all("rows" in text or "_page_view" in text for text in looks.values())


def test_the_configuration_shown_is_the_minimal_one() -> None:
    [shown] = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    bare = [line.partition(" #")[0].rstrip() for line in shown.splitlines()]
    minimal = [line.partition(" #")[0].rstrip() for line in (ROOT / "conf/pipeline.minimal.yaml").read_text().splitlines()]
    assert [line for line in minimal if not line.startswith("#")] == bare


def test_the_commands_on_aws_are_those_of_the_guide() -> None:
    """The guide's own commands are held against the template by tests of the template."""
    [shown] = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    assert shown in (ROOT / "docs/how-to/deploy.md").read_text()
    assert "clickstream package" in run(f"make --dry-run -C {ROOT} package", ROOT)


def test_the_cost_is_that_of_the_model() -> None:
    hourly = {volume: cells for volume, _, schedule, *cells in rows(EmrSection()) if schedule == "hourly"}
    (*_, small_month, _, _), (*_, month, per_gb, _) = hourly["10"], hourly["1,000"]
    shown = re.sub(r"\s+", " ", README)
    assert f"${small_month} a month for hourly runs of 10 GB a day with 1,000,000 stored users," in shown
    assert f"${month} of 1,000 GB with 100,000,000 (${per_gb} a GB;" in shown


def test_documentation_of_the_tables_is_the_contract(outputs: dict[str, str]) -> None:
    assert run("clickstream tables describe", ROOT).strip() in (ROOT / "docs/reference/tables.md").read_text()


def test_no_uv_no_environment_needed_for_make() -> None:
    assert shutil.which("make")
    assert (
        "python3 -m venv .uv" in run(f"make --dry-run -C {ROOT} UV=.uv/bin/uv .uv/bin/uv", ROOT) or (ROOT / ".uv/bin/uv").exists()
    )
