"""A transformer that takes its process with it, as one with a fault in a compiled library does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import Any

from streaming_app.model.request import Request
from streaming_app.transformers.clickstream_sdk import ClickstreamSdk


class Killer(ClickstreamSdk):
    """Dies of a payload that says so."""

    def transform(self, request: Request) -> Iterable[Any]:
        if '"kill"' in (request.data or ""):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().transform(request)
