"""Rule files of one's own: what they mean, which of them serves an app, and what is said of wrong ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.config.shipped_files import conf_file
from streaming_app.enrichers.traffic_source import TrafficSource
from streaming_app.enrichers.traffic_source.channels import Channels
from streaming_app.enrichers.traffic_source.options import TrafficSourceOptions
from streaming_app.enrichers.traffic_source.rule_files import ChannelField, ChannelRule
from streaming_app.errors import ConfigError
from streaming_app.plugins.registry import make_enricher
from streaming_app.storage.files import Storage
from tests.unit.enrichers.test_traffic_source import TRAFFIC, table

SOURCE, MEDIUM = "traffic_source_source", "traffic_source_medium"
FIELDS: dict[str, str | None] = dict.fromkeys(ChannelField.__args__)
SHOP = "https://shop.example.com/"
CATEGORY_FILE, CHANNEL_FILE = "traffic_source_category_rule_v1.json", "traffic_source_channel_rule_v1.json"

# operator, what it compares with, value of the field, whether it holds; the opposite of its not_ form
OPERATORS: list[tuple[str, Any, str | None, bool]] = [
    ("eq", "google", "google", True),
    ("eq", "Google", "gOOGLE", True),
    ("eq", "google", "google ", False),
    ("eq", "", None, True),
    ("eq", "__empty__", None, True),
    ("eq", "__empty__", "", True),
    ("eq", "__empty__", "x", False),
    ("eq", "__EMPTY__", None, False),
    ("contain", "MAIL", "Gmail", True),
    ("contain", "mail", "mai", False),
    ("contain", "mail", None, False),
    ("contain", "__empty__", "anything", True),
    ("start_with", "Mail", "mail.example", True),
    ("start_with", "mail", "email", False),
    ("start_with", "mail", None, False),
    ("end_with", "PUSH", "web-push", True),
    ("end_with", "push", "pushed", False),
    ("end_with", "push", None, False),
    ("match", "^(.*cp.*|ppc)$", "CPC", True),
    ("match", "cp.", "cpc", True),
    ("match", "cp", "cpc", False),
    ("match", "CP[CM]", "cpm", True),
    ("match", r"\d+", "42", True),
    ("match", r"\D+", "abc", True),
    ("match", ".*", None, True),
    ("match", ".+", None, False),
    ("match", "(?!x).*", "abc", True),
    ("match", "(?!x).*", "xbc", False),
    ("match", r"(a)\1", "aa", True),
    ("match", r"\w+", "é", True),
    ("match", "É.*$", "éa", True),
    ("match", "a$", "a\n", False),
    ("match", "a.*", "a\nb", False),
    ("in", ["sms", "Audio"], "AUDIO", True),
    ("in", ["sms", "audio"], "audi", False),
    ("in", ["__empty__"], "", True),
    ("in", ["__empty__"], None, False),
    ("in", [], "x", False),
]


def leaf(op: str, operand: Any, field: str = SOURCE) -> dict[str, Any]:
    return {"field": field, "op": op, "values" if isinstance(operand, list) else "value": operand}


def channel(condition: dict[str, Any], **values: str | None) -> bool:
    """Whether a rule with this condition holds."""
    rules = Channels([ChannelRule.model_validate({"id": "1", "channel": "C", "condition": condition})])
    return rules.first(FIELDS | values) == "C"


@pytest.mark.parametrize(("op", "operand", "value", "holds"), OPERATORS)
def test_operators(op: str, operand: Any, value: str | None, holds: bool) -> None:
    assert channel({"op::and": [leaf(op, operand)]}, traffic_source_source=value) is holds
    assert channel({"op::or": [leaf(f"not_{op}", operand)]}, traffic_source_source=value) is not holds


def patterns(condition: Any) -> set[str]:
    """Those in the conditions of a rule file."""
    if isinstance(condition, list):
        return {pattern for each in condition for pattern in patterns(each)}
    if isinstance(condition, dict):
        own = {condition["value"]} if str(condition.get("op")).endswith("match") else set()
        return own | {pattern for each in condition.values() for pattern in patterns(each)}
    return set()


SHIPPED = sorted(patterns(json.loads(conf_file("rules/traffic_source_channel_rule_v1.json").read_text())))
WORDS = st.lists(
    st.sampled_from(["cp", "ppc", "paid", "e", "shop", "ping", "video", "internal", "g", "mail", "-", "\n", "é", " "])
)


@given(WORDS.map("".join))
def test_shipped_patterns_mean_what_they_mean_to_python(text: str) -> None:
    assert SHIPPED
    for pattern in SHIPPED:
        expected = re.fullmatch(pattern, text, re.IGNORECASE) is not None
        assert channel({"op::and": [leaf("match", pattern)]}, traffic_source_source=text) is expected


A, B, C = leaf("eq", "a"), leaf("eq", "b", MEDIUM), leaf("not_eq", "__empty__", "traffic_source_clid")
# condition, and the values (source, medium, clid) for which it holds
NESTED: list[tuple[dict[str, Any], set[str]]] = [
    ({"op::and": [A, B]}, {"ab-", "abc"}),
    ({"op::or": [A, B]}, {"ab-", "abc", "a--", "a-c", "-b-", "-bc"}),
    ({"op::and": [A, {"op::or": [B, C]}]}, {"ab-", "abc", "a-c"}),
    ({"op::or": [{"op::and": [A, B]}, {"op::and": [B, C]}]}, {"ab-", "abc", "-bc"}),
    ({"op::and": [{"op::and": [{"op::or": [{"op::and": [C]}]}]}]}, {"abc", "a-c", "-bc", "--c"}),
]


@pytest.mark.parametrize(("condition", "holds"), NESTED)
def test_nested_conditions(condition: dict[str, Any], holds: set[str]) -> None:
    every = {a + b + c for a in "a-" for b in "b-" for c in "c-"}
    names = (SOURCE, MEDIUM, "traffic_source_clid")
    found = {
        each
        for each in every
        if channel(condition, **{name: None if text == "-" else text for name, text in zip(names, each, strict=True)})
    }
    assert found == holds


def written(path: Path, content: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def opened(**options: Any) -> TrafficSource:
    enricher = TrafficSource(TrafficSourceOptions.model_validate(options), Storage())
    enricher.open()
    return enricher


def row(enricher: TrafficSource, **given: str) -> dict[str, str | None]:
    """The traffic columns of one event, by short names."""
    found: pa.Table = enricher.enrich(table([given])).select(
        [f"traffic_source_{name}" for name in ("source", "channel_group", "category", "term")]
    )
    return {name.removeprefix("traffic_source_"): value for name, value in found.to_pylist()[0].items()}


CATEGORIES = [
    {"url": "Host.Example", "source": "Host", "category": "Social", "params": []},
    {"url": "host.example/Path", "source": "Path", "category": "Video", "params": ["Q"]},
    {"url": "sub.host.example", "source": "Sub", "category": "Forum", "params": []},
    {"url": "any.*", "source": "Any", "category": "Shopping"},
    {"url": "find.sample.com", "source": "Find", "category": "Search", "params": ["q", "p"]},
    {"url": "engine.com", "source": "Engine", "category": "Search", "params": ["q"]},
    {"url": "google.com", "source": "Google", "category": "Search", "params": []},
    {"url": "news.google.com", "source": "News", "category": "Search", "params": ["q"]},
    {"url": "twice.example", "source": "First", "category": "Social", "params": []},
    {"url": "twice.example", "source": "Second", "category": "Social", "params": []},
    {"url": "bare", "source": "Bare Name", "category": "Email"},
    {"url": "host.example.org", "source": "Host", "category": "Social"},
    {"url": "host.example.net", "source": "Host", "category": "Video"},
]
# referrer: (source, category, search term)
REFERRERS: dict[str, tuple[str, str, str | None]] = {
    "https://host.example/": ("Host", "Social", None),
    "https://www.host.example/other": ("Host", "Social", None),
    "https://HOST.example/pathology": ("Host", "Social", None),
    "https://host.example/PATH?q=b&q=a&x=c": ("Path", "Video", "a,b"),
    "https://www.host.example/path/below/": ("Path", "Video", None),
    "https://sub.host.example/path": ("Sub", "Forum", None),
    "https://below.sub.host.example/": ("Sub", "Forum", None),
    "https://other.host.example/path": ("Path", "Video", None),
    "https://any.co.uk/": ("Any", "Shopping", None),
    "https://shop.any.com.br/": ("Any", "Shopping", None),
    "https://any.github.io/": ("any.github.io", "Unassigned", None),
    "https://many.com/": ("many.com", "Unassigned", None),
    "https://docs.find.sample.com/?p=x&q=%2B": ("Find", "Search", "+,x"),
    "https://www.engine.com/?q=x": ("Engine", "Search", "x"),
    "https://de.search.engine.com/?q=": ("Engine", "Search", None),
    "https://docs.engine.com/?q=x": ("docs.engine.com", "Unassigned", None),
    "https://www.google.se/?q=x": ("Google", "Search", None),
    "https://news.google.se/?q=x": ("News", "Search", "x"),
    "https://twice.example/": ("Second", "Social", None),
    "https://bare/": ("Bare Name", "Email", None),
}  # fmt: skip
# utm_source: category
SOURCES = {"HOST": "Social", "host.example": "Social", "m.host.example": "Social", "sub": "Forum", "bare": "Email", "BARE name": "Email", "any": "Shopping", "any.de": "Shopping", "engine": "Search", "www.engine.com": "Search", "docs.engine.com": "Unassigned", "else": "Unassigned", "else.com": "Unassigned"}  # fmt: skip


def test_categories(tmp_path: Path) -> None:
    enricher = opened(categories=written(tmp_path / "c.json", CATEGORIES))
    found = {referrer: row(enricher, page=SHOP, ref=referrer) for referrer in REFERRERS}
    assert {referrer: (each["source"], each["category"], each["term"]) for referrer, each in found.items()} == REFERRERS
    assert {source: row(enricher, page=f"{SHOP}?utm_source={source}")["category"] for source in SOURCES} == SOURCES


def test_channels(tmp_path: Path) -> None:
    """The first that holds counts, in the file's order; a rule may look at the whole address of the referrer."""
    rules = [
        ("By path", leaf("contain", "/Partners/", "page_view_latest_referrer")),
        ("By host", leaf("end_with", ".example", "page_view_latest_referrer_host")),
        ("Never", leaf("end_with", ".example", "page_view_latest_referrer_host")),
        ("By medium", leaf("eq", "Referral", MEDIUM)),
        ("By source", leaf("eq", "partner.org")),
    ]
    file = [
        {"id": str(number), "channel": name, "condition": {"op::and": [condition]}}
        for number, (name, condition) in enumerate(rules)
    ]
    enricher = opened(channels=written(tmp_path / "c.json", file))
    wanted = {
        "https://a.example/partners/1": "By path",
        "https://a.example/other": "By host",
        "https://partner.org/": "By source",
        "https://www.facebook.com/": "By medium",
        "https://other.org/": "Unassigned",
    }
    assert {referrer: row(enricher, page=SHOP, ref=referrer)["channel_group"] for referrer in wanted} == wanted
    assert row(enricher, page=SHOP, ref=f"{SHOP}partners/")["channel_group"] == "Internal"


