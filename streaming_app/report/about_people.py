"""The sections about people: how many came, from where, with what, and what they did."""

from __future__ import annotations

from collections.abc import Sequence

from streaming_app.derive.session_rows import BOUNCE_ENGAGEMENT_MS
from streaming_app.lake.query import Ask
from streaming_app.report import traffic, visitors
from streaming_app.report.blocks import BarRow, BarTable, Block, ReportSection, TableColumn, ranking
from streaming_app.report.charts import line_chart
from streaming_app.report.funnel import FunnelStep, funnels
from streaming_app.report.period import Period
from streaming_app.report.terms import Rows
from streaming_app.report.words import count, decimal, part, percent, shorten, span, step

TOP = 10
"""Rows of a table; what is beyond is counted."""
MOST_FUNNELS = 6

_DURATIONS = {
    "less than 10 s": 0,
    "10 s to 1 min": 10_000,
    "1 to 3 min": 60_000,
    "3 to 10 min": 180_000,
    "10 to 30 min": 600_000,
    "30 min and more": 1_800_000,
}
"""From how many ms on."""
_EVENT_COUNTS = {"1": 0, "2 to 5": 2, "6 to 10": 6, "11 to 20": 11, "21 to 50": 21, "51 and more": 51}

_SESSIONS: TableColumn = ("Sessions", lambda row: count(row["sessions"]))
_USERS: TableColumn = ("Users", lambda row: count(row["users"]))
_BOUNCES: TableColumn = ("Bounce rate", lambda row: percent(row["bounce_rate"]))
_VIEWS: TableColumn = ("Views", lambda row: decimal(row["views"]))
_ENGAGED: TableColumn = ("Engaged", lambda row: span(row["engaged_msec"]))


def _share(measure: str, total: int | None = None) -> TableColumn:
    """Of all groups, also those that are not shown, or of a total."""
    return "Share", lambda row: part(row[measure], row["total"] if total is None else total)


def over_time(ask: Ask, period: Period | None) -> ReportSection:
    found = traffic.course(ask, period) if period else []
    blocks: list[Block] = []
    details = None
    if period and found:
        times = [row["at"] for row in found]
        for title, lines in (("Users and sessions", ("users", "sessions")), ("Events and views", ("events", "views"))):
            series = {name: [row[name] for row in found] for name in lines}
            blocks.append(line_chart(f"{title} per {period.grain}", series, times, period.grain))
        shown = [BarRow(step(row["at"], period.grain), 0, [count(row[name]) for name in _COURSE]) for row in found]
        details = BarTable("All numbers", period.grain.capitalize(), [name.capitalize() for name in _COURSE], shown)
    names = traffic.events_by_name(ask, TOP)
    blocks.append(
        ranking("Events by name", "Event", names, "events", [("Events", lambda row: count(row["events"])), _USERS], wide=True)
    )
    return ReportSection("traffic", "Traffic over time", "", blocks, details)


_COURSE = ("users", "sessions", "events", "views")


def channels(ask: Ask) -> ReportSection:
    sessions = visitors.sessions_by(ask, visitors.CHANNEL, TOP)
    first = visitors.first_channels(ask, TOP)
    sources = visitors.sessions_by(ask, visitors.SOURCE, TOP, only_known=True)
    sites = visitors.referrers(ask, TOP)
    visits: TableColumn = ("Visits", lambda row: count(row["visits"]))
    blocks = [
        ranking("Sessions by channel", "Channel", sessions, "sessions", [_SESSIONS, _share("sessions"), _BOUNCES, _ENGAGED]),
        ranking("Users by the channel that brought them first", "Channel", first, "users", [_USERS, _share("users")]),
        ranking("Sources", "Source / medium", sources, "sessions", [_SESSIONS, _share("sessions"), _BOUNCES]),
        ranking("Sites that refer", "Site", sites, "visits", [visits, _USERS]),
    ]
    intro = (
        "A session has the channel of its first source that is not direct. Without any source, as in many apps, it is unknown."
    )
    return ReportSection("channels", "Channels and sources", intro, blocks)


