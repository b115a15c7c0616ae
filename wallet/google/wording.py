"""One text for every language of a phone: Google's LocalizedString, from the faces of one card.

A card that follows the phone's language has a face in each of the program's languages; any other has one.
"""

from collections.abc import Callable, Mapping
from typing import Any

from wallet.design import Face

Localized = dict[str, Any]


def tongues(face: Face, first: str | None = None) -> dict[str, Face]:
    """The card's faces by locale, the one that stands where no other fits first: `first` if there is one."""
    faces = {it.locale: it for it in (face, *face.others)}
    main = faces.get(first or "") or face
    return {main.locale: main, **faces}


def localized(texts: Mapping[str, str]) -> Localized | None:
    """The texts by locale, the first one for all other phones; None where one text serves everybody."""
    (locale, value), *others = texts.items()
    if not value or all(text == value for _, text in others):
        return None
    return {
        "defaultValue": _translated(locale, value),
        "translatedValues": [_translated(other, text) for other, text in others if text],
    }


def spoken_by(faces: Mapping[str, Face], say: Callable[[Face], str]) -> Localized | None:
    """What each face says, as a LocalizedString."""
    return localized({locale: say(face) for locale, face in faces.items()})


def _translated(locale: str, value: str) -> dict[str, str]:
    return {"language": locale, "value": value}
