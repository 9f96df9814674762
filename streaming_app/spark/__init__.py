"""Everything that needs Spark: the session, streams, tasks, and the jars. Only here pyspark is imported."""