def test_click_ids(tmp_path: Path) -> None:
    """The table's order decides; letters and digits of a name count, its case does not."""
    ids = [
        {"param": "b.id", "platform": "B", "source": "Bing", "medium": "CPC", "paid": True},
        {"param": "A_ID", "platform": "A", "source": None, "paid": False},
    ]
    enricher = opened(click_ids=written(tmp_path / "c.json", ids))
    found = {query: row(enricher, page=SHOP + query)["source"] for query in ("?a_id=1&B.ID=2", "?bxid=1", "?A_id=1", "?gclid=1")}
    assert found == {"?a_id=1&B.ID=2": "Bing", "?bxid=1": "Direct", "?A_id=1": "Direct", "?gclid=1": "Direct"}
    assert row(opened(click_ids=written(tmp_path / "none.json", [])), page=f"{SHOP}?gclid=1&=2")["source"] == "Direct"


def test_which_file_serves_an_app(tmp_path: Path) -> None:
    """An app's own option, then its folder of rules, then the option for all apps, then the shipped file."""

    def one(name: str, source: str) -> str:
        return written(tmp_path / name, [{"url": "host.example", "source": source, "category": "Social"}])

    in_folder = one(f"rules/folder/{CATEGORY_FILE}", "folder")
    one(f"rules/both/{CATEGORY_FILE}", "never")
    channels = written(tmp_path / "rules/channels" / CHANNEL_FILE, [])
    written(tmp_path / "rules/other/README.json", "not JSON")
    own, everyone = one("own.json", "own"), one("all.json", "all")
    enricher = opened(
        rules=f"{tmp_path}/rules",
        categories=everyone,
        apps={"both": {"categories": own}, "domains": {"own_domains": ["host.example"]}},
    )
    wanted = {
        "folder": "folder",
        "both": "own",
        "channels": "all",
        "other": "all",
        "unknown": "all",
        "domains": "Direct",
        "": "all",
    }
    assert {app: row(enricher, app_id=app, ref="https://host.example/")["source"] for app in wanted} == wanted
    assert row(enricher, ref="https://host.example/")["source"] == "all"
    assert row(enricher, app_id="channels", ref="https://host.example/")["channel_group"] == "Unassigned"
    used = enricher.info()["rules"]
    assert used.keys() == {"*", "both", "channels", "domains", "folder", "other"}
    assert {app: files["categories"] for app, files in used.items()} == dict.fromkeys(used, everyone) | {
        "folder": in_folder,
        "both": own,
    }
    assert used["channels"]["channels"] == channels
    assert used["folder"] == {"categories": in_folder} | {
        name: str(conf_file(f"rules/{file}")) for name, file in (("channels", CHANNEL_FILE), ("click_ids", "click_ids.json"))
    }


