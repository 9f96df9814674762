"""Access to local paths and s3:// URIs, for pyarrow (files), deltalake (tables) and Spark (streams)."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

from pyarrow import fs

from streaming_app.storage.aws_environment import client_key
from streaming_app.storage.private_files import private_directory
from streaming_app.storage.uris import absolute, is_s3

_RETRIES = fs.AwsStandardS3RetryStrategy(max_attempts=10)
"""Maximum attempts of a request to S3, as in the other S3 clients. With the default of 3, one of a run's 10,000 calls would fail
for good if S3 throttles one in twenty."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Access to the files and objects of one pipeline; credentials come from the environment or the job's role."""

    endpoint: str | None = None
    region: str | None = None
    source: str | None = None
    """The folder of raw files, if it is local: links in it must not lead out of it."""

    def filesystem(self, uri: str) -> tuple[fs.FileSystem, str]:
        """The file system of a URI, and the path in it."""
        if not is_s3(uri):
            return fs.LocalFileSystem(), absolute(uri)
        with _making:
            return _s3_file_system(self.endpoint, self.region, client_key()), uri.partition("://")[2]

    def delta_options(self) -> dict[str, str]:
        """Options for deltalake; its S3 store commits by conditional put, so two writers cannot both win."""
        # AWS's credential chain, including a container's role; without this, it is not used with a custom endpoint.
        options = {"AWS_FORCE_CREDENTIAL_LOAD": "true"}
        if self.region:
            options["AWS_REGION"] = self.region
        if self.endpoint:
            options["AWS_ENDPOINT_URL"] = self.endpoint
            options["AWS_ALLOW_HTTP"] = str(self.endpoint.startswith("http://")).lower()
        return options

    def spark_conf(self) -> dict[str, str]:
        """Hadoop settings: s3:// is served by S3A, as on EMR."""
        conf = {
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            # By it Spark's checkpoints find their file system: without, they take another code path here than on EMR.
            "spark.hadoop.fs.AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.s3a.S3A",
        }
        if self.region:
            conf["spark.hadoop.fs.s3a.endpoint.region"] = self.region
        if self.endpoint:
            conf["spark.hadoop.fs.s3a.endpoint"] = self.endpoint
            conf["spark.hadoop.fs.s3a.path.style.access"] = "true"
            conf["spark.hadoop.fs.s3a.connection.ssl.enabled"] = str(self.endpoint.startswith("https")).lower()
        return conf

    def read_text(self, uri: str) -> str:
        system, path = self.filesystem(uri)
        with system.open_input_stream(path) as stream:
            return bytes(stream.read()).decode()

    def local_copy(self, uri: str) -> Path:
        """A local copy of an object, downloaded once per machine and version of the object, and decompressed if *.gz.

        Raises:
            OSError: it does not exist or cannot be read.
        """
        system, path = self.filesystem(uri)
        found = system.get_file_info(path)
        if found.type != fs.FileType.File:
            raise FileNotFoundError(f"{uri}: there is no such file")
        if not is_s3(uri) and not uri.endswith(".gz"):
            return Path(path)
        name = Path(path).name.removesuffix(".gz")
        copies = private_directory("files") / _digest(f"{self.endpoint} {uri}")
        copy = copies / _digest(f"{found.size} {found.mtime_ns}") / name
        if not copy.is_file():
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Several workers may download it at once: each writes its own file and renames it atomically.
            with tempfile.NamedTemporaryFile(dir=copy.parent, delete=False) as out, system.open_input_stream(path) as stream:
                shutil.copyfileobj(stream, out)
            Path(out.name).replace(copy)
            _delete_older(copies, copy.parent)
        return copy

    def write_text(self, uri: str, text: str) -> None:
        """Write a small file atomically."""
        system, path = self.filesystem(uri)
        if is_s3(uri):
            with system.open_output_stream(path) as stream:
                stream.write(text.encode())
            return
        system.create_dir(str(Path(path).parent), recursive=True)
        with system.open_output_stream(f"{path}.tmp") as stream:
            stream.write(text.encode())
        system.move(f"{path}.tmp", path)

    def is_folder(self, uri: str) -> bool:
        system, path = self.filesystem(uri)
        return bool(system.get_file_info(path.rstrip("/")).type == fs.FileType.Directory)

    def list_files(self, uri: str) -> list[str]:
        """URIs of the files directly in a folder, sorted; [] where there is no such folder."""
        return self._list(uri, fs.FileType.File)

    def list_folders(self, uri: str) -> list[str]:
        """URIs of the folders directly in a folder, sorted; [] if there is no such folder."""
        return self._list(uri, fs.FileType.Directory)

    def _list(self, uri: str, kind: fs.FileType) -> list[str]:
        system, path = self.filesystem(uri)
        found = system.get_file_info(fs.FileSelector(path.rstrip("/"), allow_not_found=True))
        prefix = "s3://" if is_s3(uri) else ""
        return sorted(prefix + info.path for info in found if info.type == kind)

    def delete(self, uri: str) -> None:
        """Delete a file, if it exists."""
        system, path = self.filesystem(uri)
        if system.get_file_info(path).type == fs.FileType.File:
            system.delete_file(path)

    def delete_folder(self, uri: str) -> None:
        """Delete a folder with its content, if it exists."""
        system, path = self.filesystem(uri)
        if self.is_folder(uri):
            system.delete_dir(path.rstrip("/"))

    def exists(self, uri: str) -> bool:
        """Whether there is such a file."""
        system, path = self.filesystem(uri)
        return bool(system.get_file_info(path).type == fs.FileType.File)


_making = Lock()
"""So that threads that come at once do not each make one."""


@lru_cache(maxsize=16)
def _s3_file_system(endpoint: str | None, region: str | None, _key: tuple[object, ...]) -> fs.S3FileSystem:
    """pyarrow's client, one for all threads of this process: each new one would ask for credentials of its own."""
    scheme, _, host = (endpoint or "").rpartition("://")
    return fs.S3FileSystem(region=region, endpoint_override=host or None, scheme=scheme or "https", retry_strategy=_RETRIES)


def read_text(uri: str) -> str:
    """Read a text file by path or URI, with the settings of the environment."""
    return Storage(endpoint=os.environ.get("AWS_ENDPOINT_URL")).read_text(uri)


_KEEP_SECONDS = 7 * 86_400
"""How long copies of older versions are kept, for processes that still use them."""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _delete_older(copies: Path, newest: Path) -> None:
    for each in copies.iterdir():
        if each != newest and each.stat().st_mtime < time.time() - _KEEP_SECONDS:
            shutil.rmtree(each, ignore_errors=True)
