"""The folder of a demo: generated raw files, a geo database and the configuration of a pipeline that reads them."""

from __future__ import annotations

import shutil
from pathlib import Path

from streaming_app.demo.apps import APPS
from streaming_app.demo.counts import Generated
from streaming_app.demo.generate import generate
from streaming_app.demo.geo import write_geo_database
from streaming_app.errors import ConfigError

_MARKER = ".clickstream-demo"
_CONFIG = """# Written by `clickstream demo`.
project_id: demo
source: {{uri: {folder}/raw}}
sink:   {{uri: {folder}/lake}}
apps:
{apps}
enrichers:
  - ip: {{database: {folder}/geo.mmdb, trusted_proxies: 1}}
  - user_agent: {{}}
  - traffic_source: {{}}
"""

PREVIEWS = {
    "event": "app_id AS app, event_timestamp, event_name, platform, geo_city, device_ua_browser AS browser, "
    "device_ua_device_category AS device, traffic_source_source AS source, traffic_source_channel_group AS channel "
    "FROM event ORDER BY row_number() OVER (PARTITION BY app ORDER BY channel IS NULL, event_timestamp DESC, event_id), app",
    "item": "event_name, item_id, name, price, quantity FROM item ORDER BY event_timestamp DESC, event_id, item_index",
    "change": "event_timestamp, event_name, coalesce(user_pseudo_id, item_id) AS whose, properties_json_str FROM change "
    "ORDER BY row_number() OVER (PARTITION BY event_name ORDER BY event_timestamp DESC, event_id), event_name",
    "user": "user_pseudo_id, user_id, first_visit_date, first_traffic_source, first_traffic_channel_group AS first_channel, "
    'first_referrer FROM "user" ORDER BY user_id, 1',
    "session": "session_start, user_pseudo_id, event_count, page_view_count AS views, engagement_time_msec AS engaged, "
    "is_bounce, session_source, session_channel_group AS channel, geo_country FROM session ORDER BY event_count DESC, 1, 2",
    "item_attributes": "item_id, event_timestamp, is_deleted, attributes_json_str FROM item_attributes ORDER BY 2 DESC, 1",
    "quarantine": "app_id AS app, reason, stage, message FROM quarantine ORDER BY reason, app, source_file, source_line",
    "run_metrics": "batch_id, files, received, written, duplicate, filtered, quarantined, pass_cpu_seconds FROM run_metrics",
}
"""What is shown of each table: the columns and the order of a SELECT."""


def prepare(folder: Path, events: int) -> tuple[Generated, Path]:
    """Write the folder of a demo with so many distinct good events; returns what was generated and the configuration's path.

    Raises:
        ConfigError: the folder holds anything but an earlier demo.
    """
    _clear(folder)
    generated = generate(folder / "raw", events, apps=tuple(APPS))
    write_geo_database(folder / "geo.mmdb")
    config_path = folder / "pipeline.yaml"
    apps = "\n".join(f"  {app_id}: {{transformer: {app.transformer}}}" for app_id, app in APPS.items())
    config_path.write_text(_CONFIG.format(folder=folder, apps=apps))
    return generated, config_path


def _clear(folder: Path) -> None:
    """Empty the folder of an earlier demo; never one that holds anything else."""
    holds_other_files = folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / _MARKER).exists())
    if holds_other_files:
        raise ConfigError(f"{folder} is there and is no folder of an earlier demo", "choose another one with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARKER).touch()
