"""The jars of Delta and S3A for machines without a cluster's: locked by checksum, downloaded once, shared by all processes."""
