"""What of a card a platform refuses, and what its holder would not see: for `tidings check`.

A card is looked at as its holders get it, filled in with sample facts; `wallet.limits` has the limits.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from wallet import limits
from wallet.artwork import GOOGLE_HERO, GOOGLE_LOGO, ICON, LOGO, SCALES, STRIP, Artwork, Picture, Size
from wallet.design import TIER_KEY, Card, Code, Face
from wallet.google.standing import besides, points, rows, tier_key
from wallet.limits import Limit
from wallet.preview import WALLETS, Subject, WalletName, apple, barcode, draw
from wallet.preview.contrast import contrasts, logo_seen
from wallet.preview.remarks import LOGO_SEEN_AT_LEAST

Kind = Literal["card-refused", "card-cut-off", "card-not-everywhere", "card-picture", "card-contrast"]
NAMES = {"apple": "Apple", "google": "Google"}
_MODULE = re.compile(r"textModulesData\['(.+?)'\]")
# So much of a long text is quoted.
QUOTED = 30
# A picture may lose so much without a word: Google's wide one is lower than Apple's strip.
LOST_AT_MOST = 0.2
# A picture may be enlarged so much without a word.
ENLARGED_AT_MOST = 1.05
# Where a text stands that is no field's.
_ELSEWHERE = {
    "logo_text": "apple.logo_text", "organisation": "google.program_name",
    "program_name": "google.program_name", "barcode.under": "barcode.under",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at a path of the card's file; the same whatever `example` shows it, in which locale.

    `wallet` is the one that it is about, None for both.
    """

    path: str
    kind: Kind
    what: str
    fix: str = field(compare=False)
    example: str = field(default="", compare=False)
    locale: str = field(default="", compare=False)
    wallet: WalletName | None = field(default=None, compare=False)

    @property
    def severity(self) -> Literal["error", "warning"]:
        """What a platform refuses is an error."""
        return "error" if self.kind == "card-refused" else "warning"


def told(
    findings: Iterable[Finding], wallets: Collection[WalletName] = WALLETS
) -> Iterator[tuple[Finding, str]]:
    """Each finding once, with the sentence that tells it: where it is so, and the first example.

    `wallets` are those for which the card is made.
    """
    locales: dict[Finding, dict[str, None]] = {}
    for finding in (it for it in findings if it.wallet is None or it.wallet in wallets):
        locales.setdefault(finding, {})[finding.locale] = None
    for finding, named in locales.items():
        listed = " and ".join(f"'{locale}'" for locale in named if locale)
        example = f": {finding.example}" if finding.example else ""
        yield finding, f"{finding.what}{f' in {listed}' if listed else ''}{example}"


def of_card(card: Card) -> Iterator[Finding]:
    """What all customers' cards have alike."""
    if card.barcode is not None and card.barcode.kind == "code128":
        yield Finding("barcode.kind", "card-not-everywhere", "the Apple Watch shows no Code 128",
                      "write qr, pdf417 or aztec if that matters", wallet="apple")  # fmt: skip
    if card.barcode is None and card.nfc is None:
        yield Finding("barcode", "card-not-everywhere", "a till cannot read this card",
                      "add barcode, or nfc")  # fmt: skip
    if card.nfc is not None and card.nfc.authenticate and card.apple.sharing:
        yield Finding("nfc.authenticate", "card-not-everywhere",
                      "an old iPhone that the card is shared with does not ask",
                      "write 'apple: {sharing: false}' too", wallet="apple")  # fmt: skip
    seen = set(_MODULE.findall(str(rows(card)))) | {key for _, key in card.google.named()}
    for path, key in _below(card) if card.google.modules is None else ():
        if key not in seen and key != TIER_KEY:
            fix = f"its front has {limits.ROWS.at_most} rows of {limits.CELLS.at_most} fields"
            what = "Google shows it among the details only"
            yield Finding(path, "card-not-everywhere", what, fix, wallet="google")


def _below(card: Card) -> Iterator[tuple[str, str]]:
    for row in ("secondary", "auxiliary"):
        for index, shown in enumerate(getattr(card.front, row)):
            yield f"front.{row}.{index}", shown.key


