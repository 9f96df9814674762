"""The Delta tables: how they are made, appended to and merged."""
