"""Source, sink and checkpoints: whether they are there, and what this process may do with them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from streaming_app.commands.doctor.finding import Finding, Pipeline
from streaming_app.lake.lock.identity import identity
from streaming_app.storage.conditional_object import conditional_object_at
from streaming_app.storage.files import Storage
from streaming_app.storage.uris import absolute, is_s3

_TEXT = "written by clickstream doctor; may be deleted"


def aws(pipeline: Pipeline) -> Iterator[Finding]:
    """The role or user that AWS knows this process as; only asked where S3 is used."""
    if not pipeline.uses_s3:
        return
    try:
        yield Finding("aws", "ok", f"this is {identity(pipeline.config.s3.region)}")
    except Exception as error:  # botocore has many classes for it, and none of them keeps a run from working
        yield Finding(
            "aws",
            "warning",
            f"AWS does not say who this is: {_one_line(error)}",
            "check credentials and region: aws sts get-caller-identity",
        )


def source(pipeline: Pipeline) -> Iterator[Finding]:
    """The folder of the raw files can be listed, and a file in it read."""
    uri = pipeline.config.source.uri
    if not pipeline.storage.is_folder(uri):
        yield Finding("source", "problem", f"{uri}: there is no such folder", "check source.uri, and put a raw file there")
        return
    first = next(pipeline.objects.files(absolute(uri)), None)
    if first is None:
        yield Finding("source", "ok", f"{uri}: can be listed, has no file yet")
        return
    try:
        _read_byte(pipeline.storage, first.uri)
    except OSError as error:
        yield Finding(
            "source", "problem", f"{first.uri}: cannot be read: {_one_line(error)}", _permission_hint("s3:GetObject", uri)
        )
        return
    yield Finding("source", "ok", f"{uri}: can be listed and read")


def lake(pipeline: Pipeline) -> Iterator[Finding]:
    """The folder of the tables can be written to; on S3 conditionally, too, which the lock and the commits need."""
    uri = pipeline.config.sink.uri
    yield from _check_writable("sink", uri, pipeline.storage)
    if is_s3(uri):
        yield from _check_conditional_writes("sink", uri, pipeline.storage)


def checkpoint(pipeline: Pipeline) -> Iterator[Finding]:
    """The folder of the checkpoints can be written to, where it is not beside the tables."""
    if pipeline.config.checkpoint.uri:
        yield from _check_writable("checkpoint", pipeline.config.checkpoint.uri, pipeline.storage)
    else:
        yield Finding("checkpoint", "ok", f"{pipeline.config.checkpoint_uri('')[:-1]}: beside the tables")


def _check_writable(check: str, uri: str, storage: Storage) -> Iterator[Finding]:
    if not is_s3(uri) and not Path(absolute(uri)).is_dir():
        yield _check_creatable(check, Path(absolute(uri)))
        return
    probe = f"{uri.rstrip('/')}/_doctor-{uuid.uuid4().hex}"
    tries: list[tuple[str, str, Callable[[], object]]] = [
        ("written", "s3:PutObject", lambda: storage.write_text(probe, _TEXT)),
        ("read", "s3:GetObject", lambda: storage.read_text(probe)),
        ("deleted", "s3:DeleteObject", lambda: storage.delete(probe)),
    ]
    for what, right, attempt in tries:
        try:
            attempt()
        except OSError as error:
            yield Finding(check, "problem", f"{probe}: cannot be {what}: {_one_line(error)}", _permission_hint(right, uri))
            return
    yield Finding(check, "ok", f"{uri}: can be written, read and deleted")


def _check_creatable(check: str, folder: Path) -> Finding:
    """A local folder that the first run creates: nothing is created now."""
    parent = next(each for each in folder.parents if each.exists())
    if parent.is_dir() and os.access(parent, os.W_OK):
        return Finding(check, "ok", f"{folder}: does not exist yet, the first run creates it")
    return Finding(
        check, "problem", f"{folder}: cannot be created in {parent}", "choose another folder, or get the right to write there"
    )


def _check_conditional_writes(check: str, uri: str, storage: Storage) -> Iterator[Finding]:
    probe = f"{uri.rstrip('/')}/_doctor-{uuid.uuid4().hex}.json"
    slot = conditional_object_at(probe, storage)
    first = slot.compare_and_swap("1", None)
    refused = slot.compare_and_swap("2", None) is None and slot.compare_and_swap("3", '"of another text"') is None
    storage.delete(probe)
    if first is not None and refused:
        yield Finding(check, "ok", f"{uri}: conditional writes work")
    else:
        yield Finding(
            check,
            "problem",
            f"{uri}: a conditional write is not refused: two runs could write at the same time",
            "use a store that supports If-Match and If-None-Match of PutObject, as AWS does",
        )


def _read_byte(storage: Storage, uri: str) -> None:
    system, path = storage.filesystem(uri)
    with system.open_input_stream(path) as stream:
        stream.read(1)


def _permission_hint(action: str, uri: str) -> str:
    return f"give the role {action} on {uri}" if is_s3(uri) else "check the rights of the file and its folder"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
