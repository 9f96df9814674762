"""The lock that lets one process write to the tables at a time."""
