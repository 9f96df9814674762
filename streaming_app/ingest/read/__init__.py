"""From raw files to lines."""
