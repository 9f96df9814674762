"""An amount without a currency is in none, unless its app says what it is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streaming_app.errors import ConfigError
from streaming_app.plugins.load_config import parse_config
from tests.support.lake import LocalPipeline
from tests.support.raw import NOW, event, line, write

ITEMS = [{"id": "a", "price": 1}, {"id": "b", "price": 2, "currency": "JPY"}, {"id": "c"}]


def gtm(**sent: Any) -> dict[str, Any]:
    items = [{**item, "item_id": item["id"]} for item in ITEMS]
    return {"event_name": "purchase", "client_id": "c", "items": items, **sent}


# name: (app, element, currency and items' currencies without a default, and where it is CHF)
CASES: dict[str, tuple[str, dict[str, Any], tuple[Any, ...], tuple[Any, ...]]] = {
    "sdk": ("shop", event("e", items=ITEMS, attributes={"_value": 5}), (None, None, "JPY", None), ("CHF", "CHF", "JPY", None)),
    "sdk, top": ("shop", event("e", event_value="5"), (None,), ("CHF",)),
    "sdk, currency": (
        *("shop", event("e", items=ITEMS, event_value=5, event_value_currency="EUR")),
        *(("EUR", None, "JPY", None), ("EUR", "EUR", "JPY", None)),
    ),
    "sdk, empty": ("shop", event("e", event_value=5, event_value_currency=""), ("",), ("CHF",)),
    "sdk, no amount": ("shop", event("e"), (None,), (None,)),
    "sdk, dollars": ("shop", event("e", event_value_in_usd=5), ("USD",), ("USD",)),
    "sdk, dollars lost to another amount": ("shop", event("e", event_value_in_usd=5, event_value=6), (None,), ("CHF",)),
    "gtm": ("gtm", gtm(value=5), (None, None, "JPY", None), ("CHF", "CHF", "JPY", None)),
    "gtm, currency": ("gtm", gtm(value=5, currency="EUR"), ("EUR", "EUR", "JPY", "EUR"), ("EUR", "EUR", "JPY", "EUR")),
    "another app": ("other", event("e", app_id="other", event_value=5), (None,), (None,)),
}


@pytest.mark.parametrize("default", [False, True], ids=["unknown", "default"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_currencies(case: str, default: bool, tmp_path: Path) -> None:
    app, element, *wanted = CASES[case]
    own = ", default_currency: CHF" if default else ""
    apps = f"  gtm: {{transformer: gtm_server{own}}}\n  other: {{transformer: clickstream_sdk}}\n"
    pipeline = LocalPipeline(tmp_path, apps)
    if default:
        shop = pipeline.config.apps["shop"].model_copy(update={"default_currency": "CHF"})
        pipeline.config = pipeline.config.model_copy(update={"apps": {**pipeline.config.apps, "shop": shop}})
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(element, appId=app, client_timestamp=NOW)))
    [row] = pipeline.rows("event")
    items = [item["currency"] for item in pipeline.rows("item", order="item_index")]
    assert (row["event_value_currency"], *items) == wanted[default]


@pytest.mark.parametrize("sent", ["usd", "US", "$", "USDT", "''", "1"])
def test_what_is_no_currency(sent: str) -> None:
    with pytest.raises(ConfigError, match="default_currency"):
        parse_config(
            f"project_id: x\nsource: {{uri: /raw}}\nsink: {{uri: /lake}}\n"
            f"apps: {{a: {{transformer: clickstream_sdk, default_currency: {sent}}}}}\n"
        )
