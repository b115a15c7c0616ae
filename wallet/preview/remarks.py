"""What a marketer should know of a card before it goes out: what is cut off, and what is hard to read."""

from collections.abc import Iterator, Sequence

from wallet.preview import apple, barcode
from wallet.preview.canvas import Canvas
from wallet.preview.contrast import contrasts, logo_seen
from wallet.preview.subject import Subject

QUOTED = 60
LOGO_SEEN_AT_LEAST = 0.5


def remarks(subject: Subject) -> Iterator[str]:
    """Sentences about the card's own colours and its barcode."""
    for one in contrasts(subject):
        if not one.enough:
            yield (
                f"{one.what}: {one.colour} on {one.ground} has a contrast of {one.ratio:.1f}:1; "
                f"WCAG asks for {one.needed:g}:1"
            )
    if logo_seen(subject) < LOGO_SEEN_AT_LEAST:
        yield f"images.logo: most of it cannot be told from {subject.face.colours.background}"
    code = subject.face.barcode
    if code is not None and code.message:
        wide, _ = apple.WIDE if barcode.is_wide(code) else apple.SQUARE
        if fault := barcode.fault(code, wide):
            yield fault
    elif subject.face.nfc is None and subject.face.smart_tap is None:
        yield "no barcode and no nfc: a till cannot read this card; add barcode"


def cut_off(drawn: Sequence[Canvas]) -> Iterator[str]:
    """Sentences about texts that the phone would cut off, and about letters that only the phone has."""
    if missing := "".join(dict.fromkeys(sign for canvas in drawn for sign in canvas.missing)):
        yield f"the pictures have no {' '.join(missing)}: they leave a gap where a phone does not"
    cuts = {(cut.key, cut.whole): cut for canvas in drawn for cut in canvas.cuts}
    for cut in cuts.values():
        whole = cut.whole if len(cut.whole) <= QUOTED else cut.whole[:QUOTED].rstrip() + "…"
        yield f"{cut.key}: '{whole}' is cut off"
