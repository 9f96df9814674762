"""Spark's ``local-cluster[workers,cores,MB]``: a cluster on this machine, whose executors are JVMs of their own.

What a run does on many machines can be seen and tested there: tasks in other processes, their retries, lost executors.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from pathlib import Path

from streaming_app.spark.jars.ivy import spark_home
from streaming_app.storage.private_files import private_directory

_MASTER = re.compile(r"local-cluster\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]")
_WORK = "work"
"""Folder in Spark's home that workers write to."""
_KEEP_SECONDS = 7 * 86_400
"""How long the logs of executors are kept."""


def is_local_cluster(master: str) -> bool:
    """Whether a master's name is that of a cluster on this machine.

    >>> is_local_cluster("local-cluster[2,1,1024]"), is_local_cluster("local[2]")
    (True, False)
    """
    return _MASTER.fullmatch(master) is not None


def prepare_local_cluster(master: str) -> dict[str, str]:
    """Prepare this process's environment for the JVM that is started next; returns the settings of the session.

    1. Workers write their executors' files below ``SPARK_HOME``, which may be read-only: make one that links to the real one.
    2. All ports are of this machine only, and connections need a secret. It is in the environment, which other users cannot read
       as they can the command line: Spark prefers it there, but demands the setting.
    3. An executor gets all of its worker; the tasks of a query are as many as all workers have cores, from the first one on.
    """
    found = _MASTER.fullmatch(master)
    if found is None:
        raise ValueError(f"{master}: is no local-cluster[workers,cores,MB]")
    workers, cores, megabytes = map(int, found.groups())
    os.environ["SPARK_HOME"] = str(_writable_home(spark_home()))
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["_SPARK_AUTH_SECRET"] = secrets.token_hex(32)
    return {
        "spark.authenticate": "true",
        "spark.authenticate.secret": "in the environment",
        "spark.executor.memory": f"{megabytes}m",
        "spark.default.parallelism": str(workers * cores),
    }


def _writable_home(home: Path) -> Path:
    """A folder with links to what is in ``home``; those of processes that ended long ago are deleted."""
    root = private_directory("clusters")
    for old in root.iterdir():
        if old.lstat().st_mtime < time.time() - _KEEP_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    made = root / f"{os.getpid()}-{secrets.token_hex(4)}"
    made.mkdir(mode=0o700)
    for path in home.iterdir():
        if path.name != _WORK:
            (made / path.name).symlink_to(path.resolve())
    return made
