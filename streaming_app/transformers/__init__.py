"""From a request to events: one transformer per kind of client. No Spark, no boto3, no clock in here."""