BAD_CATEGORIES = """[
  {"url": "a.example", "source": "A", "category": "X", "params": ["q"]},
  {"url": "", "source": "A"},
\t{"url": "b.example", "source": "B", "category": "X",
\t "parms": ["q"]},
  7,
  {"url": 1, "source": null, "category": "X", "params": "q"}
]"""
BAD_CHANNELS = """[
  {"id": "1", "channel": "C", "condition": {"op::and": []}},
  {"channel": "C", "condition": {"field": "traffic_source_source", "op": "eq", "value": "x"}},
  {"channel": "C"},
  {"channel": "", "condition": {"op::or": [
    {"field": "traffic_source_origin", "op": "eq", "value": "x"},
    {"field": "traffic_source_source", "op": "like", "value": "x"},
    {"field": "traffic_source_source", "op": "not_in", "value": "x"},
    {"field": "traffic_source_source", "op": "contain", "values": ["x"]},
    {"field": "traffic_source_source", "op": "not_match", "value": "("},
    {"op::and": [{"op::or": [
      {"field": "traffic_source_source", "op": "eq", "value": 1}]}]},
    {"op::and": [{"field": "traffic_source_source", "op": "eq", "value": "x"}], "op::or": []},
    "x"
  ]}}
]"""
A_CONDITION = "must be a comparison {field, op, value}, or {op::and: […]}, or {op::or: […]}"
FIELD_NAMES = ", ".join(f"'{name}'" for name in list(FIELDS)[:-1])
# what each problem's line is, after the name of the file
PROBLEMS = f"""
categories:3: 1.url: String should have at least 1 character (given: '')
categories:3: 1.category: is required
categories:5: 2.parms: unknown key, did you mean 'params'?
categories:6: 3: Input should be a valid dictionary (given: 7)
categories:7: 4.url: Input should be a valid string (given: 1)
categories:7: 4.source: Input should be a valid string
categories:7: 4.params: Input should be a valid list (given: 'q')
channels:2: 0.condition.op::and: must have at least one part
channels:3: 1.condition: must be {{op::and: […]}} or {{op::or: […]}}
channels:4: 2.condition: is required
channels:5: 3.channel: String should have at least 1 character (given: '')
channels:6: 3.condition.op::or.0.field: Input should be {FIELD_NAMES} or 'page_view_latest_referrer_host' (given: 'traffic_source_origin')
channels:7: 3.condition.op::or.1.op: Input should be 'eq', 'contain', 'start_with', 'end_with', 'match', 'in', 'not_eq', 'not_contain', 'not_start_with', 'not_end_with', 'not_match' or 'not_in' (given: 'like')
channels:8: 3.condition.op::or.2: not_in needs values
channels:9: 3.condition.op::or.3: contain needs value
channels:10: 3.condition.op::or.4.value: no regular expression: missing ), unterminated subpattern at position 0 (given: '(')
channels:12: 3.condition.op::or.5.op::and.0.op::or.0.value: Input should be a valid string (given: 1)
channels:13: 3.condition.op::or.6: {A_CONDITION}
channels:14: 3.condition.op::or.7: {A_CONDITION} (given: 'x')
click_ids: not JSON: Expecting value: line 1 column 12 (char 11)
""".strip()


