"""What the generator says it wrote is what the pipeline finds."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from streaming_app.demo.generate import generate
from tests.support.lake import Lake

UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCUMENTATION = [ip_network(each) for each in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
EVERY_REASON = {"in_future", "malformed_event", "malformed_line", "malformed_payload", "too_late", "unknown_app"}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.gz"))}


def requests_of(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines that are JSON, each with its file."""
    for name, content in files_of(folder).items():
        for line in gzip.decompress(content).splitlines():
            try:
                yield name, json.loads(line)
            except ValueError:
                continue


def found(lake: Lake, sql: str) -> int:
    [count] = lake.query(sql).column(0).to_pylist()
    return int(count)


@pytest.mark.parametrize("seed", [7, 8])
@pytest.mark.parametrize("events", [200, 3_000])
def test_the_pipeline_finds_exactly_what_was_announced(events: int, seed: int, tmp_path: Path) -> None:
    made = generate(tmp_path / "raw", events, seed=seed, until=UNTIL)
    lake = Lake(tmp_path)
    metrics = lake.ingest(*(tmp_path / "raw").rglob("*.gz"), tasks=2)
    assert (metrics["received"], metrics["written"], metrics["duplicate"]) == (made.received, events, made.resent)
    assert json.loads(metrics["quarantined_by_reason"]) == made.broken
    assert (metrics["files"], metrics["lines"], metrics["items"]) == (made.files, made.lines, made.items)
    assert found(lake, "SELECT count(DISTINCT event_id) FROM event") == made.events == events
    assert found(lake, "SELECT count(DISTINCT (event_id, item_index)) FROM item") == made.items
    assert found(lake, "SELECT count(DISTINCT user_pseudo_id) FROM event") == made.users
    assert found(lake, "SELECT count(DISTINCT (user_pseudo_id, session_id)) FROM event") == made.sessions


@pytest.mark.parametrize("seed", range(5))
def test_even_little_data_has_dirt_of_every_kind(seed: int, tmp_path: Path) -> None:
    made = generate(tmp_path, 200, seed=seed, until=UNTIL)
    assert set(made.broken) == EVERY_REASON
    assert made.late == made.broken["too_late"] >= 1
    assert made.resent >= 1


def test_times_lie_in_the_span(tmp_path: Path) -> None:
    """Also those of clients with a wrong clock, once they are corrected."""
    generate(tmp_path / "raw", 1_000, until=UNTIL)
    lake = Lake(tmp_path)
    lake.ingest(*(tmp_path / "raw").rglob("*.gz"))
    begin = (UNTIL - timedelta(hours=24)).timestamp() * 1_000
    ingest = "SELECT count(*) FROM event WHERE ingest_time_msec BETWEEN {} AND {}"
    assert found(lake, ingest.format(begin, UNTIL.timestamp() * 1_000 - 1)) == 1_000
    assert found(lake, "SELECT count(*) FROM event WHERE event_time_msec > ingest_time_msec + 999") == 0
    assert found(lake, "SELECT count(*) FROM event WHERE process_info LIKE '%event_timestamp_adjusted%'") > 0
    assert found(lake, "SELECT count(*) FROM event WHERE ingest_time_msec - event_time_msec > 2 * 3600000") > 0
    assert found(lake, "SELECT count(*) FROM event WHERE process_info LIKE '%\"unreadable\"%'") == 0


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    made = [
        generate(tmp_path / "a", 1_000, until=UNTIL),
        generate(tmp_path / "b", 1_000, until=UNTIL + timedelta(minutes=59), processes=2),
    ]
    assert made[0] == made[1]
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    generate(tmp_path / "c", 1_000, until=UNTIL, seed=8)
    assert files_of(tmp_path / "c") != files_of(tmp_path / "a")


@pytest.mark.parametrize(("events", "files", "written"), [(1, None, 1), (500, None, 6), (500, 1, 1), (500, 5, 5), (500, 60, 60)])
def test_files(events: int, files: int | None, written: int, tmp_path: Path) -> None:
    made = generate(tmp_path, events, files=files, until=UNTIL)
    content = files_of(tmp_path)
    assert made.files == len(content) == written
    assert made.stored_bytes == sum(map(len, content.values()))
    assert made.lines == sum(len(gzip.decompress(each).splitlines()) for each in content.values())
    for name, request in requests_of(tmp_path):
        hour = datetime.fromtimestamp(request["ingest_time"] / 1_000, UTC)
        assert name.startswith(f"{hour:year=%Y/month=%m/day=%d/hour=%H}/")


def test_fewer_events_than_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot fill"):
        generate(tmp_path, 3, files=4)


def test_requests_are_those_of_real_clients(tmp_path: Path) -> None:
    made = generate(tmp_path, 3_000, until=UNTIL)
    requests = [request for _, request in requests_of(tmp_path)]
    assert 950 < made.decoded_bytes / made.events < 1_250
    assert 10 < made.events / len(requests) < 18
    assert 0.7 < sum(request["compression"] == "gzip" for request in requests) / len(requests) < 0.95
    for request in requests:
        assert request["client_timestamp"].isdecimal()
        assert f"upload_timestamp={request['client_timestamp']}" in request["uri"]
        for address in request["ip"].split(", "):
            assert any(ip_address(address) in network for network in DOCUMENTATION)


def test_resent_requests_differ_only_in_what_the_server_adds(tmp_path: Path) -> None:
    generate(tmp_path, 3_000, until=UNTIL)
    copies: dict[str, list[dict[str, Any]]] = {}
    for _, request in requests_of(tmp_path):
        copies.setdefault(request["uri"] + request["data"], []).append(request)
    resent = [each for each in copies.values() if len(each) > 1]
    assert resent
    for first, again, *_ in resent:
        assert first["rid"] != again["rid"]
        own = {"rid", "timestamp", "date", "ingest_time", "server_ingest_time"}
        assert {key: value for key, value in first.items() if key not in own}.items() <= again.items()
