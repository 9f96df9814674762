"""What clients of AWS take from the environment of this process, as a key for clients that are kept."""

from __future__ import annotations

import os


def client_key() -> tuple[object, ...]:
    """Equal while a client that was made earlier may be used: in the same process, with the same variables of AWS.

    A process that was forked must not share its parent's connections.
    """
    return (os.getpid(), *sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