def problems(**options: Any) -> list[str]:
    with pytest.raises(ConfigError) as error:
        opened(**options)
    return str(error.value).splitlines()


def test_every_problem_is_shown(tmp_path: Path) -> None:
    """All files at once, each problem with its line and path."""
    contents = {"categories": BAD_CATEGORIES, "channels": BAD_CHANNELS, "click_ids": '[{"param": }]'}
    files = {name: written(tmp_path / name, content) for name, content in contents.items()}
    assert [line.removeprefix(f"{tmp_path}/") for line in problems(**files)] == PROBLEMS.splitlines()


# content of a file of click ids: how its problem begins
WRONG_FILES = {
    "{}": ":1: file: Input should be a valid list",
    "null": ":1: file: Input should be a valid list",
    "": ": not JSON: Expecting value",
    "[1,]": ": not JSON: Expecting value",
    "[" * 100_000: ": not JSON: maximum recursion depth",
    "\ufeff[]": ": not JSON: Unexpected UTF-8 BOM",
    '[{"param": "x", "platform": "X", "source": null}]': ":1: 0.paid: is required",
    '[{"param": "x", "platform": "X", "paid": true}]': ":1: 0.source: is required",
    '[{"param": "x", "platform": "X", "source": NaN, "paid": true}]': ":1: 0.source: Input should be a valid string",
}


