"""Delta tables: opening, reading, writing, committing, migrating, locking, querying. Knows no configuration, no business rule."""
