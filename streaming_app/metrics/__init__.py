"""What a run reports: progress while it works, a summary at its end, metrics for CloudWatch."""
