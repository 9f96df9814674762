"""Sources that say by their name that they are advertising: ``utm_source=googleads``, ``fb_ads``, ``Taboola``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from streaming_app.enrichers.traffic_source.rule_files import ClickIdRule
from streaming_app.enrichers.traffic_source.traffic import as_one_word
from streaming_app.model.bounded_cache import bounded_cache

_AD_WORDS = "ads?|adwords|adverts?|advertising|ppc|cpc|cpm|cpa|sem|paid|sponsored|retargeting|remarketing"
_AD_WORD = re.compile(_AD_WORDS)
_ENDS_SO = re.compile(rf"(.+?)(?:{_AD_WORDS})")
_PARTS = re.compile(r"[^a-z0-9]+")
_CACHED = 4_096

CPC, DISPLAY = "CPC", "Display"
NETWORKS: dict[str, tuple[str, str | None]] = {
    "gads": (CPC, "Google"),
    **dict.fromkeys(("microsoftads", "msads"), (CPC, "Bing")),
    "yandexdirect": (CPC, "Yandex"),  # yandex.direct could be a host of Yandex
    **dict.fromkeys(("applesearchads", "applovin", "mgid", "propellerads", "revcontent"), (CPC, None)),
    **dict.fromkeys(("adform", "adroll", "doubleclick", "dv360", "displayvideo360", "rtbhouse", "teads"), (DISPLAY, None)),
}
"""Names, as one word, of advertising that no click id tells: medium, and the source on which it is shown where that is one."""

_Category = Callable[[str], str | None]


class Advertising:
    """Recognises such sources by their words, by the platforms of paid click ids, and by :data:`NETWORKS`."""

    def __init__(self, click_ids: Iterable[ClickIdRule], category: _Category) -> None:
        """``category`` tells that of a source by its name."""
        paid = [rule for rule in click_ids if rule.paid]
        self._platforms = {as_one_word(rule.platform): rule for rule in paid}
        self._category = category
        self.medium = bounded_cache(_CACHED)(self._medium)
        self.category = bounded_cache(_CACHED)(self._category_of)

    def _medium(self, source: str) -> str | None:
        """The medium of a source that is advertising; None where it is not, or nothing tells.

        A site that the category file knows by this very name is none: Yandex Market sells goods besides.
        """
        name = as_one_word(source)
        if name in NETWORKS:
            return NETWORKS[name][0]
        platform = self._platforms.get(name)
        if platform and self._category(source) is None:
            return platform.medium
        return CPC if self._site(source) is not None else None

    def _category_of(self, source: str) -> str | None:
        """The category of the site on which such a source advertises, where that is known."""
        name = as_one_word(source)
        platform = self._platforms.get(name)
        site = NETWORKS.get(name, (None, None))[1] or (platform and platform.source) or self._site(source)
        return self._category(site) if site else None

    def _site(self, source: str) -> str | None:
        """What is left of the name without its words of advertising, "" where nothing is; None where it has no such word.

        A word may also end so, if a known site is left: ``facebookads``, but neither ``threads`` nor ``downloads``. Of a host
        its first label tells.
        """
        first, _, domain = source.lower().partition(".")
        words = _PARTS.split(first)
        left = [word for word in words if not _AD_WORD.fullmatch(word)]
        if len(left) == len(words):
            endings = [_ENDS_SO.fullmatch(word) for word in words]
            left = [found[1] if found and self._category(found[1]) else word for word, found in zip(words, endings, strict=True)]
        return (" ".join(filter(None, left)) or domain) if left != words else None
