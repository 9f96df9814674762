"""``tables check``: checks what the tables promise. It only reads; every problem comes with its remedy."""
