"""What is added to events after transformation. No Spark, no boto3, no clock in here."""
