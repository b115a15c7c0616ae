"""A workspace as `tidings init` makes it, and the command line in it, run in this process."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidings.cli import main
from tidings.example import write_workspace


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


def day(ahead: int) -> str:
    """The day so many days from today, `2026-03-01`: commands go by this machine's clock."""
    return f"{datetime.now(UTC) + timedelta(days=ahead):%Y-%m-%d}"


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]) -> Said:
    """One command, as the shell would run it."""
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["tidings", *words])
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    said = capsys.readouterr()
    return Said(code, said.out, said.err)


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop's folder."""

    path: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> Said:
        """A command in this workspace."""
        return run(self.monkeypatch, self.capsys, ["-w", str(self.path), *words])

    def write(self, name: str, text: str) -> Path:
        """Write a file of the workspace."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    def change(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands in a file exactly once or more."""
        text = (self.path / name).read_text("utf-8")
        assert old in text, f"{old!r} does not stand in {name}"
        self.write(name, text.replace(old, new))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shop:
    """A new workspace; nothing from the environment reaches into it."""
    for name in ("TIDINGS_DATABASE", "TIDINGS_SECRET", "TIDINGS_WORKSPACE", "TIDINGS_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    write_workspace(tmp_path / "shop")
    return Shop(tmp_path / "shop", monkeypatch, capsys)
