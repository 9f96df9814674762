"""The Lambda that starts the job when there is something to process."""
