"""``reprocess``: days of events made again from their raw files, with today's code, rules and configuration."""
