"""The keys that sign customers' links: read from TIDINGS_LINK_KEYS, and changed without breaking a link."""

import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from core.errors import EnvironmentFault

VARIABLE = "TIDINGS_LINK_KEYS"
# Stands for TIDINGS_SECRET, which signed the links before they had keys of their own.
SECRET = "secret"  # noqa: S105 - the word itself
SHORTEST = 16


def read(text: str, secret: bytes, env_file: Path) -> tuple[bytes, ...]:
    """The keys, the newest first; EnvironmentFault for one that is too short."""
    words = _words(text)
    if any(len(word) < SHORTEST for word in words if word != SECRET):
        raise EnvironmentFault(
            f"{VARIABLE} in {env_file} has a key shorter than {SHORTEST} characters; let "
            "`tidings keys rotate-links` write the line"
        )
    return tuple(secret if word == SECRET else word.encode() for word in words) or (secret,)


def rotated(text: str) -> str:
    """The variable's value with a new key before the others."""
    return ",".join([secrets.token_urlsafe(32), *(_words(text) or [SECRET])])


def write(env_file: Path, value: str) -> None:
    """Put the variable into .env, which keeps its other lines, its owner and its rights, and is never half
    written. Where it is a link to a file, that file is written.
    """
    env_file = env_file.resolve()
    line = f"{VARIABLE}={value}"
    lines = env_file.read_text("utf-8").splitlines() if env_file.is_file() else []
    kept = [it for it in lines if it.removeprefix("export ").split("=", 1)[0].strip() != VARIABLE]
    handle, name = tempfile.mkstemp(dir=env_file.parent, prefix=".env-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join([*kept, line]) + "\n")
        file.flush()
        os.fsync(file.fileno())
    if env_file.is_file():
        was = env_file.stat()
        # Before the rights, which a new owner may lose; nobody but root gives a file away.
        with suppress(PermissionError):
            os.chown(name, was.st_uid, was.st_gid)
        Path(name).chmod(was.st_mode & 0o777)
    Path(name).replace(env_file)


def _words(text: str) -> Sequence[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
