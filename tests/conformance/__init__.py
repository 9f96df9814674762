"""Conformance: what the product makes of recorded input, compared value by value with what the reference system made of it."""