def landing_pages(ask: Ask) -> ReportSection:
    pages = visitors.sessions_by(ask, visitors.LANDING_PAGE, TOP, only_known=True)
    columns = [_SESSIONS, _share("sessions"), _BOUNCES, _VIEWS]
    intro = (
        "Pages and screens on which sessions begin, without query parameters. A bounce has at most one view and less than "
        f"{BOUNCE_ENGAGEMENT_MS // 1000} s of engagement; views are per session."
    )
    return ReportSection("pages", "Landing pages", intro, [ranking("", "Page or screen", pages, "sessions", columns)])


def devices(ask: Ask, users: int) -> ReportSection:
    found = visitors.devices(ask, TOP)
    titles = {"category": "Kind of device", "os": "Operating system", "browser": "Browser or app"}
    columns = [_USERS, _share("users", users)]
    blocks = [ranking(title, title, found[name], "users", columns) for name, title in titles.items()]
    return ReportSection("devices", "Devices", "By user agent and client hints. Who came with two counts with both.", blocks)


def countries(ask: Ask) -> ReportSection:
    found = visitors.sessions_by(ask, visitors.COUNTRY, TOP)
    columns = [_SESSIONS, _USERS, _share("sessions"), _BOUNCES, _ENGAGED]
    return ReportSection(
        "countries",
        "Countries",
        "By the address of a session's first event.",
        [ranking("", "Country", found, "sessions", columns)],
    )


def funnel(ask: Ask) -> ReportSection:
    found = funnels(ask, MOST_FUNNELS)
    blocks = [_funnel(app_id, steps) for app_id, steps in found.items()]
    nothing = [BarTable("Funnel", "Step", [], [], nothing="No app has events of two of the steps yet.")]
    intro = (
        "How many people did each step after the one before it; the step rate is of those. A login is one person on all "
        "devices. Pages are screens too, and steps that an app does not measure are left out."
    )
    return ReportSection("funnel", "Funnel", intro, blocks or nothing)


def _funnel(app_id: str, steps: Sequence[tuple[FunnelStep, int]]) -> BarTable:
    counts = [people for _, people in steps]
    rows = [
        {
            "label": step.title,
            "people": people,
            "of_first": part(people, counts[0]),
            "of_previous": part(people, before) if number else "",
        }
        for number, ((step, people), before) in enumerate(zip(steps, [0, *counts], strict=False))
    ]
    columns: list[TableColumn] = [
        ("People", lambda row: count(row["people"])),
        ("Of all", lambda row: str(row["of_first"])),
        ("Step rate", lambda row: str(row["of_previous"])),
    ]
    return ranking(shorten(app_id), "Step", rows, "people", columns)


def sessions(ask: Ask) -> ReportSection:
    kinds = visitors.new_and_returning(ask)
    blocks = [
        _histogram("Duration", "From first to last event", _DURATIONS, ask, "duration_msec"),
        _histogram("Events per session", "Events", _EVENT_COUNTS, ask, "event_count"),
        ranking("New and returning users", "User", kinds, "sessions", [_SESSIONS, _USERS, _BOUNCES, _VIEWS, _ENGAGED], wide=True),
    ]
    return ReportSection(
        "sessions", "Sessions", "New is a session on the day of the user's first visit. Views and engaged time are means.", blocks
    )


def _histogram(title: str, head: str, bounds: dict[str, int], ask: Ask, measure: str) -> BarTable:
    counts = visitors.histogram(ask, measure, list(bounds.values()))
    total = sum(counts)
    rows: Rows = [{"label": label, "sessions": number, "total": total} for label, number in zip(bounds, counts, strict=True)]
    return ranking(title, head, rows if total else [], "sessions", [_SESSIONS, _share("sessions")])
