"""The jars that a configuration needs, and the Spark settings for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from streaming_app.config.model import Config
from streaming_app.config.shipped_files import conf_file
from streaming_app.spark.jars.folder import complete
from streaming_app.spark.jars.lock import Jar, locked_jars
from streaming_app.spark.local_cluster import is_local_cluster
from streaming_app.storage.uris import is_s3

PACKAGES, _IVY_SETTINGS = "spark.jars.packages", "spark.jars.ivySettings"
_DELTA = "delta-spark_"


def uses_s3(config: Config) -> bool:
    return any(is_s3(uri) for uri in (config.source.uri, config.sink.uri, config.checkpoint.uri or ""))


def needed_jars(config: Config) -> tuple[Jar, ...]:
    """The locked jars that a local session needs; none if the configuration lets Spark's resolver fetch them."""
    if PACKAGES in config.spark.conf:
        return ()
    return locked_jars("delta", "s3") if uses_s3(config) else locked_jars("delta")


def jar_settings(config: Config) -> dict[str, str]:
    """Spark settings for the needed jars, which are downloaded if they are missing, after those that the configuration names.

    Raises:
        MissingDependencyError: a jar is missing and cannot be fetched.
    """
    conf = config.spark.conf
    ivy_settings = conf.get(_IVY_SETTINGS)
    if PACKAGES in conf:
        return {_IVY_SETTINGS: ivy_settings or str(conf_file("spark/ivysettings.xml"))}
    jars = complete(needed_jars(config), Path(ivy_settings) if ivy_settings else None)
    master = config.spark.master or "local"
    if is_local_cluster(master):
        return _class_path(conf, jars)
    uris = [_uri(jar, local=master.startswith("local")) for jar in jars]
    return {"spark.jars": ",".join([*filter(None, [conf.get("spark.jars")]), *uris])}


def _class_path(conf: Mapping[str, str], jars: Iterable[Path]) -> dict[str, str]:
    """The jars for JVMs that all see the same folder: each executor would copy what ``spark.jars`` names, 700 MB."""
    keys = "spark.driver.extraClassPath", "spark.executor.extraClassPath"
    return {key: os.pathsep.join([*filter(None, [conf.get(key)]), *map(str, jars)]) for key in keys}


def packages_of_own(config: Config) -> list[str]:
    """Packages that the configuration lets Spark's resolver fetch, to which Delta's must be added; [] if there are none, or if
    Delta is among them or among the jars, in any version.
    """
    conf = config.spark.conf
    named = [each.strip() for each in conf.get(PACKAGES, "").split(",") if each.strip()]
    return [] if any(_DELTA in each for each in (*named, conf.get("spark.jars", ""))) else named


def _uri(jar: Path, *, local: bool) -> str:
    uri = jar.as_uri()
    # "local:" keeps each session from copying 700 MB first, which takes 2 s of a core. Spark does not decode such a path.
    return f"local:{jar}" if local and uri == f"file://{jar}" else uri
