"""Access to files and objects, on this machine and on S3, and their URIs. Knows nothing of tables."""
