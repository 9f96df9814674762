"""The sections about people: how many came, from where, with what, and what they did."""

from __future__ import annotations

from collections.abc import Sequence

from streaming_app.derive.session_rows import BOUNCE_ENGAGEMENT_MS
from streaming_app.lake.query import Query
from streaming_app.report import traffic, visitors
from streaming_app.report.blocks import BarRow, BarTable, Block, ReportSection, TableColumn, ranking
from streaming_app.report.charts import line_chart
from streaming_app.report.formats import (
    format_count,
    format_decimal,
    format_duration,
    format_percent,
    format_share,
    format_step,
    shorten,
)
from streaming_app.report.funnel import FunnelStep, query_funnels
from streaming_app.report.period import Period
from streaming_app.report.terms import Rows

TOP = 10
"""Rows of a table; what is beyond is counted."""
MAX_FUNNELS = 6

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

_SESSIONS: TableColumn = ("Sessions", lambda row: format_count(row["sessions"]))
_USERS: TableColumn = ("Users", lambda row: format_count(row["users"]))
_BOUNCES: TableColumn = ("Bounce rate", lambda row: format_percent(row["bounce_rate"]))
_VIEWS: TableColumn = ("Views", lambda row: format_decimal(row["views"]))
_ENGAGED: TableColumn = ("Engaged", lambda row: format_duration(row["engaged_msec"]))


def _share(measure: str, total: int | None = None) -> TableColumn:
    """A column with the share of all groups, shown or not, or of a total."""
    return "Share", lambda row: format_share(row[measure], row["total"] if total is None else total)


def over_time(query: Query, period: Period | None) -> ReportSection:
    found = traffic.query_course(query, period) if period else []
    blocks: list[Block] = []
    details = None
    if period and found:
        times = [row["at"] for row in found]
        for title, lines in (("Users and sessions", ("users", "sessions")), ("Events and views", ("events", "views"))):
            series = {name: [row[name] for row in found] for name in lines}
            blocks.append(line_chart(f"{title} per {period.grain}", series, times, period.grain))
        shown = [BarRow(format_step(row["at"], period.grain), 0, [format_count(row[name]) for name in _COURSE]) for row in found]
        details = BarTable("All numbers", period.grain.capitalize(), [name.capitalize() for name in _COURSE], shown)
    names = traffic.query_events_by_name(query, TOP)
    blocks.append(
        ranking(
            "Events by name", "Event", names, "events", [("Events", lambda row: format_count(row["events"])), _USERS], wide=True
        )
    )
    return ReportSection("traffic", "Traffic over time", "", blocks, details)


_COURSE = ("users", "sessions", "events", "views")


def channels(query: Query) -> ReportSection:
    sessions = visitors.query_sessions_by(query, visitors.CHANNEL, TOP)
    first = visitors.query_first_channels(query, TOP)
    sources = visitors.query_sessions_by(query, visitors.SOURCE, TOP, only_known=True)
    sites = visitors.query_referrers(query, TOP)
    visits: TableColumn = ("Visits", lambda row: format_count(row["visits"]))
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


def landing_pages(query: Query) -> ReportSection:
    pages = visitors.query_sessions_by(query, visitors.LANDING_PAGE, TOP, only_known=True)
    columns = [_SESSIONS, _share("sessions"), _BOUNCES, _VIEWS]
    intro = (
        "Pages and screens on which sessions begin, without query parameters. A bounce has at most one view and less than "
        f"{BOUNCE_ENGAGEMENT_MS // 1000} s of engagement; views are per session."
    )
    return ReportSection("pages", "Landing pages", intro, [ranking("", "Page or screen", pages, "sessions", columns)])


def devices(query: Query, users: int) -> ReportSection:
    found = visitors.query_devices(query, TOP)
    titles = {"category": "Kind of device", "os": "Operating system", "browser": "Browser or app"}
    columns = [_USERS, _share("users", users)]
    blocks = [ranking(title, title, found[name], "users", columns) for name, title in titles.items()]
    return ReportSection("devices", "Devices", "By user agent and client hints. Who came with two counts with both.", blocks)


def countries(query: Query) -> ReportSection:
    found = visitors.query_sessions_by(query, visitors.COUNTRY, TOP)
    columns = [_SESSIONS, _USERS, _share("sessions"), _BOUNCES, _ENGAGED]
    return ReportSection(
        "countries",
        "Countries",
        "By the address of a session's first event.",
        [ranking("", "Country", found, "sessions", columns)],
    )


def funnel(query: Query) -> ReportSection:
    found = query_funnels(query, MAX_FUNNELS)
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
            "of_first": format_share(people, counts[0]),
            "of_previous": format_share(people, before) if number else "",
        }
        for number, ((step, people), before) in enumerate(zip(steps, [0, *counts], strict=False))
    ]
    columns: list[TableColumn] = [
        ("People", lambda row: format_count(row["people"])),
        ("Of all", lambda row: str(row["of_first"])),
        ("Step rate", lambda row: str(row["of_previous"])),
    ]
    return ranking(shorten(app_id), "Step", rows, "people", columns)


def sessions(query: Query) -> ReportSection:
    kinds = visitors.query_new_and_returning(query)
    blocks = [
        _histogram("Duration", "From first to last event", _DURATIONS, query, "duration_msec"),
        _histogram("Events per session", "Events", _EVENT_COUNTS, query, "event_count"),
        ranking("New and returning users", "User", kinds, "sessions", [_SESSIONS, _USERS, _BOUNCES, _VIEWS, _ENGAGED], wide=True),
    ]
    return ReportSection(
        "sessions", "Sessions", "New is a session on the day of the user's first visit. Views and engaged time are means.", blocks
    )


def _histogram(title: str, head: str, bounds: dict[str, int], query: Query, measure: str) -> BarTable:
    counts = visitors.query_histogram(query, measure, list(bounds.values()))
    total = sum(counts)
    rows: Rows = [{"label": label, "sessions": number, "total": total} for label, number in zip(bounds, counts, strict=True)]
    return ranking(title, head, rows if total else [], "sessions", [_SESSIONS, _share("sessions")])
