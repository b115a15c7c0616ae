"""One customer's card: the single source of the Apple pass, the Google object and the picture."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from wallet.design.card import NEWS_KEY, NEWS_LINK_KEY, BarcodeKind, Colours, GoogleCard
from wallet.design.places import Place
from wallet.design.words import Words, say

# Google shows what the front shows, in its order.
AS_THE_FRONT = GoogleCard()


@dataclass(frozen=True, slots=True)
class Shown:
    """One field as the customer sees it."""

    key: str
    label: str
    value: str = field(repr=False)
    change_message: str | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """The barcode as the till reads it."""

    kind: BarcodeKind
    message: str = field(repr=False)
    under: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A link; `key` is unlike those of all fields, since Apple shows it as a field of the back."""

    key: str
    label: str
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Face:
    """One customer's card in one language.

    `artwork` is the digest of the pass's pictures, `google_artwork` that of those that Google alone shows.
    `expires` is when the card ends (UTC), `nfc` what Apple's reader is told and `smart_tap` Google's,
    `others` the same card in the program's other locales where the card follows the phone's language.
    `google` says which fields Google shows where.
    """

    locale: str
    tier: str | None
    organisation: str
    about: str
    account: str = field(repr=False)
    holder: str = field(repr=False)
    colours: Colours
    header: tuple[Shown, ...]
    primary: tuple[Shown, ...]
    secondary: tuple[Shown, ...]
    auxiliary: tuple[Shown, ...]
    back: tuple[Shown, ...]
    barcode: Code | None
    places: tuple[Place, ...]
    nfc: str | None = field(repr=False)
    artwork: str
    google_artwork: str = ""
    links: tuple[Link, ...] = ()
    expires: datetime | None = None
    smart_tap: str | None = field(default=None, repr=False)
    authenticate: bool = False
    logo_text: str = ""
    program_name: str = ""
    sharing: bool = True
    apps: tuple[int, ...] = ()
    google: GoogleCard = AS_THE_FRONT
    others: tuple["Face", ...] = ()

    @property
    def front(self) -> tuple[Shown, ...]:
        """The fields of the front in reading order."""
        return self.header + self.primary + self.secondary + self.auxiliary

    def with_news(self, label: Words, text: str, link: str | None = None) -> "Face":
        """The same card with a message first on its back, which the phone shows when it changes."""
        told = Shown(NEWS_KEY, say(label, self.locale), text, "%@")
        links = (Link(NEWS_LINK_KEY, told.label, link), *self.links) if link else self.links
        others = tuple(other.with_news(label, text, link) for other in self.others)
        return replace(self, back=(told, *self.back), links=links, others=others)

    def emptied(self) -> "Face":
        """The card without anything of its holder, for passes replaced or whose holder is erased."""
        return replace(
            self, account="", holder="", header=(), primary=(), secondary=(), auxiliary=(), back=(),
            barcode=None, places=(), nfc=None, smart_tap=None, links=(), expires=None,
            others=tuple(other.emptied() for other in self.others),
        )  # fmt: skip

    def digest(self) -> str:
        """Changes exactly when what Apple's pass shows or carries changes.

        A new wording of a change message alone is no change: it travels with the value that it announces.
        """
        return _digest(_content(self))

    def google_digest(self) -> str:
        """Changes exactly when something changes that only Google is told."""
        return _digest(_google_content(self))[:16]

    def digest_before_0005(self) -> str:
        """What was kept of it up to schema 0004; nothing for a card that has something newer.

        Passes that were not marked since still have it: without it the first start after the upgrade would
        wake every phone for nothing.
        """
        plain = replace(
            self, google_artwork="", links=(), expires=None, smart_tap=self.nfc, authenticate=False,
            logo_text="", program_name=self.organisation, sharing=True, apps=(), google=AS_THE_FRONT,
            others=(),
        )  # fmt: skip
        if self != plain:
            return ""
        content = {name: getattr(self, name) for name in _FACTS}
        content |= {name: _fields(getattr(self, name)) for name in _ROWS}
        barcode = asdict(self.barcode) if self.barcode else None
        places = [place._asdict() for place in self.places]
        content |= {"colours": self.colours.model_dump(), "barcode": barcode, "places": places}
        return _digest(content, sort_keys=True)

    def notice(self) -> str:
        """Changes exactly when a value changes that its holder wants to be told of (`notify`)."""
        fields = self.front + self.back
        return _digest([(field.key, field.value) for field in fields if field.change_message])


# What the digests up to schema 0004 were made of, besides colours, barcode and places.
_FACTS = ("locale", "tier", "organisation", "about", "account", "holder", "nfc", "artwork")
_ROWS = ("header", "primary", "secondary", "auxiliary", "back")


def _digest(content: object, *, sort_keys: bool = False) -> str:
    text = json.dumps(content, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _content(face: Face) -> list[Any]:
    code, rows = face.barcode, (face.header, face.primary, face.secondary, face.auxiliary, face.back)
    return [
        face.locale, face.organisation, face.about, face.logo_text, face.artwork,
        face.colours.background, face.colours.text, face.colours.label,
        [_fields(row) for row in rows],
        [(link.key, link.label, link.uri) for link in face.links],
        (code.kind, code.message, code.under) if code else None,
        [(place.latitude, place.longitude, place.text) for place in face.places],
        face.nfc, face.authenticate, face.expires.isoformat() if face.expires else None,
        face.sharing, face.apps,
        [_content(other) for other in face.others],
    ]  # fmt: skip


def _google_content(face: Face) -> list[Any]:
    google = face.google
    return [
        face.tier, face.account, face.holder, face.smart_tap, face.google_artwork,
        google.points, google.secondary_points, google.tier, google.modules,
        [it.program_name for it in (face, *face.others)],
    ]  # fmt: skip


def _fields(row: tuple[Shown, ...]) -> list[tuple[str, str, str]]:
    return [(field.key, field.label, field.value) for field in row]
