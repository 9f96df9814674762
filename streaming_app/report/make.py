"""Making the report of a pipeline's tables: which files are queried, and how the sections are put together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import Path

from streaming_app.config.model import Config
from streaming_app.environment import open_lake
from streaming_app.errors import ConfigError, QueryError
from streaming_app.lake.lake import Lake
from streaming_app.lake.query import Query, Snapshot, query_session, snapshot
from streaming_app.model.tables import EVENT, ITEM, QUARANTINE, RUN_METRICS, SESSION, USER
from streaming_app.report import about_data, about_people
from streaming_app.report.blocks import ReportSection
from streaming_app.report.formats import format_count, format_period, format_share
from streaming_app.report.key_figures import Figures, make_cards
from streaming_app.report.page import ReportPage, render
from streaming_app.report.period import Period, ReportPeriod, choose_period, day_of
from streaming_app.report.traffic import query_figures

_TABLES = (EVENT, ITEM, USER, SESSION, QUARANTINE, RUN_METRICS)


def write_report(config: Config, out: Path, app: str | None = None, first: date | None = None, last: date | None = None) -> None:
    """Write the report of now to a file.

    Raises:
        ConfigError: the file cannot be written.
    """
    page = make_report(config, app, first, last, datetime.now(UTC))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror}", "choose another file with --out") from None


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
    with query_session(lake, chosen) as query:
        now_figures = query_figures(query)
        sections = _sections(query, config, found, app, now_figures)
    return render(
        ReportPage(
            project=config.project_id,
            period=format_period(found.period) if found.period else "",
            note=found.note,
            apps=sorted({file.partition["app_id"] for file in chosen["event"]}) or sorted([app] if app else config.apps),
            compared=format_period(found.previous) if found.previous else "",
            cards=make_cards(now_figures, _before(lake, _of_app(files, app), found.previous)),
            asides=list(_asides(now_figures)),
            sections=sections,
        ),
        now,
    )


def _sections(query: Query, config: Config, found: ReportPeriod, app: str | None, now: Figures) -> list[ReportSection]:
    return [
        about_people.over_time(query, found.period),
        about_people.channels(query),
        about_people.landing_pages(query),
        about_people.devices(query, now["users"]),
        about_people.countries(query),
        about_people.funnel(query),
        about_people.sessions(query),
        about_data.data_quality(query, found.received, app),
        about_data.costs(query, found.received, config.emr),
    ]


def _before(lake: Lake, files: Snapshot, previous: Period | None) -> Figures | None:
    if previous is None:
        return None
    with query_session(lake, _within(files, previous)) as query:
        return query_figures(query)


def _asides(now: Figures) -> Iterator[str]:
    if now["all_events"] and not now["judged_events"]:
        yield "Bots count like people: nothing marks their events, as the user_agent enricher would."
    elif now["all_events"]:
        bots = now["all_events"] - now["events"]
        of_all = f"{format_count(bots)} of {format_count(now['all_events'])} events ({format_share(bots, now['all_events'])})"
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
    """Files of a period; without a period, only those that belong to no day."""
    return {
        name: [file for file in of_table if (period.has(file.partition) if period else day_of(file.partition) is None)]
        for name, of_table in files.items()
    }
