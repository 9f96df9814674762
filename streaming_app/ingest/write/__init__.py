"""From accepted events to Parquet: buffers, enrichment, lineage, rows of ``event``, ``item``, ``change`` and ``quarantine``."""
