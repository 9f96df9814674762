"""The one validated configuration file: its model, its reader, its errors."""
