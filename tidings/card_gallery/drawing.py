"""What stands on the page; how it looks stands in page.html."""

import base64
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from tidings.card_looks import SAMPLE, Found
from tidings.card_pictures import WALLET_NAMES, Layout, remarks_on, sides_of
from tidings.drawn_pages import templates
from wallet import preview
from wallet.design import NEWS_KEY
from wallet.measure import FONTS
from wallet.preview import THEMES, Canvas, Subject
from wallet.preview.contrast import contrasts

WEIGHTS = {400: "Regular", 500: "Medium", 600: "SemiBold"}
SIDE_NAMES = {"front": "front", "back": "details", "lock": "notification"}


def page(found: Found, layout: Layout, program: str) -> str:
    """The whole document: a part for each level, in it each language, wallet and theme."""
    shared: dict[str, str] = {}
    parts = [
        {"tier": tier or "no level", "cards": [_card(subject, layout, shared) for subject in subjects]}
        for tier, subjects in groupby(found.subjects, lambda it: it.face.tier)
    ]
    locales = list(dict.fromkeys(subject.face.locale for subject in found.subjects))
    return _templates().get_template("page.html").render(
        program=program, who="somebody made up" if found.name == SAMPLE else found.name, parts=parts,
        locales=locales, themes=THEMES, wallets={name: WALLET_NAMES[name] for name in layout.wallets},
        remarks=list(remarks_on(found.subjects, layout)), fonts=list(_fonts()),
        shared=Markup("".join(shared.values())),  # noqa: S704 - drawn by us, its texts are escaped
    )  # fmt: skip


def _templates() -> Environment:
    return templates("tidings", "card_gallery")


def _card(subject: Subject, layout: Layout, shared: dict[str, str]) -> dict[str, Any]:
    return {
        "locale": subject.face.locale, "status": subject.status, "contrasts": list(contrasts(subject)),
        "pictures": list(_pictures(subject, layout, shared)), "notices": list(_notices(subject)),
        "near": next((store.text for store in subject.face.places if store.text), ""),
    }  # fmt: skip


def _pictures(subject: Subject, layout: Layout, shared: dict[str, str]) -> Iterator[dict[str, Any]]:
    for wallet in layout.wallets:
        for theme in THEMES:
            sides = sides_of(subject, layout)
            drawn = preview.screens(subject, wallet, theme, sides)
            for one in drawn:
                shared |= one.shared
            names = [SIDE_NAMES[side] for side in sides]
            yield {"wallet": wallet, "theme": theme, "sides": _sides(names, drawn)}


def _notices(subject: Subject) -> Iterator[str]:
    """What an iPhone says when a value changes to the one on the card."""
    for field in (*subject.face.front, *subject.face.back):
        if field.change_message and field.key != NEWS_KEY:
            yield field.change_message.replace("%@", field.value)


def _sides(names: Sequence[str], drawn: Sequence[Canvas]) -> list[dict[str, Any]]:
    pairs = zip(names, drawn, strict=True)
    return [
        {"name": name, "svg": Markup(one.svg(alone=False))}  # noqa: S704 - drawn by us, its texts are escaped
        for name, one in pairs
    ]


def _fonts() -> Iterator[dict[str, Any]]:
    for weight, name in WEIGHTS.items():
        data = (FONTS / f"Inter-{name}.otf").read_bytes()
        yield {"weight": weight, "data": base64.b64encode(data).decode()}
