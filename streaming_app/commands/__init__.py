"""What the people who run a pipeline do with its tables: process again, correct, erase, maintain, check."""
