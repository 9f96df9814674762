"""Building what is uploaded to AWS, without Docker: uv installs wheels for another platform as well as for this one."""
