"""The report in a real browser: it loads nothing, complains of nothing, and can be read on a phone and at a desk, by day and night.

Chromium and its driver are Debian's packages chromium and chromium-driver; where they are missing, one line says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from streaming_app.demo.apps import APPS
from streaming_app.demo.generate import generate
from streaming_app.demo.geo import write_geo_database
from streaming_app.report.make import make_report
from tests.e2e.conftest import CHROMIUM, DRIVER
from tests.support.lake import LocalPipeline
from tests.support.raw import event, line, write
from tests.support.shop_story import SETTINGS, derive

pytestmark = pytest.mark.browser
NOON = datetime(2026, 5, 28, 20, 30, tzinfo=UTC)
LONG = "https://shop.example/" + "a-page-without-a-place-to-break-the-line/" * 8
HOSTILE = "</bdi></table><script>console.error('ran')</script><img src='http://127.0.0.1:9/x.png' onerror='console.error(1)'>"
WIDTHS = {"phone": 360, "tablet": 768, "desktop": 1280}
AT_WIDTHS = [
    pytest.param(width, id=name, marks=[] if name == "phone" else [pytest.mark.exhaustive]) for name, width in WIDTHS.items()
]
SECTIONS = ["figures", "traffic", "channels", "pages", "devices", "countries", "funnel", "sessions", "quality", "cost"]
SMALLEST_TEXT_PX, LEAST_CONTRAST = 14, 4.5  # WCAG 2.2, 1.4.3

# Every piece of text that is shown: how large, and its contrast with the first opaque background below it, or a bar's.
TEXTS = """
const found = [];
const rgb = (css) => css.match(/[\\d.]+/g).map(Number);
const light = (css) => {
  const [r, g, b] = rgb(css).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const owner = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || owner.closest("svg, details:not([open]) > :not(summary)") || !owner.getClientRects().length) continue;
  let below = owner;
  while (below.parentElement && (rgb(getComputedStyle(below).backgroundColor)[3] ?? 1) === 0) below = below.parentElement;
  const style = getComputedStyle(owner);
  const bar = owner.closest("th")?.querySelector(".bar");
  const backs = [below, ...(bar ? [bar] : [])].map((each) => getComputedStyle(each).backgroundColor);
  found.push([walker.currentNode.data.trim(), parseFloat(style.fontSize), Math.min(...backs.map((back) => contrast(style.color, back)))]);
}
return found;
"""
# What sticks out of the page, unless it is in a box that scrolls.
OUTSIDE = """
return [...document.querySelectorAll("body *")].filter((each) =>
  each.getClientRects().length && each.getBoundingClientRect().right > innerWidth + 1 && !each.closest(".scroll, nav ul, svg")
).map((each) => each.outerHTML.slice(0, 200));
"""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    """A small demo, and events of somebody who wants to break the page."""
    folder = tmp_path_factory.mktemp("demo")
    generate(folder / "raw", 2_000, apps=tuple(APPS), until=datetime(2026, 5, 28, 20, tzinfo=UTC))
    write_geo_database(folder / "geo.mmdb")
    attributes = {"_session_id": "s", "_page_url": LONG, "_page_referrer": "https://" + "long-" * 40 + ".example/"}
    bad = [event("x", event_type=HOSTILE), event("y", attributes=attributes), event("z", attributes={"_page_url": HOSTILE})]
    write(folder / "raw", "hostile.gz", line(*bad), line(event("q", app_id=HOSTILE)))
    pipeline = LocalPipeline(folder, SETTINGS.format(folder=folder))
    pipeline.ingest(*(folder / "raw").rglob("*.gz"))
    derive(pipeline)
    return pipeline


@pytest.fixture(scope="module")
def page(pipeline: LocalPipeline) -> str:
    """Address of the page about it."""
    path = pipeline.folder / "report.html"
    path.write_text(make_report(pipeline.config, None, None, None, NOON), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def empty_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("empty")
    path = folder / "report.html"
    path.write_text(make_report(LocalPipeline(folder).config, None, None, None, NOON), encoding="utf-8")
    return path.as_uri()


class Browser:
    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def show(self, page: str, width: int, scheme: str = "light") -> None:
        commands: dict[str, dict[str, Any]] = {
            "Emulation.setDeviceMetricsOverride": {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700},
            "Emulation.setEmulatedMedia": {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        }
        for command, arguments in commands.items():
            self.driver.execute_cdp_cmd(command, arguments)
        for log in ("browser", "performance"):
            self.driver.get_log(log)  # what earlier pages left there
        self.driver.get(page)

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was shown."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield Browser(driver)
    driver.quit()


def test_it_loads_nothing_and_complains_of_nothing(browser: Browser, page: str) -> None:
    browser.show(page, WIDTHS["desktop"])
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page]
    assert browser.driver.get_log("browser") == []
    assert browser.run("return performance.getEntriesByType('resource').length") == 0
    assert browser.run("return document.scripts.length + document.images.length") == 0


def test_the_log_tells_of_mistakes(browser: Browser, tmp_path: Path) -> None:
    """That the test above would find some."""
    bad = tmp_path / "bad.html"
    bad.write_text("<script>console.error('ran')</script><img src='no.png'>")
    browser.show(bad.as_uri(), WIDTHS["desktop"])
    assert (tmp_path / "no.png").as_uri() in browser.requests()
    assert any("ran" in entry["message"] for entry in browser.driver.get_log("browser"))


@pytest.mark.parametrize("width", AT_WIDTHS)
@pytest.mark.parametrize("which", ["page", "empty_page"])
def test_it_fits(browser: Browser, which: str, width: int, request: pytest.FixtureRequest) -> None:
    browser.show(request.getfixturevalue(which), width)
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert browser.run("return innerWidth") == width
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run(OUTSIDE) == []


@pytest.mark.parametrize("which", ["page", "empty_page"])
def test_every_section_is_there(browser: Browser, which: str, request: pytest.FixtureRequest) -> None:
    browser.show(request.getfixturevalue(which), WIDTHS["phone"])
    found = browser.run("return [...document.querySelectorAll('section')].map((each) => [each.id, each.offsetHeight])")
    assert [name for name, _ in found] == SECTIONS
    assert all(height > 80 for _, height in found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_large_and_dark_enough(browser: Browser, page: str, scheme: str) -> None:
    browser.show(page, WIDTHS["phone"], scheme)
    texts = browser.run(TEXTS)
    assert len(texts) > 300
    assert [text for text, size, _ in texts if size < SMALLEST_TEXT_PX] == []
    assert [(text, contrast) for text, _, contrast in texts if contrast < LEAST_CONTRAST] == []
    assert any(HOSTILE[:100] in text for text, _, _ in texts)


def test_schemes_differ(browser: Browser, page: str) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        browser.show(page, WIDTHS["desktop"], scheme)
        colours.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


def test_charts_are_drawn_and_told(browser: Browser, page: str) -> None:
    browser.show(page, WIDTHS["phone"])
    charts = browser.run(
        "return [...document.querySelectorAll('svg')].map((each) => "
        "[each.getAttribute('role'), each.getAttribute('aria-label'), each.clientWidth, each.querySelectorAll('polyline').length])"
    )
    assert [(role, lines) for role, _, _, lines in charts] == [("img", 2), ("img", 2)]
    assert all("on average" in told and width > 200 for _, told, width, _ in charts)


def test_it_can_be_printed(browser: Browser, page: str) -> None:
    browser.show(page, WIDTHS["desktop"])
    assert len(browser.driver.print_page()) > 50_000  # base64 of the PDF
