"""The contract kit: what a transformer or an enricher of your own promises, as assertions for your own tests.

```python
def test_contract():
    assert_transformer_contract(lambda: Mine(Limits()), [Path("requests.ndjson").read_bytes().splitlines()])
```

`clickstream plugins check` runs the same checks.
"""

from streaming_app.testing.checks import Check
from streaming_app.testing.enricher_contract import assert_enricher_contract, enricher_checks
from streaming_app.testing.samples import sample_events, sample_requests
from streaming_app.testing.transformer_contract import assert_transformer_contract, transformer_checks

__all__ = [
    "Check",
    "assert_enricher_contract",
    "assert_transformer_contract",
    "enricher_checks",
    "sample_events",
    "sample_requests",
    "transformer_checks",
]
