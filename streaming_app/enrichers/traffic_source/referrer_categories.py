"""Finds the source, category and search terms of a referrer by the category file."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from streaming_app.enrichers.traffic_source.rule_files import CategoryRule
from streaming_app.enrichers.traffic_source.traffic import as_one_word
from streaming_app.enrichers.traffic_source.urls import name_of, parameters, parse_page_url, site_of
from streaming_app.model.bounded_cache import bounded_cache
from streaming_app.model.web_address import WebAddress

SEARCH, MAIL = "Search", "Email"
_NEUTRAL = frozenset({"www", "search", "mobile", "wap", "web", "amp", "image", "images", "cse"})
"""Labels below which a search engine is still the search engine; two letters or fewer (``m``, ``de``) are neutral too.
Other subdomains of these companies are something else: docs.google.com, news.yahoo.com."""
_SERVER = re.compile(r"(?:www|web|search|s|ms)\d{1,4}(?:-[a-z]{1,3}\d{0,3})?")
"""Labels of a search engine's servers, neutral as well: www2, s10-eu5, ms114."""
_MAIL = re.compile(r"(?:web|e|w)?-?mail\d*")
"""First labels of mail providers' pages, whoever they are: webmail.example.net."""
_ORDINARY = re.compile(
    "all|auction|aus|band|bio|bit|blogs?|books|buff|care|character|charter|com|crawler|cross|deluxe|dev|diary|discuss|duck|email"
    "|first|flip|france|friends|frontend|gamer|gate|gather|gold|graphics|groups|home|hotline|hub|inbox|info|last|link|linkin|live"
    "|mail|mailbox|max|mix|mobile|news|newsie|newsletter|note|online|orange|paper|partner|pepper|pin|player|post|prom|programming"
    "|push|scoop|search|shop|shopping|site|sling|social|store|stream|suche|test|top|url|very|video|vip|web|websearch|www|zoo"
)
"""Names of sites that campaigns use as words, of three letters and more: ``utm_source=blog`` is not blog.com."""
_SHORTEST_NAME = 3
_CACHED = 4_096


class ReferrerMatch(NamedTuple):
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
        self._category_by_name = _category_by_name(rules, self._category)
        self._knows_mail = any(rule.category == MAIL for rule in rules)
        self._hosts_with_paths = frozenset(url.partition("/")[0] for url in self._by_url if "/" in url)
        self._deepest = max((url.count("/") for url in self._by_url), default=0)
        self.of_source = bounded_cache(_CACHED)(self._of_source)

    def of_referrer(self, address: WebAddress) -> ReferrerMatch | None:
        """What is known of a referrer: by host and path, host, a host above it, or its name under any public suffix."""
        for rule in self._candidates(address.host, address.path):
            return ReferrerMatch(rule.source, rule.category, _terms(address.query, rule.params))
        if self._knows_mail and _MAIL.fullmatch(address.host.partition(".")[0]):
            return ReferrerMatch(address.host, MAIL)
        return None

    def _of_source(self, source: str) -> str | None:
        """The category of a source that is known by its name, by its address (``utm_source=m.facebook.com``), or by its name as
        one word (``utm_source=stackoverflow``)."""
        name = source.lower()
        if known := self._category.get(name):
            return known
        if rule := self._by_url.get(name):
            return rule.category
        if "." in name and (address := parse_page_url(name)):
            return found.category if (found := self.of_referrer(address)) else None
        return self._category_by_name.get(as_one_word(name))

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


def _category_by_name(rules: Iterable[CategoryRule], by_source: Mapping[str, str]) -> dict[str, str]:
    """Names of sources and of sites as one word, and their categories.

    A site's name is the label below its suffix: stackoverflow of stackoverflow.com. Of several sites with a name the one below
    ``.com``, or below any suffix, counts; where there is none they have to agree.
    """
    found: dict[str, str] = {}
    by_site: dict[str, dict[str, str]] = defaultdict(dict)
    for rule in rules:
        host = rule.url.lower().replace(".*", ".com")
        name = as_one_word(name_of(host)) if "/" not in host and site_of(host) == host else ""
        if len(name) >= _SHORTEST_NAME and not _ORDINARY.fullmatch(name):
            by_site[name][host] = rule.category
    for name, categories in by_site.items():
        of_com = next((category for host, category in categories.items() if host.endswith(".com")), None)
        if of_com or len(set(categories.values())) == 1:
            found[name] = of_com or next(iter(categories.values()))
    return found | {word: category for source, category in by_source.items() if (word := as_one_word(source))}


def _same_service(rule: CategoryRule, below: Iterable[str]) -> bool:
    """Whether a subdomain of a rule's host is still what the rule says; those of a search engine's whole site often are not."""
    is_whole_site = rule.url.endswith(".*") or site_of(rule.url) == rule.url
    if rule.category != SEARCH or not is_whole_site:
        return True
    return all(len(label) <= 2 or label in _NEUTRAL or _SERVER.fullmatch(label) for label in below)


def _terms(query: str, params: tuple[str, ...]) -> str | None:
    """A redirect's ``q`` holds the address that it leads to: no search term."""
    if not params or not query:
        return None
    wanted = {param.lower() for param in params}
    found = {value for name, value in parameters(query) if name in wanted and not value.startswith(("http://", "https://"))}
    return ",".join(sorted(found)) or None
