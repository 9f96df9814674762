"""The jars of Delta and S3A where no cluster brings them: listed with their checksums, made complete once, used by every process."""
