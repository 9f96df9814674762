"""The report says what is in the tables, escapes what came with the data, and has something to say of tables without a row."""

from __future__ import annotations

import doctest
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streaming_app.cli import _exit_code
from streaming_app.errors import QueryError
from streaming_app.lake.query import query_session, snapshot
from streaming_app.report import blocks, charts, formats, period
from streaming_app.report.cost import compute_cost, dollars_per_vcpu_hour
from streaming_app.report.make import make_report
from streaming_app.report.period import Period, choose_period
from submitter.sizing import plan_for
from tests.support.lake import LocalPipeline
from tests.support.page import Page
from tests.support.raw import NOW, event, line, write
from tests.support.shop_story import TODAY, WINDOWS, derive, told

NOON = datetime(2026, 5, 28, 12, 30, tzinfo=UTC)
SECTIONS = ["figures", "traffic", "channels", "pages", "devices", "countries", "funnel", "sessions", "quality", "cost"]
HOSTILE = "</style></title><script>alert('x')</script><img src=x onerror=alert(1)>\"'"


def report(pipeline: LocalPipeline, app: str | None = None, first: date | None = None, last: date | None = None) -> Page:
    return Page(make_report(pipeline.config, app, first, last, NOON))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    return told(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def page(story: LocalPipeline) -> Page:
    return report(story)


# All numbers below are worked out from the story's text (tests/support/shop_story.py): 29 events, two of them by bots.
def test_key_figures(page: Page) -> None:
    assert {label: said[0] for label, said in page.cards["figures"].items()} == {
        "Users": "8",  # sue is two before she signs up
        "Sessions": "10",
        "Views": "12",
        "Events": "27",
        "Bounce rate": "70.0 %",
        "Median engagement": "0s",
        "Orders": "3",
        "Revenue": "50 USD",
    }
    assert page.cards["figures"]["Revenue"][-1] == "and 8 without currency"
    assert "Bots sent 2 of 29 events (6.9 %)" in page.texts["figures"]
    assert "20 Apr to 28 May 2026 UTC, all days that have events" in page.texts["header"]
    assert "Written 28 May 2026, 12:30 UTC" in page.texts["header"]


def test_traffic(page: Page) -> None:
    days = page.rows("traffic", "All numbers")
    assert len(days) == 39  # every day from 20 April on, quiet ones too
    assert {day: numbers for day, numbers in days.items() if numbers[0] != "0"} == {
        "20 Apr": ["1", "1", "1", "1"],
        "17 May": ["1", "1", "1", "1"],
        "18 May": ["1", "1", "1", "1"],
        "25 May": ["1", "1", "1", "1"],
        "27 May": ["2", "2", "13", "4"],
        "28 May": ["4", "4", "10", "4"],
    }
    names = page.rows("traffic", "Events by name")
    assert names["_page_view"] == ["11", "6"]
    assert names["purchase"] == ["2", "2"]
    assert len(names) == 10
    assert "and 3 more" in page.texts["traffic"]


def test_channels(page: Page) -> None:
    assert page.rows("channels", "Sessions by channel") == {
        "Direct": ["6", "60.0 %", "83.3 %", "0s"],
        "Email": ["2", "20.0 %", "50.0 %", "7.5s"],
        "Organic Search": ["1", "10.0 %", "0.0 %", "0s"],
        "Paid Other": ["1", "10.0 %", "100.0 %", "0s"],
    }
    first = page.rows("channels", "Users by the channel that brought them first")
    assert first == {
        "Direct": ["4", "50.0 %"],
        "Email": ["2", "25.0 %"],
        "Organic Search": ["1", "12.5 %"],
        "Paid Other": ["1", "12.5 %"],
    }
    sources = page.rows("channels", "Sources")
    assert sources["news / email"] == ["1", "10.0 %", "0.0 %"]
    assert page.rows("channels", "Sites that refer") == {"www.google.com": ["1", "1"]}


def test_pages_devices_countries(page: Page) -> None:
    assert page.rows("pages") == {"shop.example/": ["9", "100.0 %", "66.7 %", "1.3"]}
    assert page.rows("devices", "Kind of device") == {"Desktop": ["5", "62.5 %"], "Mobile": ["3", "37.5 %"]}
    assert page.rows("devices", "Browser or app") == {"Chrome": ["5", "62.5 %"], "Mobile Safari": ["3", "37.5 %"]}
    countries = page.rows("countries")
    assert {name: numbers[:2] for name, numbers in countries.items()} == {
        "United States": ["6", "4"],
        "Japan": ["2", "2"],
        "United Kingdom": ["2", "2"],
    }


def test_funnels_have_the_steps_of_each_app(page: Page) -> None:
    assert page.rows("funnel", "shop") == {
        "saw a page": ["5", "100.0 %", ""],
        "saw a product": ["2", "40.0 %", "40.0 %"],
        "filled the cart": ["2", "40.0 %", "100.0 %"],
        "ordered": ["1", "20.0 %", "50.0 %"],
    }
    assert list(page.rows("funnel", "shop-gtm")) == ["saw a page", "saw a product", "ordered"]
    assert page.rows("funnel", "shop-sensors")["ordered"] == ["1", "100.0 %", "100.0 %"]  # told by a server; one person by login


def test_sessions(page: Page) -> None:
    durations = page.rows("sessions", "Duration")
    assert (durations["less than 10 s"][0], durations["1 to 3 min"][0], durations["3 to 10 min"][0]) == ("5", "2", "3")
    assert [row[0] for row in page.rows("sessions", "Events per session").values()] == ["5", "3", "2", "0", "0", "0"]
    kinds = page.rows("sessions", "New and returning users")
    assert (kinds["new"][:2], kinds["returning"][:2]) == (["8", "8"], ["2", "2"])


def test_quality(page: Page) -> None:
    fates = {name: row[0] for name, row in page.rows("quality", "What became of what was received").items()}
    assert fates == {"written": "30", "duplicate": "1", "filtered": "0", "quarantined": "3"}
    assert page.cards["quality"]["Balance"] == ["adds up", "34 received in 1 batch"]
    reasons = page.rows("quality", "Quarantine by reason")
    assert reasons["unknown_app"] == ["1", "0", "1", "app 'shop-staging' is not configured"]
    assert set(reasons) == {"unknown_app", "malformed_line", "too_late"}
    late = page.rows("quality", "Late events")
    assert (late["less than 1 min"][0], late["1 h to 1 day"][0]) == ("28", "1")
    enrichers = page.rows("quality", "Enrichers")
    assert {name: (row[0], row[2]) for name, row in enrichers.items()} == dict.fromkeys(
        ("ip", "traffic_source", "user_agent"), ("0", "none")
    )


def test_cost(story: LocalPipeline, page: Page) -> None:
    [batch] = story.rows("run_metrics")
    with query_session(story.lake, snapshot(story.lake)) as ask:
        found = compute_cost(ask, EVER, story.config.emr)
    emr = story.config.emr
    assert dollars_per_vcpu_hour(emr) == pytest.approx(0.042094 + 3 * 0.004628)  # 12 GB for 4 processors
    assert found.worker_dollars == pytest.approx(batch["pass_cpu_seconds"] / 3_600 * dollars_per_vcpu_hour(emr))
    assert found.run_dollars == pytest.approx(plan_for(emr, batch["bytes"], batch["decoded_bytes"] / batch["bytes"]).dollars)
    assert page.cards["cost"]["Whole runs"][0] == formats.format_dollars(found.run_dollars)
    assert page.cards["cost"]["Decoded"] == [
        formats.format_size(batch["decoded_bytes"]).replace("\xa0", " "),
        "30 events and changes",
    ]


def test_a_day_is_compared_with_the_day_before(story: LocalPipeline) -> None:
    page = report(story, first=TODAY)
    assert "28 May 2026 UTC, as asked" in page.texts["header"]
    assert "against 27 May 2026" in page.texts["header"]
    said = page.cards["figures"]
    assert said["Users"] == ["4", "▲ 100.0 %"]
    assert said["Events"] == ["10", "▼ 23.1 %"]
    assert said["Orders"] == ["2", "▲ 100.0 %"]
    assert said["Revenue"][:2] == ["30 USD", "▲ 50.0 %"]
    assert said["Bounce rate"] == ["75.0 %", "▲ 75.0 points"]
    assert list(page.rows("traffic", "All numbers")) == ["28 May 10:00"]


def test_one_app(story: LocalPipeline) -> None:
    page = report(story, "shop-gtm")
    assert page.cards["figures"]["Events"] == ["5"]
    assert "App: shop-gtm." in page.texts["header"]
    assert list(page.tables["funnel"]) == ["shop-gtm"]
    assert page.cards["quality"]["Balance"][-1] == "34 received in 1 batch"  # of all apps, which the page says
    assert "requests of all apps together" in page.texts["quality"]
    assert "Nothing is in quarantine" in page.texts["quality"]


def test_days_without_events(story: LocalPipeline) -> None:
    page = report(story, first=date(2026, 6, 1))
    assert "no events then: there are some from 2026-04-20 to 2026-05-28" in page.texts["header"]
    assert page.cards["figures"]["Events"] == ["0"]
    assert page.cards["quality"]["Balance"] == ["n/a", "no batch yet"]


def test_an_empty_lake(tmp_path: Path) -> None:
    page = report(LocalPipeline(tmp_path))
    assert [attributes["id"] for tag, attributes in page.tags if tag == "section"] == SECTIONS
    assert "no events yet" in page.texts["header"]
    assert not page.tables
    assert all("Nothing yet" in page.texts[name] for name in ("traffic", "channels", "pages", "devices", "countries", "sessions"))


def test_a_lake_with_nothing_but_dirt(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", b"{broken"))
    page = report(pipeline)
    assert page.rows("quality", "Quarantine by reason")["malformed_line"][0] == "1"
    assert page.rows("quality", "What became of what was received")["quarantined"] == ["1", "100.0 %"]


def test_without_the_enricher_bots_are_not_known(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(event("a"))))
    assert "Bots count like people: nothing marks" in report(pipeline).texts["figures"]


def test_what_came_with_the_data_is_shown_as_it_is(tmp_path: Path) -> None:
    """Names of events and apps, addresses, titles and referrers are anyone's: not one of them becomes markup or SQL."""
    app = "o'neill\"<b>"
    pipeline = LocalPipeline(tmp_path, f"  {json.dumps(app)}: {{transformer: clickstream_sdk}}\n")
    address = f"https://shop.example/{HOSTILE}"
    more: dict[str, Any] = {"_page_title": HOSTILE, "_page_url": address, "_page_referrer": f"https://{HOSTILE}/"}
    sent = [
        event("a", app_id=app, attributes={"_session_id": "s", **more}),
        event("b", app_id=app, event_type="purchase", attributes={"_session_id": "s", "_value": 1.0, "_currency": HOSTILE}),
        event("c", app_id=app, event_type=HOSTILE),
    ]
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(*sent, appId=app, ua=WINDOWS), line(event("d", app_id=HOSTILE))))
    derive(pipeline)
    pipeline.config = pipeline.config.model_copy(update={"project_id": HOSTILE})
    page = report(pipeline)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "b", "iframe", "object", "form"}
    assert [attributes.get("href") for tag, attributes in page.tags if tag == "a"] == [f"#{name}" for name in SECTIONS[1:]]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "src"]
    assert HOSTILE in page.texts["header"]
    assert page.rows("traffic", "Events by name")[HOSTILE] == ["1", "1"]
    assert f"shop.example/{HOSTILE}" in page.rows("pages")
    assert page.rows("funnel", app)["ordered"][0] == "1"
    assert repr(HOSTILE) in page.rows("quality", "Quarantine by reason")["unknown_app"][-1]


