"""Which files of a workspace count, and what stands among them that is none."""

from collections.abc import Iterator
from pathlib import Path

from core.errors import Problem


def files_in(
    workspace: Path, folder: str, problems: list[Problem], named: str = "*"
) -> Iterator[tuple[str, Path]]:
    """The files of a folder and of those in it, by their workspace-relative POSIX path, in its order.

    What an editor or a file manager left behind is passed over; what can be no file is told.
    """
    for path in sorted((workspace / folder).rglob(named)):
        name = path.relative_to(workspace)
        if _is_stray(name):
            continue
        if found := _unfit(path):
            problems.append(Problem(name.as_posix(), 0, 0, "", *found, kind="unreadable-file"))
        elif path.is_file():
            yield name.as_posix(), path


def _is_stray(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return hidden or path.name.endswith("~") or path.name == "Thumbs.db"


def _unfit(path: Path) -> tuple[str, str] | None:
    """What it is instead of a file, and what to do; None for a file, and for a folder called like one."""
    if path.is_symlink() and not path.exists():
        return "is a link that leads to nothing", "correct it, or remove it"
    if path.is_dir():
        named = path.suffix == ".yaml"
        return ("is a folder", "give it another name, or put a file there") if named else None
    # Whoever reads a pipe waits for a writer who may never come.
    return None if path.is_file() else ("is no file", "put a file there, or remove it")
