r"""Tools for your own tests: ``process`` turns raw requests into all tables, the contract kit checks a plugin's contract.

```python
def test_order():
    tables = process("apps: {shop: {transformer: my_package:Mine}}\nproject_id: test\n", [Path("requests.ndjson")])
    assert tables["event"]["event_name"].to_pylist() == ["purchase"]


def test_contract():
    assert_transformer_contract(lambda: Mine(Limits()), [Path("requests.ndjson").read_bytes().splitlines()])
```

`clickstream plugins check` runs the checks of the contract kit.
"""

from streaming_app.testing.checks import Check
from streaming_app.testing.enricher_contract import assert_enricher_contract, enricher_checks
from streaming_app.testing.process import process
from streaming_app.testing.samples import sample_events, sample_requests
from streaming_app.testing.transformer_contract import assert_transformer_contract, transformer_checks

__all__ = [
    "Check",
    "assert_enricher_contract",
    "assert_transformer_contract",
    "enricher_checks",
    "process",
    "sample_events",
    "sample_requests",
    "transformer_checks",
]
