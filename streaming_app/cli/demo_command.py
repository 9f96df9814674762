"""``clickstream demo``."""


def demo() -> None: ...
