"""What is uploaded to AWS, made without Docker: uv installs wheels for another machine as readily as for this one."""
