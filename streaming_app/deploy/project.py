"""This project as a package: from a checkout or from where it is installed."""

from __future__ import annotations

import platform
import shutil
from importlib import metadata
from pathlib import Path

from streaming_app.deploy.locked_hashes import without_hashes
from streaming_app.deploy.target import Target
from streaming_app.deploy.uv import CHECKOUT, Uv

NAME = "clickstream-lake"


def in_checkout() -> bool:
    return (CHECKOUT / "uv.lock").is_file()


def unpack_project(uv: Uv, target: Target, folder: Path) -> None:
    """Put this project, without what it requires, into a folder, as an installer would."""
    if in_checkout():
        wheels = folder.with_name("wheel")
        uv.install(target, [uv.build_wheel(CHECKOUT, wheels)], folder)
        return
    for each in metadata.distribution(NAME).files or ():
        if ".." not in each.parts and each.suffix != ".pyc":  # the console script lies outside
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(str(each.locate())), folder / each)


def requirements_of(folder: Path, extra: str | None) -> list[str]:
    """What the unpacked project requires: always, or by one of its extras alone (which have no other markers)."""
    [project] = metadata.distributions(name=NAME, path=[str(folder)])
    lines = [line.partition(";") for line in project.requires or ()]
    if extra is None:
        return ["".join(parts) for parts in lines if "extra ==" not in parts[2]]
    return [requirement for requirement, _, marker in lines if "extra ==" in marker and extra in marker]


def locked_requirements(uv: Uv) -> str:
    """What uv.lock holds, with hashes; what is installed, without, where there is no checkout."""
    return uv.export_locked(CHECKOUT) if in_checkout() else _list_installed()


def pin(versions: str, target: Target, folder: Path, resolved: Path) -> list[str]:
    """Options of ``Uv.resolve`` that keep the versions which are locked, or installed, here.

    A library that was installed for another Python may have no such version for the target's: then, and only then, uv may
    choose another one. So these versions are put where uv looks for earlier choices.
    """
    if in_checkout() or platform.python_version().startswith(f"{target.python}."):
        constraints = folder / "constraints.txt"
        constraints.write_text(without_hashes(versions))
        return ["--constraints", str(constraints)]
    resolved.write_text(versions)
    return []


def _list_installed() -> str:
    return "".join(f"{each.name}=={each.version}\n" for each in metadata.distributions() if each.name != NAME)
