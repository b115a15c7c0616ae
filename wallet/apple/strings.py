"""Translations of a pass: `<language>.lproj/pass.strings`, the texts that differ from the pass's own.

A text of `pass.json` that stands on the left of a line is shown as what stands on its right. Source: Apple's
Wallet Passes documentation, and the format of `.strings` files.
"""

from collections.abc import Iterator

from wallet.apple.content import anchor
from wallet.design import Face

_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": ""})


def translations(face: Face) -> list[tuple[str, bytes]]:
    """Files by name: one for each of the face's other languages, and one for its own; none without others.

    Its own holds one text that stays as it is: where a pass has languages but not the phone's, the phone
    takes another one of them.
    """
    if not face.others:
        return []
    own = (_file(face), _lines({face.about: face.about}))
    return [own, *((_file(other), _lines(differences(face, other))) for other in face.others)]


def differences(face: Face, other: Face) -> dict[str, str]:
    """Each text of `face` that `other` says otherwise.

    One that would need two translations (two values that are alike in one language only) has none: a phone
    knows a text by nothing but itself, and its own language is better than the words of another field.
    """
    theirs = dict(_texts(other))
    found: dict[str, str] = {}
    torn: set[str] = set()
    for place, text in _texts(face):
        translated = theirs.get(place, text)
        if found.setdefault(text, translated) != translated:
            torn.add(text)
    return {text: it for text, it in found.items() if text and it != text and text not in torn}


def _texts(face: Face) -> Iterator[tuple[tuple[str, str], str]]:
    """Every text that Wallet translates, with its place on the card."""
    yield ("organisation", ""), face.organisation
    yield ("about", ""), face.about
    yield ("logo", ""), face.logo_text
    for field in (*face.front, *face.back):
        yield (field.key, "label"), field.label
        yield (field.key, "value"), field.value
        yield (field.key, "notify"), field.change_message or ""
    for link in face.links:
        yield (link.key, "uri"), link.uri
        yield (link.key, "link"), anchor(link)
    if face.barcode is not None:
        yield ("barcode", "under"), face.barcode.under
    for index, store in enumerate(face.places):
        yield ("store", str(index)), store.text


def _file(face: Face) -> str:
    return f"{face.locale.replace('_', '-')}.lproj/pass.strings"


def _lines(texts: dict[str, str]) -> bytes:
    return "".join(f"{_quoted(text)} = {_quoted(said)};\n" for text, said in texts.items()).encode()


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPED)}"'
