"""What client hints call browsers and systems, and what ua-parser calls them: one browser has one name, hints or not."""

from __future__ import annotations

from streaming_app.enrichers.user_agent.client import OTHER

SPECIFIC = {
    "Microsoft Edge": ("Edge", "Edge Mobile"),
    "Microsoft Edge WebView2": ("Edge", "Edge Mobile"),
    "Opera GX": ("Opera GX", "Opera GX"),
    "Opera": ("Opera", "Opera Mobile"),
    "OperaMobile": ("Opera Mobile", "Opera Mobile"),
    "Samsung Internet": ("Samsung Internet", "Samsung Internet"),
    "Brave": ("Brave", "Brave"),
    "Brave Browser": ("Brave", "Brave"),
    "YaBrowser": ("Yandex Browser", "Yandex Browser"),
    "Yandex": ("Yandex Browser", "Yandex Browser"),
    "Yowser": ("Yandex Browser", "Yandex Browser"),
    "DuckDuckGo": ("DuckDuckGo", "DuckDuckGo Mobile"),
    "AvastSecureBrowser": ("Avast Secure Browser", "Avast Secure Browser"),
    "HuaweiBrowser": ("Huawei Browser", "Huawei Browser"),
    "QQBrowser": ("QQ Browser", "QQ Browser Mobile"),
    "CocCoc": ("Coc Coc", "Coc Coc"),
}
"""Brands whose name differs from ua-parser's family: (family, family on mobile); any other brand is its own family."""

GENERIC = {
    "Google Chrome": ("Chrome", "Chrome Mobile"),
    "Android WebView": ("Chrome Mobile WebView", "Chrome Mobile WebView"),
    "Chromium": ("Chromium", "Chromium"),
}
"""What browsers are made of: passed over, in this order, when another brand is there."""

FROZEN_BROWSERS = frozenset({None, OTHER, "Chrome", "Chrome Mobile", "Chrome Mobile WebView", "Chromium"})
"""All that a generic brand may replace: an app's browser or a small one has its name in the user agent only."""

SYSTEMS = {
    "windows": "Windows",
    "macos": "Mac OS X",
    "linux": "Linux",
    "android": "Android",
    "ios": "iOS",
    "chrome os": "Chrome OS",
    "chromium os": "Chrome OS",
    "chromeos": "Chrome OS",
}
"""Platforms in lower case, and ua-parser's family; any other platform is its own family."""

FROZEN_SYSTEMS = {
    "Linux": frozenset({None, OTHER}),  # Ubuntu, webOS and Tizen are Linux too
    "Android": frozenset({None, OTHER, "Linux"}),  # Linux: an Android that asks for desktop pages
}
"""All that such a platform may replace."""
