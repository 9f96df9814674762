"""The place in which a command keeps what it has done so far, until it is through: a command that was killed goes on there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streaming_app.config.model import Config
from streaming_app.storage.files import Storage


@contextmanager
def scratch(config: Config, name: str, storage: Storage) -> Iterator[str]:
    """The folder ``_checkpoints/<name>``; it is there as the last try left it, and gone when the block has ended well.

    A mark says that it is of no use any more: a deletion that is interrupted is gone on with, not taken for a beginning.
    """
    folder = config.checkpoint_uri(name)
    mark = f"{folder}.done"
    if storage.exists(mark):
        _clear(folder, mark, storage)
    yield folder
    storage.write_text(mark, "")
    _clear(folder, mark, storage)


def _clear(folder: str, mark: str, storage: Storage) -> None:
    storage.delete_folder(folder)
    storage.delete(mark)
