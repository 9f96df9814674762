"""Upkeep of the tables: ``optimize`` and ``vacuum``."""
