"""Pictures of cards as files: each as it was asked for, and all of them on one sheet."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import EnvironmentFault
from wallet import preview
from wallet.preview import Canvas, Side, Subject, Theme, WalletName
from wallet.preview.contact import contact_sheet
from wallet.preview.remarks import cut_off, remarks

PictureFormat = Literal["png", "svg"]
WALLET_NAMES: dict[WalletName, str] = {"apple": "Apple Wallet", "google": "Google Wallet"}
_CONTACT_ZOOM = 1.6
_NOT_IN_A_NAME = re.compile(r"[^\w.@+-]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """Which sides of which wallets are drawn, how, and into which files. Without `formats`: both kinds."""

    wallets: Sequence[WalletName] = preview.WALLETS
    sides: Sequence[Side] = ("front", "back")
    themes: Sequence[Theme] = ("light",)
    formats: Sequence[PictureFormat] = ("png", "svg")
    # What of a card stands in its file's name, where several are written.
    tier: bool = False
    locale: bool = False
    theme: bool = False


def sides_of(subject: Subject, layout: Layout) -> list[Side]:
    """The sides drawn beside each other; both of a card with a message, and then its notification."""
    sides = list(layout.sides)
    return [*sides, "lock"] if subject.news is not None and len(sides) == 2 else sides


def write_pictures(
    subjects: Sequence[Subject], directory: Path, name: str, layout: Layout = Layout()
) -> Iterator[Path]:
    """`<name>-apple.png` and the like; gives the PNG files, or what was written instead, one by one.

    EnvironmentFault where they cannot be written.
    """
    for subject in subjects:
        for wallet in layout.wallets:
            for theme in layout.themes:
                drawn = preview.sheet(subject, wallet, theme, sides_of(subject, layout))
                parts = [name, wallet, *_named(subject, theme, layout)]
                yield _write(drawn, directory, parts, layout.formats)


def write_contact_sheet(subjects: Sequence[Subject], directory: Path, name: str, layout: Layout) -> Path:
    """All of them on one sheet: `<name>-all.png`."""
    columns = [(wallet, theme) for wallet in layout.wallets for theme in layout.themes]
    rows = [
        (
            described(subject),
            [preview.sheet(subject, *column, sides_of(subject, layout)) for column in columns],
        )
        for subject in subjects
    ]
    heads = [f"{WALLET_NAMES[wallet]}, {theme}" for wallet, theme in columns]
    title = subjects[0].face.organisation
    return _write(contact_sheet(title, heads, rows), directory, [name, "all"], layout.formats, _CONTACT_ZOOM)


def described(subject: Subject) -> str:
    """The level and language of a card."""
    return f"{subject.face.tier or 'no level'} · {subject.face.locale}"


def remarks_on(subjects: Sequence[Subject], layout: Layout) -> Iterator[str]:
    """What is cut off, and what is hard to read: each once, with the cards that it is true of."""
    found: dict[str, list[str]] = {}
    for subject in subjects:
        said = list(remarks(subject))
        for wallet in layout.wallets:
            sides = sides_of(subject, layout)
            drawn = [preview.draw(subject, wallet, side, layout.themes[0]) for side in sides]
            said += [f"{WALLET_NAMES[wallet]}: {one}" for one in cut_off(drawn)]
        for one in said:
            found.setdefault(one, []).append(described(subject))
    for one, where in found.items():
        everywhere = len(where) == len(subjects) > 1
        yield f"{one} ({'all' if everywhere else ', '.join(where)})"


def _named(subject: Subject, theme: Theme, layout: Layout) -> Iterator[str]:
    if len(layout.sides) == 1:
        yield layout.sides[0]
    if layout.tier:
        yield subject.face.tier or "all"
    if layout.locale:
        yield subject.face.locale
    if layout.theme:
        yield theme


def _write(
    drawn: Canvas, directory: Path, parts: Sequence[str], formats: Sequence[PictureFormat], zoom: float = 2.0
) -> Path:
    file = directory / _NOT_IN_A_NAME.sub("_", "-".join(parts))
    picture = drawn.svg()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for kind in formats:
            content = preview.png(picture, zoom) if kind == "png" else picture.encode()
            Path(f"{file}.{kind}").write_bytes(content)
    except OSError as error:
        raise EnvironmentFault(
            f"{directory} cannot be written ({error.strerror}); choose another folder with --out"
        ) from error
    return Path(f"{file}.{formats[0]}")
