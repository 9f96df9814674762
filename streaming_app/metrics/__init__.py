"""Progress of a run while it works, its summary at the end, and its metrics for CloudWatch."""
