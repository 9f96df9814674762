"""The jars of Delta and S3A where no cluster brings them: listed with checksums, made complete once, used by all processes."""