def of_face(card: Card, face: Face) -> Iterator[Finding]:
    """Beyond a limit in numbers, with these facts and in this language."""
    yield from _machines(face)
    yield from _longer(limits.ACCOUNT, "barcode", face.account)
    yield from _longer(limits.HOLDER, "google", face.holder)
    yield from _longer(limits.TITLE, "google.program_name", face.program_name, face.locale)
    for index, link in enumerate(card.links):
        label = next((it.label for it in face.links if it.key == link.key), "")
        yield from _longer(limits.LINK_LABEL, f"links.{index}.label", label, face.locale)
    for place, it in enumerate(besides(face)):
        path = _path_of(card, it.key)
        yield from _longer(limits.MODULE_LABEL, f"{path}.label", it.label, face.locale)
        yield from _longer(limits.MODULE_VALUE, f"{path}.value", it.value, face.locale)
        if place >= limits.MODULES.at_most:
            fix = f"it shows {limits.MODULES.at_most} besides points and level: leave one out"
            what = "Google does not show this field"
            yield Finding(path, "card-not-everywhere", what, fix, wallet="google")


def _machines(face: Face) -> Iterator[Finding]:
    """What readers and tills take."""
    code, size = face.barcode, len((face.nfc or "").encode())
    if size > limits.NFC.at_most:
        what = f"Apple takes {limits.NFC.at_most} bytes for NFC"
        example = f"'{face.nfc}' has {size}"
        yield Finding("nfc", "card-refused", what, "shorten it", example, wallet="apple")
    if not (face.smart_tap or "").isascii():
        what, fix = "Google takes ASCII alone for Smart Tap", "write 'smart_tap:' of digits and Latin letters"
        yield Finding("nfc", "card-refused", what, fix, f"this is '{face.smart_tap}'", wallet="google")
    if code is not None and not code.message.isascii():
        only = code.kind == "code128"
        what = "Code 128 takes ASCII alone" if only else "readers differ in letters other than ASCII"
        kind: Kind = "card-refused" if only else "card-not-everywhere"
        yield Finding(
            "barcode.message", kind, what, "use digits and Latin letters", f"this is '{code.message}'"
        )


def _longer(limit: Limit, path: str, text: str, locale: str = "") -> Iterator[Finding]:
    if len(text) > limit.at_most:
        what = f"{NAMES[limit.wallet]} shows {limit.at_most} {limit.unit} of a {limit.what}"
        seen = text[max(0, limit.at_most - QUOTED) : limit.at_most]
        before = "…" if limit.at_most > QUOTED else ""
        example = f"it ends after '{before}{seen}'"
        fix = f"{len(text)} are too many: shorten it"
        yield Finding(path, "card-cut-off", what, fix, example, locale, limit.wallet)


def of_drawing(subject: Subject) -> Iterator[Finding]:
    """Texts of the front that are cut off where they are drawn, and colours that are hard to tell apart."""
    card, face = subject.card, subject.face
    for wallet in WALLETS:
        for cut in draw(subject, wallet).cuts:
            path, what = _path(card, face, cut.key, cut.whole), f"{NAMES[wallet]} cuts it off"
            fix = "shorten it, move it to the back, or give its row fewer fields"
            example = f"'{cut.whole}' is seen as '{cut.seen}'"
            yield Finding(path, "card-cut-off", what, fix, example, face.locale, wallet)
    yield from _colours(subject)
    if face.barcode is not None and face.barcode.message.isascii():
        yield from _bars(face.barcode)


def _bars(code: Code) -> Iterator[Finding]:
    """A code that cannot be drawn, or whose bars are too thin for scanners."""
    if fault := barcode.fault(code, (apple.WIDE if barcode.is_wide(code) else apple.SQUARE)[0]):
        what, _, fix = fault.removeprefix("barcode: ").partition("; ")
        kind: Kind = "card-not-everywhere" if barcode.matrix_of(code) else "card-refused"
        yield Finding("barcode.message", kind, what, fix)


