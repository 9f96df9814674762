"""Which source a referrer is, of which category, and what was searched for there: by the category file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from streaming_app.enrichers.traffic_source.addresses import WebAddress, name_of, parameters, parse, site_of
from streaming_app.enrichers.traffic_source.rule_files import CategoryRule
from streaming_app.model.remember import remember_short

SEARCH = "Search"
_NEUTRAL = frozenset({"www", "www1", "www2", "www3", "search", "mobile", "wap", "web", "amp", "image", "images", "cse"})
"""Labels below which a search engine is still the search engine; two letters or fewer (``m``, ``de``) are neutral too.
Other subdomains of these companies are something else: docs.google.com, news.yahoo.com."""
_CACHED = 4_096


class Found(NamedTuple):
    """``terms`` are the distinct search terms in order, joined by a comma."""

    source: str
    category: str
    terms: str | None = None


class Categories:
    """The category file, looked up without regard to case."""

    def __init__(self, rules: Iterable[CategoryRule]) -> None:
        rules = tuple(rules)
        self._by_url = {rule.url.lower(): rule for rule in rules}  # of equal ones the last counts, as in the reference system
        self._category = _category_by_source(rules)
        self._hosts_with_paths = frozenset(url.partition("/")[0] for url in self._by_url if "/" in url)
        self._deepest = max((url.count("/") for url in self._by_url), default=0)
        self.of_source = remember_short(_CACHED)(self._of_source)

    def of_referrer(self, address: WebAddress) -> Found | None:
        """What is known of a referrer: by host and path, host, a host above it, or its name under any public suffix."""
        for rule in self._candidates(address.host, address.path):
            return Found(rule.source, rule.category, _terms(address.query, rule.params))
        return None

    def _of_source(self, source: str) -> str | None:
        """The category of a source that is known by its name or by its address (``utm_source=m.facebook.com``)."""
        name = source.lower()
        if known := self._category.get(name):
            return known
        rule = self._by_url.get(name)
        if rule is None and "." in name and (address := parse(name)):
            rule = next(self._candidates(address.host, address.path), None)
        return rule.category if rule else None

    def _candidates(self, host: str, path: str) -> Iterator[CategoryRule]:
        """Rules from the most to the least specific."""
        yield from self._upwards(host, path)
        name, labels = name_of(host), host.split(".")
        if name in labels:
            below = labels[: labels.index(name)]
            # A file that knows no `google.*` still means all of Google's country domains by google.com.
            for url in (f"{name}.*", "google.com" if name == "google" else ""):
                if (rule := self._by_url.get(url)) and _same_service(rule, below):
                    yield rule
            if name == "google":  # its services have the same names below all of them
                yield from self._upwards(".".join([*below, "google.com"]), path)

    def _upwards(self, host: str, path: str) -> Iterator[CategoryRule]:
        below: list[str] = []
        rest = host
        while rest:
            yield from self._at(rest, path, below)
            label, _, rest = rest.partition(".")
            below.append(label)

    def _at(self, host: str, path: str, below: list[str]) -> Iterator[CategoryRule]:
        if host in self._hosts_with_paths:
            parts = path.lower().strip("/").split("/", self._deepest)[: self._deepest]
            for count in range(len(parts), 0, -1):
                if rule := self._by_url.get(f"{host}/{'/'.join(parts[:count])}"):
                    yield rule
        if (rule := self._by_url.get(host)) and _same_service(rule, below):
            yield rule


def _category_by_source(rules: Iterable[CategoryRule]) -> dict[str, str]:
    """Source name to the category of most of its entries, of equally many the last."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for rule in rules:
        counts[rule.source.lower()][rule.category] += 1
    return {source: max(reversed(count), key=count.__getitem__) for source, count in counts.items()}


def _same_service(rule: CategoryRule, below: Iterable[str]) -> bool:
    """Whether a subdomain of a rule's host is still what the rule says; those of a search engine's whole site often are not."""
    is_whole_site = rule.url.endswith(".*") or site_of(rule.url) == rule.url
    if rule.category != SEARCH or not is_whole_site:
        return True
    return all(len(label) <= 2 or label in _NEUTRAL for label in below)


def _terms(query: str, params: tuple[str, ...]) -> str | None:
    """A redirect's ``q`` holds the address that it leads to: no search term."""
    if not params or not query:
        return None
    wanted = {param.lower() for param in params}
    found = {value for name, value in parameters(query) if name in wanted and not value.startswith(("http://", "https://"))}
    return ",".join(sorted(found)) or None
