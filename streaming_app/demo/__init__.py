"""Made-up clickstream data, written as the ingestion endpoint writes it: for the demo and the benchmark."""
