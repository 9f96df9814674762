"""The contract, a join, and files that are refused."""

import json
from pathlib import Path

import pytest
from reference_enricher import Reference, ReferenceOptions

from streaming_app.api import ConfigError
from streaming_app.storage.files import Storage
from streaming_app.testing import assert_enricher_contract, process, sample_events

NOW = 1_780_000_000_000
OFFICES = "platform,office,width\nWeb,Berlin,7\nAndroid,,8\n"


def made(folder: Path, text: str) -> Reference:
    file = folder / "offices.csv"
    file.write_text(text)
    columns = {"office": "geo_metro", "width": "device_screen_width"}
    return Reference(ReferenceOptions(uri=str(file), key="platform", match="platform", columns=columns), Storage())


def test_contract(tmp_path: Path) -> None:
    assert_enricher_contract(lambda: made(tmp_path, OFFICES))


def test_join(tmp_path: Path) -> None:
    enricher = made(tmp_path, OFFICES)
    enricher.open()
    rows = enricher.enrich(sample_events()).to_pylist()
    assert {(row["platform"], row["geo_metro"], row["device_screen_width"]) for row in rows} == {
        ("Web", "Berlin", 7),
        ("Android", None, 8),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no column office, platform, width"),
        ("platform,office\n", "there is no column width"),
        ("platform,office,width\nWeb,Berlin,1\nWeb,Paris,2\n", "column platform has a value twice"),
    ],
)
def test_a_file_that_is_no_such_table(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        made(tmp_path, text).open()


def test_a_column_that_event_does_not_have() -> None:
    with pytest.raises(ValueError, match="is no column of event"):
        ReferenceOptions(uri="a.csv", key="a", match="a", columns={"b": "geo_city"})


def test_what_a_run_stores(tmp_path: Path) -> None:
    (tmp_path / "offices.csv").write_text(OFFICES)
    options = (
        f"uri: {tmp_path}/offices.csv, key: platform, match: platform, columns: {{office: geo_metro, width: device_screen_width}}"
    )
    config = f"project_id: test\napps: {{shop: {{transformer: clickstream_sdk}}}}\nenrichers: [{{'reference_enricher:Reference': {{{options}}}}}]\n"
    sent = [
        {"event_id": name, "event_type": "e", "app_id": "shop", "timestamp": NOW, "platform": name} for name in ("Web", "iOS")
    ]
    request = {"appId": "shop", "rid": "r", "ingest_time": NOW, "data": json.dumps(sent)}
    events = process(config, [json.dumps(request)])["event"].sort_by("event_id").to_pylist()
    assert [(row["platform"], row["geo_metro"], row["device_screen_width"]) for row in events] == [
        ("Web", "Berlin", 7),
        ("iOS", None, None),
    ]
