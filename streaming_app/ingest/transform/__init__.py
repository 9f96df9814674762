"""From requests to events: the app's transformer, its time limit, time rules, and what becomes of each element."""
