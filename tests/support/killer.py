"""Transformers that take their process with them, as one with a fault in a compiled library does, or their whole executor."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from typing import Any

import psutil

from streaming_app.model.request import Request
from streaming_app.transformers.clickstream_sdk import ClickstreamSdk


class Killer(ClickstreamSdk):
    """Dies of a payload that says so."""

    def transform(self, request: Request) -> Iterable[Any]:
        if '"kill"' in (request.data or ""):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().transform(request)


class ExecutorEater(ClickstreamSdk):
    """Its executor dies of a payload that says so, as where the machine or the container has no memory left."""

    def transform(self, request: Request) -> Iterable[Any]:
        if '"kill"' in (request.data or ""):
            above = psutil.Process().parents()
            executor = next(each for each in above if "CoarseGrainedExecutorBackend" in " ".join(each.cmdline()))
            executor.kill()
            time.sleep(60)  # the end of its executor is this process's
        return super().transform(request)
