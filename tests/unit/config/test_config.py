"""A configuration is taken as it is meant or refused with every problem, its line, its path and a remedy; never half taken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from streaming_app.config.model import AppSection, Config, LimitsSection, RulesSection, Section
from streaming_app.config.shipped_files import conf_file
from streaming_app.enrichers.ip.options import IpOptions
from streaming_app.enrichers.traffic_source.options import TrafficSourceOptions
from streaming_app.enrichers.user_agent.options import UserAgentOptions
from streaming_app.errors import ConfigError
from streaming_app.plugins.load_config import load_config, parse_config
from streaming_app.plugins.registry import ENRICHERS, TRANSFORMERS, make_transformer
from streaming_app.plugins.transformer import Limits
from streaming_app.storage.uris import absolute

REFERENCE = conf_file("pipeline.reference.yaml")
GOOD = """project_id: demo
source: {uri: /raw}
sink: {uri: /lake}
apps:
  shop: {transformer: clickstream_sdk}
"""


class NoTransform:
    """A class that is no transformer."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits


class Picky(NoTransform):
    """A transformer with an option of its own."""

    def __init__(self, limits: Limits, colour: str = "red") -> None:
        super().__init__(limits)
        if colour != "red":
            raise ValueError(f"no colour {colour}")

    def transform(self, request: object) -> list[Any]:
        return [request]


def good(*more: str, **replaced: str) -> str:
    """The good configuration with some texts in it replaced, and further lines."""
    text = GOOD
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    return text + "".join(f"{each}\n" for each in more)


def list_installed(group: str) -> str:
    return ", ".join(sorted(each.name for each in entry_points(group=group))) or "none"


TOP_KEYS = ", ".join(sorted(Config.model_fields))
CLASS = "apps.shop.transformer"
NAN = "Input should be a valid number, unable to parse string as a number"

