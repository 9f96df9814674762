"""Raw clickstream requests on S3 become Delta tables for Athena."""

from importlib.metadata import version

__version__ = version("clickstream-lake")