@pytest.mark.parametrize("content", WRONG_FILES, ids=lambda text: text[:20])
def test_wrong_files(content: str, tmp_path: Path) -> None:
    file = written(tmp_path / "file", content)
    (line,) = problems(click_ids=file)
    assert line.startswith(file + WRONG_FILES[content])


def test_missing_files_and_folders(tmp_path: Path) -> None:
    """Each is named once, however many apps use it, with those of files that are there."""
    gone, binary = f"{tmp_path}/gone.json", tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    bad = written(tmp_path / "rules" / "shop" / CATEGORY_FILE, [{"url": "a"}])
    options = {
        "channels": gone,
        "click_ids": str(binary),
        "rules": f"{tmp_path}/rules",
        "apps": {"a": {}, "b": {"categories": gone}},
    }
    lines = problems(**options)
    assert [line.partition(": ")[0] for line in lines] == [gone, str(binary), f"{bad}:1", f"{bad}:1"]
    assert [line.startswith(f"{gone}: cannot be read") for line in lines] == [True, False, False, False]
    assert problems(rules=f"{tmp_path}/none") == [f"{tmp_path}/none: there is no folder of an app"]


def test_options_are_checked() -> None:
    wrong = {"own_domain": ["x"], "apps": {"shop": {"rules": "x", "click_ids": ""}}}
    with pytest.raises(ConfigError) as error:
        make_enricher("traffic_source", wrong, Storage())
    for text in ("own_domain", "did you mean 'own_domains'?", "rules", "click_ids"):
        assert text in str(error.value)
    assert tuple(TRAFFIC) == make_enricher("traffic_source", {}, Storage()).FILLS
