"""Files, objects and their URIs, on this machine and on S3. Knows no table."""
