"""A repository of jars on this machine, as Maven lays one out, that counts what is fetched."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

from tests.support.http import serving

SETTINGS = """<ivysettings><settings defaultResolver="mirror"/><resolvers>
  <ibiblio name="mirror" m2compatible="true" root="{}/"/>
</resolvers></ivysettings>"""


@dataclass
class JarMirror:
    """It has no POMs: a jar alone is enough where nothing is asked of what it depends on."""

    settings: Path
    """Ivy's, that lead here."""
    files: dict[str, Path]
    """By coordinates; more may be put in."""
    fetched: Counter[str] = field(default_factory=Counter)
    """How often the content of each was sent, by the name of the file."""
    open: Event = field(default_factory=Event)
    """While it is not set, a jar is begun and goes no further."""
    begun: Event = field(default_factory=Event)


@contextmanager
def jar_mirror(folder: Path, files: Mapping[str, Path]) -> Iterator[JarMirror]:
    mirror = JarMirror(folder / "ivysettings.xml", dict(files))
    mirror.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(content=True)

        def do_HEAD(self) -> None:
            self._answer(content=False)

        def _answer(self, *, content: bool) -> None:
            path = {_place(coordinates): path for coordinates, path in mirror.files.items()}.get(self.path)
            if path is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            if content:
                mirror.fetched[self.path.rpartition("/")[2]] += 1
                self._send(path)

        def _send(self, path: Path) -> None:
            with path.open("rb") as file:
                self.wfile.write(file.read(1))
                self.wfile.flush()
                mirror.begun.set()
                mirror.open.wait(timeout=60)
                shutil.copyfileobj(file, self.wfile, 1 << 20)

        def log_message(self, *_: object) -> None:
            return

    with serving(Handler) as address:
        mirror.settings.write_text(SETTINGS.format(address))
        yield mirror


def _place(coordinates: str) -> str:
    organisation, artifact, version = coordinates.split(":")
    return f"/{organisation.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.jar"
