"""The operators' commands: process again, correct, erase, maintain, check. Each has ``plan()`` and ``run()``."""
