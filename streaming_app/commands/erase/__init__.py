"""Taking one person out of the tables, of quarantine and of raw files."""
