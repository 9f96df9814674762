"""What can be configured of the traffic source enricher, for all apps and for each."""

from __future__ import annotations

from pydantic import Field

from streaming_app.config.section import Section, Uri

Host = str


class AppOptions(Section):
    categories: Uri | None = None
    """Category file: which referrers and sources are what; the shipped one where absent."""
    channels: Uri | None = None
    """Channel file: ordered rules; the shipped one where absent."""
    click_ids: Uri | None = None
    """Table of click ids in order of precedence; the shipped one where absent."""
    own_domains: tuple[Host, ...] | None = None
    """Hosts of your own, with all below them: their pages are no sources. The page's own site never is."""
    ignored_referrers: tuple[Host, ...] | None = None
    """Hosts, with all below them, that are no sources, such as payment pages; in place of the shipped list, which the word
    `default` stands for."""


class TrafficSourceOptions(AppOptions):
    rules: Uri | None = None
    """Folder of rule files by app, as the reference system keeps them: <rules>/<app_id>/traffic_source_category_rule_v1.json
    and traffic_source_channel_rule_v1.json, each where it is there."""
    apps: dict[str, AppOptions] = Field(default_factory=dict)
    """App id to what is different for it."""
