"""Which jars a configuration needs, and the settings that name them to Spark."""

from __future__ import annotations

from pathlib import Path

from streaming_app.config.model import Config
from streaming_app.config.shipped_files import conf_file
from streaming_app.spark.jars.folder import complete
from streaming_app.spark.jars.lock import Jar, locked_jars
from streaming_app.storage.uris import is_s3

PACKAGES, _IVY_SETTINGS = "spark.jars.packages", "spark.jars.ivySettings"
_DELTA = "delta-spark_"


def uses_s3(config: Config) -> bool:
    return any(is_s3(uri) for uri in (config.source.uri, config.sink.uri, config.checkpoint.uri or ""))


def needed_jars(config: Config) -> tuple[Jar, ...]:
    """The locked jars that a session of its own needs; none where the configuration has Spark's resolver bring all."""
    if PACKAGES in config.spark.conf:
        return ()
    return locked_jars("delta", "s3") if uses_s3(config) else locked_jars("delta")


def jar_settings(config: Config) -> dict[str, str]:
    """Spark's settings for these jars, which are fetched if they are missing, behind those that the configuration names.

    Raises:
        MissingDependencyError: a jar is missing and cannot be fetched.
    """
    conf = config.spark.conf
    ivy_settings = conf.get(_IVY_SETTINGS)
    if PACKAGES in conf:
        return {_IVY_SETTINGS: ivy_settings or str(conf_file("spark/ivysettings.xml"))}
    local = (config.spark.master or "local").startswith("local")
    uris = [_uri(jar, local=local) for jar in complete(needed_jars(config), Path(ivy_settings) if ivy_settings else None)]
    return {"spark.jars": ",".join([*filter(None, [conf.get("spark.jars")]), *uris])}


def packages_of_own(config: Config) -> list[str]:
    """Packages that the configuration has Spark's resolver bring, to which Delta's is to be added; [] where there are none, or
    Delta is among them or among the jars, of whichever version.
    """
    conf = config.spark.conf
    named = [each.strip() for each in conf.get(PACKAGES, "").split(",") if each.strip()]
    return [] if any(_DELTA in each for each in (*named, conf.get("spark.jars", ""))) else named


def _uri(jar: Path, *, local: bool) -> str:
    uri = jar.as_uri()
    # Said to be at hand, or each session would copy 700 MB first: 2 s of a core. Such a path, Spark does not decode.
    return f"local:{jar}" if local and uri == f"file://{jar}" else uri
