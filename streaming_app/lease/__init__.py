"""One writer at a time: a lease beside the tables, which whoever writes to them holds and renews."""