def test_the_page_is_complete_in_itself(story: LocalPipeline) -> None:
    html = make_report(story.config, None, None, None, NOON)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(https?:)?//", html)
    assert not re.search(r"@import|<script|javascript:", html)


@pytest.mark.parametrize("module", [blocks, charts, period, formats])
def test_examples(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


EVER = Period(date.min, date.max)
NOV_1 = date(2026, 11, 1)


def days(first: int, last: int) -> list[date]:
    """Days after 1 November."""
    return [NOV_1 + timedelta(days=number) for number in range(first, last + 1)]


@pytest.mark.parametrize(
    ("known", "first", "last", "found", "previous"),
    [
        (days(0, 9), None, None, (0, 9), None),
        (days(-200, 9), None, None, (-80, 9), (-170, -81)),
        (days(-100, 9), None, None, (-80, 9), None),  # the 90 days before are not all known
        (days(0, 9), 5, None, (5, 9), (0, 4)),
        (days(0, 9), 4, None, (4, 9), None),
        (days(0, 9), 5, 40, (5, 9), (0, 4)),
        (days(0, 9), -(10**5), 6, (0, 6), None),
        (days(0, 9), 20, None, None, None),
        ([], None, None, None, None),
        ([], 1, 2, None, None),
    ],
)
def test_periods(known: list[date], first: Any, last: Any, found: Any, previous: Any) -> None:
    def of(pair: tuple[int, int] | None) -> Period | None:
        return Period(*(NOV_1 + timedelta(days=number) for number in pair)) if pair else None

    asked = [None if number is None else NOV_1 + timedelta(days=number) for number in (first, last)]
    chosen = choose_period(known, *asked)
    assert (chosen.period, chosen.previous) == (of(found), of(previous))


@pytest.mark.parametrize(("length", "grain", "steps"), [(1, "hour", 24), (3, "hour", 72), (4, "day", 4), (401, "month", 14)])
def test_points_of_a_chart(length: int, grain: str, steps: int) -> None:
    chosen = Period(NOV_1, NOV_1 + timedelta(days=length - 1))
    assert (chosen.grain, len(chosen.steps())) == (grain, steps)
    assert chosen.steps()[0].date() == NOV_1


def test_batches_count_by_when_their_requests_came() -> None:
    """A batch of late events came after the period; where the period was not cut, it counts."""
    assert choose_period(days(0, 9), None, None).received == EVER
    assert choose_period(days(0, 9), NOV_1, None).received == Period(NOV_1, date.max)
    assert choose_period(days(-200, 9), None, None).received == Period(NOV_1 - timedelta(days=80), date.max)


def test_the_last_day_must_not_be_before_the_first() -> None:
    with pytest.raises(QueryError, match="--from 2026-11-01 is after --to 2026-10-01"):
        choose_period([], NOV_1, date(2026, 10, 1))


class Command:
    """``clickstream report`` on a small lake."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        pipeline = LocalPipeline(folder)
        pipeline.ingest(write(folder / "raw", "a.gz", line(event("a", timestamp=NOW))))
        self.config = folder / "c.yaml"
        text = f"source: {{uri: {folder}/raw}}\nsink: {{uri: {folder}/lake}}\napps: {{shop: {{transformer: clickstream_sdk}}}}"
        self.config.write_text(f"project_id: test\n{text}\n")

    def __call__(self, *options: str) -> tuple[int, str, str]:
        code = _exit_code(["report", "-c", str(self.config), *options], debug=False)
        return code, *self.capsys.readouterr()


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, capsys)


def test_the_command_says_where_the_page_is(command: Command) -> None:
    out = command.folder / "new" / "r.html"
    code, output, errors = command("--out", str(out), "--from", "2026-05-01", "--to", "2026-05-31", "--app", "shop")
    assert (code, errors) == (0, "")
    assert output.startswith(f"wrote {out} (")
    assert out.as_uri() in output
    assert Page(out.read_text(encoding="utf-8")).cards["figures"]["Events"] == ["1"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--app", "shp"], "error: there is no app 'shp', did you mean 'shop'?\nhint: apps are shop\n"),
        (["--from", "2026-06-02", "--to", "2026-06-01"], "error: --from 2026-06-02 is after --to 2026-06-01\nhint: days"),
        (["--out", "{}/raw"], "error: {}/raw: cannot be written: Is a directory\nhint: choose another file with --out\n"),
    ],
)
def test_mistakes(options: list[str], error: str, command: Command) -> None:
    code, output, errors = command(*(each.replace("{}", str(command.folder)) for each in options))
    assert (code, output) == (2, "")
    assert errors.startswith(error.replace("{}", str(command.folder)))


def test_no_tables_yet(command: Command) -> None:
    command.config.write_text(command.config.read_text().replace("/lake", "/nowhere"))
    code, _, errors = command()
    assert code == 4
    assert "there is no such table yet" in errors
