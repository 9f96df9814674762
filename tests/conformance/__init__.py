"""Conformance: what the product makes of what clients send, value by value: cases of our own in tests/data/conformance, and the
reference system's recorded input and output, which lies beside the repository (its tests are skipped where it does not)."""
