"""The example workspace: what `tidings init` writes is what examples/ holds."""

import secrets
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from core.errors import UserError
from tidings.editor import write_settings

# What is in a folder that nobody has put anything into: a new home's hidden files are beside these.
OF_A_DISK = "lost+found"
OURS = (".env", ".gitignore", ".tidings")
IGNORED = ".env\ntidings.db*\noutbox/\n.tidings/\n"


def source() -> Traversable:
    """The example, as shipped in the wheel, or beside the code where it is developed."""
    shipped = files("tidings") / "example_workspace"
    if shipped.is_dir():
        return shipped
    return Path(__file__).parent.parent / "examples" / "kavarnia"


def write_workspace(directory: Path) -> int:
    """Copy the example and make its secrets; returns how many files. UserError if something is there.

    A new user's home, a fresh repository and the root of a disk count as empty.
    """
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory} is a file; name a new folder")
    if there := sorted(filter(_is_somebodys, directory.iterdir() if directory.exists() else ())):
        raise UserError(f"{directory} is there already and not empty: {there[0].name}; name a new folder")
    count = _copy(source(), directory) + write_settings(directory)
    (directory / ".gitignore").write_text(IGNORED, "utf-8")
    environment = directory / ".env"
    environment.touch(mode=0o600)
    environment.write_text(_environment(), "utf-8")
    return count + 2


def _is_somebodys(entry: Path) -> bool:
    return entry.name in OURS or not (entry.name.startswith(".") or entry.name == OF_A_DISK)


def _copy(origin: Traversable, target: Path) -> int:
    if origin.is_file():
        target.write_bytes(origin.read_bytes())
        return 1
    target.mkdir(parents=True, exist_ok=True)
    entries = sorted(origin.iterdir(), key=lambda it: it.name)
    return sum(_copy(entry, target / entry.name) for entry in entries if _is_source(entry.name))


def _is_source(name: str) -> bool:
    # What a run leaves behind in the example itself is not part of it.
    return name not in (".env", ".tidings", "outbox", "__pycache__") and not name.startswith("tidings.db")


def _environment() -> str:
    return (
        "# Secrets of this workspace. Keep them out of git, and never change TIDINGS_SECRET:\n"
        "# links that customers hold and the digests of suppressed addresses depend on it.\n"
        f"TIDINGS_SECRET={secrets.token_urlsafe(32)}\n"
        f"TIDINGS_API_TOKEN={secrets.token_urlsafe(32)}\n"
        "# TIDINGS_DATABASE=postgresql://tidings@localhost/tidings\n"
        "# TIDINGS_PUBLIC_URL=https://bonus.example.org\n"
        "# Transports write to outbox/ until you choose a provider; see docs/channels.md:\n"
        "# TIDINGS_EMAIL_TRANSPORT=smtp\n# TIDINGS_SMS_TRANSPORT=twilio\n# TIDINGS_PUSH_TRANSPORT=firebase\n"
        "# TIDINGS_TELEGRAM_TRANSPORT=bot\n"
        "# Messages on the wallet card are put on it; Apple and Google hear of it by their own settings:\n"
        "TIDINGS_WALLET_TRANSPORT=card\n"
    )
