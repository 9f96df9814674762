"""``doctor``: what a run needs, looked at one by one before it is missed. Makes no tables and leaves nothing behind."""
