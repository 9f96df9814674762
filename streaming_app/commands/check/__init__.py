"""``tables check``: whether the tables keep what they promise. Reads only; every problem comes with its remedy."""