# name: (YAML, the problems without the file's name; "…" stands for words of a library)
BAD: dict[str, tuple[str, list[str]]] = {
    "unknown key": (
        good("rules:", "  freshnes_hours: 3"),
        ["7: rules.freshnes_hours: unknown key, did you mean 'freshness_hours'?"],
    ),
    "unknown section": (good("", "zzz: 1"), [f"7: zzz: unknown key; known here: {TOP_KEYS}"]),
    "unknown key of an app": (
        good(shop="Shop", transformer="transfomer"),
        ["5: apps.Shop.transformer: is required", "5: apps.Shop.transfomer: unknown key, did you mean 'transformer'?"],
    ),
    "missing": (
        "project_id: demo\nsource: {}\n",
        ["2: source.uri: is required", "1: sink: is required", "1: apps: is required"],
    ),
    "empty text": (good(demo='""'), ["1: project_id: String should have at least 1 character (given: '')"]),
    "too long": (good(demo="x" * 256), [f"1: project_id: String should have at most 255 characters (given: '{'x' * 256}')"]),
    "number for text": (good(demo="7"), ["1: project_id: Input should be a valid string (given: 7)"]),
    "text for a number": (good("rules: {freshness_hours: long}"), [f"6: rules.freshness_hours: {NAN} (given: 'long')"]),
    "text for a section": (good("s3: here"), ["6: s3: Input should be a valid dictionary (given: 'here')"]),
    "nothing in a section": (good("s3:"), ["6: s3: Input should be a valid dictionary"]),
    "out of bounds": (
        good("dedupe: {neighbour_days: -1}", "sessions:", "  max_days: 0"),
        [
            "8: sessions.max_days: Input should be greater than 0 (given: 0)",
            "6: dedupe.neighbour_days: Input should be greater than or equal to 0 (given: -1)",
        ],
    ),
    "both bounds": (
        good(**{"{uri: /raw}": "\n  uri: /raw\n  max_files_per_batch: 1\n  max_bytes_per_batch: 1"}),
        ["2: source: give max_files_per_batch or max_bytes_per_batch, not both (Spark accepts one bound)"],
    ),
    "key twice": (good("sink: {uri: /other}"), ["not YAML: …"]),
    "not closed": (good("rules: {"), ["not YAML: …"]),
    "two documents": (good("---", "project_id: other"), ["not YAML: …"]),
    "a list": ("- project_id", ["must be a mapping of keys"]),
    "a text": ("project_id", ["must be a mapping of keys"]),
    "nothing": ("# project_id\n", ["must be a mapping of keys"]),
    "no apps": (
        good(**{"\n  shop: {transformer: clickstream_sdk}": " {}"}),
        ["4: apps: Dictionary should have at least 1 item…"],
    ),
    "misspelt transformer": (
        good(clickstream_sdk="clickstream_skd"),
        [f"5: {CLASS}: there is no transformer 'clickstream_skd', did you mean 'clickstream_sdk'?"],
    ),
    "no such transformer": (
        good(clickstream_sdk="zzz"),
        [f"5: {CLASS}: there is no transformer 'zzz', installed are: {list_installed(TRANSFORMERS)}"],
    ),
    "no such module": (
        good(clickstream_sdk="no_such_module:Own"),
        [f"5: {CLASS}: cannot import no_such_module:Own: No module named 'no_such_module'"],
    ),
    "no such class": (
        good(clickstream_sdk=f"'{__name__}:Own'"),
        [f"5: {CLASS}: cannot import {__name__}:Own: module '{__name__}' has no attribute 'Own'"],
    ),
    "relative module": (good(clickstream_sdk="'.own:Own'"), [f"5: {CLASS}: cannot import .own:Own: …"]),
    "no transformer at all": (
        good(clickstream_sdk=f"'{__name__}:NoTransform'"),
        [f"5: {CLASS}: {__name__}:NoTransform has no method transform()"],
    ),
    "refused value": (
        good(clickstream_sdk=f"'{__name__}:Picky', options: {{colour: blue}}"),
        [f"5: {CLASS}: {__name__}:Picky refuses its options: no colour blue"],
    ),
    "refused option": (
        good(clickstream_sdk="clickstream_sdk, options: {colour: red}"),
        [f"5: {CLASS}: clickstream_sdk refuses its options: …"],
    ),
    "enricher without a dash": (good("enrichers: {zzz: {}}"), ["6: enrichers: Input should be a valid …"]),
    "enricher without options": (good("enrichers: [zzz]"), ["6: enrichers.0: Input should be a valid dictionary (given: 'zzz')"]),
    "enricher of two names": (
        good("enrichers:", f"  - '{__name__}:Picky': {{limits: 1}}", "    zzz: {}"),
        [
            "6: enrichers: entry 0 must be one name with its options, for example `- user_agent: {}`",
            f"7: enrichers.0.{__name__}:Picky: {__name__}:Picky has no method enrich()",
            f"8: enrichers.0.zzz: there is no enricher 'zzz', installed are: {list_installed(ENRICHERS)}",
        ],
    ),
    "no such enrichers": (
        good("enrichers:", "", "  - zzz: {}", f"  - '{__name__}:Own': {{}}"),
        [
            f"8: enrichers.0.zzz: there is no enricher 'zzz', installed are: {list_installed(ENRICHERS)}",
            f"9: enrichers.1.{__name__}:Own: cannot import {__name__}:Own: module '{__name__}' has no attribute 'Own'",
        ],
    ),
    "everything at once": (
        good("rules: {freshness_hours: 0}", "", "limits:", "  max_deph: 3", clickstream_sdk="no_such_module:Own", demo="[1]"),
        [
            "1: project_id: Input should be a valid string",
            "6: rules.freshness_hours: Input should be greater than 0 (given: 0)",
            "9: limits.max_deph: unknown key, did you mean 'max_depth'?",
            f"5: {CLASS}: cannot import no_such_module:Own: No module named 'no_such_module'",
        ],
    ),
    "two apps, both wrong": (
        good("  blog: {transfomer: x}", clickstream_sdk="no_such_module:Own"),
        [
            "6: apps.blog.transformer: is required",
            "6: apps.blog.transfomer: unknown key, did you mean 'transformer'?",
            f"5: {CLASS}: cannot import no_such_module:Own: No module named 'no_such_module'",
        ],
    ),
    "endless freshness": (
        good("rules: {freshness_hours: .inf}"),
        ["6: rules.freshness_hours: Input should be a finite number (given: inf)"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_every_problem_with_its_line(case: str) -> None:
    text, expected = BAD[case]
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "f")
    found = str(caught.value).splitlines()
    assert len(found) == len(expected), found
    for each, wanted in zip(found, expected, strict=True):
        assert re.fullmatch(re.escape(wanted).replace("…", ".*"), each.removeprefix("f:").lstrip())


@pytest.mark.parametrize(
    ("case", "hint"),
    [
        ("missing", "every key is explained by: clickstream config init --full"),
        ("no such module", "every key is explained by: clickstream config init --full"),
        ("nothing", "see conf/pipeline.minimal.yaml"),
    ],
)
def test_a_hint_says_what_to_do(case: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(BAD[case][0], "f")
    assert caught.value.hint == hint


# What a user may rely on without writing it.
DEFAULTS: dict[str, dict[str, Any]] = {
    "source": {
        "uri": "/raw",
        "glob": "*",
        "max_files_per_batch": None,
        "max_bytes_per_batch": None,
        "windows": {"by": "month", "look_back": 2},
    },
    "checkpoint": {"uri": None},
    "rules": {
        "freshness_hours": 72,
        "clock_correction": True,
        "clock_threshold_minutes": 10,
        "always_fresh": ("_first_open", "_first_visit", "_profile_set"),
    },
    "sessions": {"timeout_minutes": 30, "max_days": 3},
    "dedupe": {"neighbour_days": 1},
    "limits": {
        "max_line_bytes": 20_000_000,
        "max_payload_bytes": 40_000_000,
        "max_payload_ratio": 200,
        "max_event_bytes": 10_000_000,
        "max_events_per_request": 50_000,
        "max_items_per_event": 1_000,
        "max_depth": 64,
        "max_quarantine_bytes": 1_000_000,
    },
    "s3": {"endpoint": None, "region": None},
    "apps": {"shop": {"transformer": "clickstream_sdk", "options": {}, "enrichers": None, "default_currency": None}},
}


def test_the_least_configuration_has_the_documented_defaults() -> None:
    config = parse_config(GOOD).model_dump()
    assert {name: {key: config[name][key] for key in keys} for name, keys in DEFAULTS.items()} == DEFAULTS
    assert config["enrichers"] == ()


def test_limits_and_options_reach_the_transformer() -> None:
    limits = LimitsSection(max_payload_bytes=3, max_events_per_request=4, max_depth=5, max_items_per_event=6)
    made = make_transformer(AppSection(transformer=f"{__name__}:Picky", options={"colour": "red"}), limits)
    assert isinstance(made, Picky)
    assert made.limits == Limits(max_payload_bytes=3, max_events_per_request=4, max_depth=5, max_items_per_event=6)
    without = make_transformer(AppSection(transformer=f"{__name__}:Picky"), LimitsSection())
    assert isinstance(without, Picky)
    assert without.limits == Limits()


@pytest.mark.parametrize(
    ("lake", "checkpoint", "event", "progress"),
    [
        ("/lake", None, "/lake/event", "/lake/_checkpoints/ingest"),
        ("/lake/", None, "/lake/event", "/lake/_checkpoints/ingest"),
        ("s3://bucket/lake/", None, "s3://bucket/lake/event", "s3://bucket/lake/_checkpoints/ingest"),
        ("s3://bucket", "/local/", "s3://bucket/event", "/local/ingest"),
        ("lake", "s3://bucket/progress", "lake/event", "s3://bucket/progress/ingest"),
    ],
)
def test_where_tables_and_progress_are(lake: str, checkpoint: str | None, event: str, progress: str) -> None:
    more = [f"checkpoint: {{uri: {checkpoint}}}"] if checkpoint else []
    config = parse_config(good(*more, **{"/lake": lake}))
    assert (config.table_uri("event"), config.checkpoint_uri("ingest")) == (event, progress)


@pytest.mark.parametrize(
    ("uri", "same"),
    [
        ("/a/b/", "/a/b"),
        ("file:///a/../b", "/b"),
        ("s3://bucket/a/", "s3://bucket/a"),
        ("s3a://bucket/a", "s3://bucket/a"),
        ("a", str(Path.cwd() / "a")),
        ("gs://bucket/a", None),
        ("hdfs://host/a", None),
    ],
)
def test_uris(uri: str, same: str | None) -> None:
    if same is None:
        with pytest.raises(ConfigError, match=f"^{uri}: only local paths and s3:// URIs"):
            absolute(uri)
    else:
        assert absolute(uri) == same


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    assert load_config(str(path)) == load_config("pipeline.yaml") == load_config(f"file://{path}") == parse_config(GOOD)
    path.write_text(good("zzz: 1"))
    with pytest.raises(ConfigError, match=r"^pipeline\.yaml:6: zzz: unknown key"):
        load_config("pipeline.yaml")


@pytest.mark.parametrize("name", ["missing.yaml", ".", "latin-1.yaml"])
def test_files_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "latin-1.yaml").write_bytes(GOOD.replace("demo", "dé").encode("latin-1"))
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_config(str(tmp_path / name))
    assert "config init" in caught.value.hint


def sections(model: BaseModel) -> Iterator[BaseModel]:
    """A configuration's sections, itself included."""
    yield model
    for name in type(model).model_fields:
        value = getattr(model, name)
        for each in value.values() if isinstance(value, dict) else [value]:
            if isinstance(each, BaseModel):
                yield from sections(each)


def section_of(field: FieldInfo) -> type[Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def test_nothing_can_be_set_later() -> None:
    found = list(sections(parse_config(GOOD)))
    assert {Config, RulesSection} <= {type(each) for each in found}
    for section in found:
        for name in type(section).model_fields:
            with pytest.raises(ValidationError, match="frozen"):
                setattr(section, name, getattr(section, name))


def test_every_key_says_what_it_means() -> None:
    """The reference configuration, the JSON Schema and editors show it; a section speaks by its keys."""
    silent = [
        f"{type(section).__name__}.{name}"
        for section in sections(parse_config(GOOD))
        for name, field in type(section).model_fields.items()
        if not field.description and section_of(field) is None
    ]
    assert silent == []


def test_the_template_to_start_from_says_what_is_required_and_the_enrichers() -> None:
    config = load_config(str(conf_file("pipeline.minimal.yaml")))
    enrichers = ({"ip": {"database": "s3://my-bucket/geo/GeoLite2-City.mmdb"}}, {"user_agent": {}}, {"traffic_source": {}})
    required = parse_config(good(**{"/raw": "s3://my-bucket/raw/", "/lake": "s3://my-bucket/lake/"}))
    assert config == required.model_copy(update={"enrichers": enrichers})


BUILT_IN = {"ip": IpOptions, "user_agent": UserAgentOptions, "traffic_source": TrafficSourceOptions}


def differences(given: Any, model: type[BaseModel], path: str = "", made: BaseModel | None = None) -> Iterator[str]:
    """Keys of the model that are not given, and values given that are neither an example of a required key nor the default.

    ``made`` is the section that is there by default: the driver's worker is a smaller one than any worker.
    """
    for name, field in model.model_fields.items():
        here = f"{path}{name}"
        if name not in given:
            yield f"{here} is not there"
            continue
        if section := section_of(field):
            default = None if field.is_required() else getattr(made, name, None) or field.get_default(call_default_factory=True)
            yield from differences(given[name], section, f"{here}.", default)
        elif field.annotation == dict[str, AppSection]:
            for key, each in given[name].items():
                yield from differences(each, AppSection, f"{here}.{key}.")
        elif name == "enrichers" and model is Config:
            for entry in given[name]:
                [[enricher, options]] = entry.items()
                yield from differences(options, BUILT_IN[enricher], f"{here}.{enricher}.")
        elif not field.is_required():
            default = getattr(made, name) if made else field.get_default(call_default_factory=True)
            shown = list(default) if isinstance(default, tuple) else default
            if given[name] != shown:
                yield f"{here} is {given[name]!r}, the default is {shown!r}"


def test_the_reference_has_every_key_with_its_default() -> None:
    load_config(str(REFERENCE))
    given = YAML(typ="safe").load(REFERENCE.read_text())
    assert list(differences(given, Config)) == []
    assert [name for entry in given["enrichers"] for name in entry] == list(BUILT_IN)


def test_the_comparison_with_the_reference_finds_differences() -> None:
    config = parse_config(GOOD).model_dump(mode="json")
    assert list(differences(config, Config)) == []
    del config["rules"]["always_fresh"], config["apps"]["shop"]["options"]
    config["limits"]["max_depth"] = 3
    config["enrichers"] = [{"user_agent": {"bots": "drop", "not_bots": None}}]
    assert list(differences(config, Config)) == [
        "apps.shop.options is not there",
        "enrichers.user_agent.bots is 'drop', the default is 'keep'",
        "enrichers.user_agent.bot_patterns is not there",
        "rules.always_fresh is not there",
        "limits.max_depth is 3, the default is 64",
    ]
