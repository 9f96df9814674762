"""Loads the rules of all apps from the files in the options; each file is read once."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from streaming_app.config.shipped_files import conf_file
from streaming_app.enrichers.traffic_source.advertising import Advertising
from streaming_app.enrichers.traffic_source.campaigns import CampaignReader
from streaming_app.enrichers.traffic_source.channels import Channels
from streaming_app.enrichers.traffic_source.options import AppOptions, TrafficSourceOptions
from streaming_app.enrichers.traffic_source.referrer_categories import Categories
from streaming_app.enrichers.traffic_source.rule_files import CategoryRule, ChannelRule, ClickIdRule, read_rules
from streaming_app.enrichers.traffic_source.rules import Domains, TrafficRules
from streaming_app.errors import ConfigError
from streaming_app.plugins.enricher import Files

_KINDS: dict[str, tuple[str, type[BaseModel]]] = {
    "categories": ("traffic_source_category_rule_v1.json", CategoryRule),
    "channels": ("traffic_source_channel_rule_v1.json", ChannelRule),
    "click_ids": ("click_ids.json", ClickIdRule),
}
"""Option to name (the first two are the reference system's) and format of its file."""


class RuleLoader:
    """Reads the rule files of all apps; ``used`` tells which, by app: "*" are those without any of their own."""

    def __init__(self, options: TrafficSourceOptions, files: Files) -> None:
        self._options, self._files = options, files
        self._read: dict[str, Any] = {}
        self._problems: dict[str, None] = {}
        self.used: dict[str, dict[str, str]] = {}

    def load(self) -> dict[str, TrafficRules]:
        """The rules by app, those of all others under "*".

        Raises:
            ConfigError: files cannot be read or have problems; the message has one line for each.
        """
        if self._options.rules and not self._folders:
            self._problems[f"{self._options.rules}: there is no folder of an app"] = None
        apps = ["*", *sorted({*self._options.apps, *self._folders})]
        self.used = {app: {key: self._uri(app, key) for key in _KINDS} for app in apps}
        read = {app: {key: self._rules_in(uri, _KINDS[key][1]) for key, uri in uris.items()} for app, uris in self.used.items()}
        if self._problems:
            raise ConfigError("\n".join(self._problems))
        return {app: self._rules(app, **rules) for app, rules in read.items()}

    def _rules(self, app: str, categories: Any, channels: Any, click_ids: Any) -> TrafficRules:
        own, ignored = self._option(app, "own_domains") or (), self._option(app, "ignored_referrers")
        domains = Domains.of(own, _with_default(("default",) if ignored is None else ignored))
        known = Categories(categories)
        advertising = Advertising(click_ids, known.of_source)
        return TrafficRules(known, Channels(channels), CampaignReader(click_ids), advertising, domains)

    def _rules_in(self, uri: str, kind: type[BaseModel]) -> Any:
        if uri not in self._read:
            try:
                self._read[uri] = read_rules(uri, kind, self._files)
            except ConfigError as error:
                self._read[uri] = ()
                self._problems |= dict.fromkeys(str(error).splitlines())
        return self._read[uri]

    def _option(self, app: str, key: str) -> Any:
        """An app's own option, else that of all apps."""
        value = getattr(self._options.apps.get(app, AppOptions()), key)
        return getattr(self._options, key) if value is None else value

    def _uri(self, app: str, key: str) -> str:
        """An app's own option wins over its folder, that over the option of all apps."""
        name = _KINDS[key][0]
        own = getattr(self._options.apps.get(app, AppOptions()), key)
        in_folder = next((uri for uri in self._folders.get(app, []) if uri.endswith(f"/{name}")), None)
        return str(own or in_folder or getattr(self._options, key) or conf_file(f"rules/{name}"))

    @cached_property
    def _folders(self) -> dict[str, list[str]]:
        """App id to the files in its folder of rules."""
        folders = self._files.list_folders(self._options.rules) if self._options.rules else []
        return {folder.rpartition("/")[2]: self._files.list_files(folder) for folder in folders}


def _with_default(hosts: tuple[str, ...]) -> list[str]:
    """The hosts, the shipped list in place of the word `default`."""
    return [host for each in hosts for host in (_shipped_ignored() if each == "default" else [each])]


def _shipped_ignored() -> list[str]:
    hosts: list[str] = json.loads(conf_file("rules/ignored_referrers.json").read_text())
    return hosts
