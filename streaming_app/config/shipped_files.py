"""Files of the ``conf/`` folder, in a checkout and in an installed package alike."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parents[1] / "_conf"
_CHECKOUT = Path(__file__).parents[2] / "conf"


def conf_file(name: str) -> Path:
    """Path of a file below ``conf/``, for example ``spark/ivysettings.xml``."""
    return (_INSTALLED if _INSTALLED.is_dir() else _CHECKOUT) / name
