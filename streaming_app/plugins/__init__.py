"""The contracts of transformers and enrichers, and finding, loading and validating those that are configured."""
