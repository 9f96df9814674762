"""``doctor``: checks everything that a run needs. It creates no tables and leaves nothing behind."""
