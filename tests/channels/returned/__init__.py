"""What mail systems send back, one file each; `{token}` and `{address}` stand for a message's own."""

from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.eml"))


def returned(name: str, token: str, address: str = "anna@example.com") -> bytes:
    """A message as it arrives, with CRLF line ends."""
    text = (FOLDER / f"{name}.eml").read_text(encoding="utf-8")
    text = text.replace("{token}", token).replace("{TOKEN}", token.upper()).replace("{address}", address)
    return text.replace("\n", "\r\n").encode()
