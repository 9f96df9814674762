"""``explain`` shows what the stages of ingest do to one request: the very same values that end up in the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streaming_app.cli import _exit_code
from streaming_app.commands.explain import explain_request
from streaming_app.demo.geo import write_geo_database
from streaming_app.storage.files import Storage
from tests.support.lake import LocalPipeline, config_for
from tests.support.raw import NOW, event, line, write

AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148"
)
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def enrichers(folder: Path) -> str:
    write_geo_database(folder / "geo.mmdb")
    return (
        f"enrichers:\n  - ip: {{database: {folder}/geo.mmdb}}\n  - user_agent: {{bots: drop}}\n  - traffic_source: {{}}\n"
        "  - 'tests.unit.ingest.test_run_enrichers:NoTable': {}\n"
    )


def test_each_stage_of_a_request(tmp_path: Path) -> None:
    extra = enrichers(tmp_path)
    page = {"_page_url": "https://shop.example/?gclid=1", "_session_id": "s-9"}
    request = line(
        event("a", attributes=page, items=[{"id": "sku"}, {"id": "sku-2"}]),
        event("a", attributes=page, timestamp=NOW),
        event("late", timestamp=NOW - 400 * 86_400_000),
        event("elsewhere", app_id="blog"),
        "no event",
        ua=AGENT,
    )
    found = explain_request(request, config_for(tmp_path, extra), Storage())
    assert (found.request["rid"], found.transformer, found.duplicates) == ("r-1", "ClickstreamSdk", 1)
    assert "data" not in found.request
    [shown] = found.events
    assert shown.transformed["event_id"] == "a"
    assert list(shown.enriched) == ["ip", "user_agent", "traffic_source", "tests.unit.ingest.test_run_enrichers:NoTable"]
    assert shown.enriched["ip"]["geo_country_code"]
    assert shown.enriched["user_agent"]["device_ua_device_category"] == "Mobile"
    assert shown.enriched["traffic_source"]["traffic_source_channel_group"] == "Paid Search"
    assert shown.lands == {
        "event": "app_id=shop/year=2026/month=5/day=28",
        "item": "app_id=shop/year=2026/month=5/day=28, 2 rows",
        "user": "u-1",
        "session": "s-9",
    }
    assert [(each.stage, each.reason, each.position) for each in found.refused] == [
        ("rules", "too_late", 2),
        ("rules", "unknown_app", 3),
        ("transform", "malformed_event", 4),
    ]
    assert found.failures == {"tests.unit.ingest.test_run_enrichers:NoTable": "TypeError: enrich() returned a list, not a table"}

    pipeline = LocalPipeline(tmp_path, extra)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", request))
    [row] = pipeline.rows("event")
    told: dict[str, Any] = {**shown.transformed, **{k: v for each in shown.enriched.values() for k, v in each.items()}}
    stored = {name: value for name, value in row.items() if value is not None}
    assert {name: value for name, value in told.items() if name in stored} | {
        name: stored[name] for name in ("event_timestamp", "event_date", "year", "month", "day")
    } == stored


@pytest.mark.parametrize(
    ("request_line", "expected"),
    {
        b"broken": ([], ["request malformed_line"]),
        line(event("a"), ua=BOT): ([{"filtered": "left out by an enricher: in no table, counted"}], []),
        line(""): ([], ["transform malformed_payload"]),
        line(event("a", app_id=None)): ([], ["transform malformed_event"]),
        line(event("a", unique_id=None)): ([{"event": "app_id=shop/year=2026/month=5/day=28"}], []),
    }.items(),
    ids=["broken line", "bot", "broken payload", "no app", "no user"],
)
def test_explain_names_tables_and_partitions(request_line: bytes, expected: tuple[Any, Any], tmp_path: Path) -> None:
    found = explain_request(request_line, config_for(tmp_path, enrichers(tmp_path)), Storage())
    assert ([each.lands for each in found.events], [f"{each.stage} {each.reason}" for each in found.refused]) == expected


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        f"project_id: test\nsource: {{uri: {tmp_path}/raw}}\nsink: {{uri: {tmp_path}/lake}}\n"
        f"apps:\n  shop: {{transformer: clickstream_sdk}}\n{enrichers(tmp_path)}"
    )
    raw = write(tmp_path / "raw", "a.gz", b"broken", line(event("a"), "no event", event("a")))
    pretty = tmp_path / "request.json"
    pretty.write_text(json.dumps(json.loads(line(event("b"))), indent=2))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = _exit_code(["explain", *arguments, "-c", str(config)], debug=False)
        return code, *capsys.readouterr()

    code, shown, _ = run(str(raw), "--line", "2")
    assert code == 0
    for words in ("event 1", "ip adds", "traffic_source adds", "lands in", "quarantine element 1", "1 duplicates", "failed"):
        assert words in shown
    code, shown, _ = run(str(pretty), "--json")
    assert (code, json.loads(shown)["events"][0]["transformed"]["event_id"]) == (0, "b")
    assert "malformed_line" in run(str(raw))[1]
    assert run(str(raw), "--line", "9")[::2] == (3, f"error: {raw} has no line 9\nhint: lines count from 1, blank ones too\n")
    assert run(str(tmp_path / "none.json"))[0] == 3
