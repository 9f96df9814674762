"""The driver's part of a micro-batch: duplicates, the balance, one commit a table, and recovery."""