def _colours(subject: Subject) -> Iterator[Finding]:
    card, face = subject.card, subject.face
    if logo_seen(subject) < LOGO_SEEN_AT_LEAST:
        what = f"most of it cannot be told from {face.colours.background}"
        fix = "use another logo, or another background"
        yield Finding("images.logo", "card-contrast", what, fix)
    for seen in contrasts(subject):
        if not seen.enough:
            what = f"{seen.colour} on {seen.ground} is hard to read: a contrast of {seen.ratio:.1f}"
            fix = f"it should be {seen.needed:g} at least"
            yield Finding(_colour(card, face.tier, seen.what), "card-contrast", what, fix)


def _colour(card: Card, tier: str | None, what: str) -> str:
    """Where a colour stands: with the tier if that has it or has what is behind it."""
    name, look = what.partition(" ")[0].removeprefix("colours."), card.by_tier.get(tier or "")
    if look is None or not (getattr(look, name, None) or look.background):
        return f"colours.{name}"
    return f"by_tier.{tier}.{name if getattr(look, name, None) else 'background'}"


def _path(card: Card, face: Face, key: str, whole: str) -> str:
    """Where in the file a text of the front stands."""
    if key in _ELSEWHERE:
        return _ELSEWHERE[key]
    names = dict(zip(("loyaltyPoints", "secondaryLoyaltyPoints"), points(face), strict=False))
    own = names[key].key if key in names else tier_key(face) if key == TIER_KEY else key
    value = next((it.value for it in face.front if it.key == own), "")
    return f"{_path_of(card, own)}.{'value' if whole == value else 'label'}"


def _path_of(card: Card, key: str) -> str:
    found = ((row, place) for row, fields in card.rows() for place, it in enumerate(fields) if it.key == key)
    row, place = next(found, ("front", ""))
    return f"{row}.{place}".rstrip(".")


def of_pictures(artwork: Artwork) -> Iterator[Finding]:
    """Originals that are smaller than they are shown, or lose much at their edges."""
    for picture in artwork.pictures.values():
        for wallet, size in _wanted(picture, artwork):
            yield from _fitted(picture, wallet, size)
    for tier in artwork.tiers.values():
        for wallet, size in _wanted(tier.pictures["strip"], tier):
            yield from _fitted(tier.pictures["strip"], wallet, size)


def _wanted(picture: Picture, artwork: Artwork) -> Iterator[tuple[WalletName, Size]]:
    """In which sizes a picture is shown at most."""
    apple = {"icon": ICON, "logo": LOGO, "strip": STRIP}
    google = {"icon": GOOGLE_LOGO, "strip": GOOGLE_HERO, "hero": GOOGLE_HERO, "google_logo": GOOGLE_LOGO}
    instead = {"icon": "google_logo", "strip": "hero"}
    if picture.role in apple:
        wide, high = apple[picture.role]
        yield "apple", (wide * SCALES[-1], high * SCALES[-1])
    if picture.role in google and instead.get(picture.role) not in artwork.pictures:
        yield "google", google[picture.role]


def _fitted(picture: Picture, wallet: WalletName, size: Size) -> Iterator[Finding]:
    (wide, high), (has_wide, has_high) = size, picture.size
    whole = picture.role == "logo"
    scale = (min if whole else max)(wide / has_wide, high / has_high)
    shown = f"{NAMES[wallet]} shows {wide} × {high}"
    if scale > ENLARGED_AT_MOST:
        what = f"is {has_wide} × {has_high} pixels, and {shown}: enlarged {scale:.1f} times it is not sharp"
        yield Finding(picture.place, "card-picture", what, "save it larger", wallet=wallet)
    lost = 1 - wide * high / (has_wide * scale * has_high * scale)
    if lost > LOST_AT_MOST and not whole:
        side = "width" if has_wide * scale > wide else "height"
        what = f"{shown}: {lost:.0%} of its {side} is cut off"
        fix = f"save it {wide / high:.2f} times as wide as high, or keep what matters in the middle"
        yield Finding(picture.place, "card-picture", what, fix, wallet=wallet)
