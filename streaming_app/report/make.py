"""The report of a pipeline's tables: what to ask of which files, put together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from difflib import get_close_matches

from streaming_app.config.model import Config
from streaming_app.environment import open_lake
from streaming_app.errors import QueryError
from streaming_app.lake.lake import Lake
from streaming_app.lake.query import Ask, Snapshot, asking, snapshot
from streaming_app.model.tables import EVENT, ITEM, QUARANTINE, RUN_METRICS, SESSION, USER
from streaming_app.report import about_data, about_people
from streaming_app.report.blocks import ReportSection
from streaming_app.report.key_figures import Figures, cards
from streaming_app.report.page import ReportPage, render
from streaming_app.report.period import Period, ReportPeriod, choose_period, day_of
from streaming_app.report.traffic import figures
from streaming_app.report.words import count, days, part

_TABLES = (EVENT, ITEM, USER, SESSION, QUARANTINE, RUN_METRICS)


def make_report(config: Config, app: str | None, first: date | None, last: date | None, now: datetime) -> str:
    """The page about one app or all, and the days of events from first to last, as HTML.

    Raises:
        QueryError: there is no such app, or the days make no period.
        SinkError: a table is not there.
    """
    lake = open_lake(config)
    files = snapshot(lake, _TABLES)
    known = {file.partition["app_id"] for file in files["event"]}
    if app is not None:
        _check_app(app, known | set(config.apps))
    found = choose_period({day for file in _of_app(files, app)["event"] if (day := day_of(file.partition))}, first, last)
    chosen = _within(_of_app(files, app), found.period)
    with asking(lake, chosen) as ask:
        now_figures = figures(ask)
        sections = _sections(ask, config, found, app, now_figures)
    return render(
        ReportPage(
            project=config.project_id,
            period=days(found.period) if found.period else "",
            note=found.note,
            apps=sorted({file.partition["app_id"] for file in chosen["event"]}) or sorted([app] if app else config.apps),
            compared=days(found.previous) if found.previous else "",
            cards=cards(now_figures, _before(lake, _of_app(files, app), found.previous)),
            asides=list(_asides(now_figures)),
            sections=sections,
        ),
        now,
    )


def _sections(ask: Ask, config: Config, found: ReportPeriod, app: str | None, now: Figures) -> list[ReportSection]:
    return [
        about_people.over_time(ask, found.period),
        about_people.channels(ask),
        about_people.landing_pages(ask),
        about_people.devices(ask, now["users"]),
        about_people.countries(ask),
        about_people.funnel(ask),
        about_people.sessions(ask),
        about_data.data_quality(ask, found.received, app),
        about_data.costs(ask, found.received, config.emr),
    ]


def _before(lake: Lake, files: Snapshot, previous: Period | None) -> Figures | None:
    if previous is None:
        return None
    with asking(lake, _within(files, previous)) as ask:
        return figures(ask)


def _asides(now: Figures) -> Iterator[str]:
    if now["all_events"] and not now["judged_events"]:
        yield "Bots count like people: nothing tells which events are theirs, as the user_agent enricher would."
    elif now["all_events"]:
        bots = now["all_events"] - now["events"]
        of_all = f"{count(bots)} of {count(now['all_events'])} events ({part(bots, now['all_events'])})"
        yield f"Bots sent {of_all}. They are left out, except among orders, which servers report as well, and in data quality."


def _check_app(app: str, known: set[str]) -> None:
    if app not in known:
        close = get_close_matches(app, known, n=1)
        raise QueryError(
            f"there is no app {app!r}" + (f", did you mean {close[0]!r}?" if close else ""),
            f"apps are {', '.join(sorted(known))}",
        )


def _of_app(files: Snapshot, app: str | None) -> Snapshot:
    """Files of one app, and of tables that are not partitioned by app."""
    return {
        name: [file for file in of_table if app is None or file.partition.get("app_id", app) == app]
        for name, of_table in files.items()
    }


def _within(files: Snapshot, period: Period | None) -> Snapshot:
    """Files of a period; without one none that belong to days."""
    return {
        name: [file for file in of_table if (period.has(file.partition) if period else day_of(file.partition) is None)]
        for name, of_table in files.items()
    }
