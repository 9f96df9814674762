"""What flows through the pipeline: requests, events, items, and the contract of every table."""
