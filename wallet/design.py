"""What stands on a card: the model of `cards/*.yaml`, and one customer's card resolved from it.

A `Face` is the single source from which the Apple pass, the Google object and the picture are made, so
that the three never tell different stories. It is rendered in the customer's own language.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import asin, cos, radians, sin, sqrt
from typing import Annotated, Literal, Protocol, Self

from pydantic import AfterValidator, Field, model_validator

from core.explain import complaint, expected
from core.source import Model


def _colour(text: str) -> str:
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise expected("a colour", text, "write it in quotes, for example '#1f3b2d'")
    return text.lower()


def _key(text: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9_-]{0,39}", text):
        raise expected("a short name", text, "use small letters, digits, - and _")
    return text


Colour = Annotated[str, AfterValidator(_colour)]
Key = Annotated[str, AfterValidator(_key)]
# A text in one language, or a text for each locale; the first one serves the locales not named.
Words = str | dict[str, str]
BarcodeKind = Literal["qr", "pdf417", "aztec", "code128"]

PROGRAM_NAME = "{{ program.name }}"
ACCOUNT = "{{ customer.card or '' }}"
HOLDER = "{{ customer.name or '' }}"
NFC_BYTES = 64
NEWS_KEY = "news"


class Renderer(Protocol):
    """Fills in short texts with one customer's facts."""

    def render(self, source: str, locale: str) -> str:
        """The text of a template, its dates and amounts spelled as in `locale`."""
        ...

    def truthy(self, expression: str) -> bool:
        """Whether an expression (`expiring.amount`) holds for the customer."""
        ...


class Colours(Model):
    """Colours as `#rrggbb`."""

    background: Colour = "#1f2937"
    text: Colour = "#ffffff"
    label: Colour = "#d1d5db"


class TierColours(Model):
    """The colours in which a tier differs from the rest."""

    background: Colour | None = None
    text: Colour | None = None
    label: Colour | None = None


class Images(Model):
    """One original of each picture, relative to the card's file; every size is made from it."""

    icon: str
    logo: str
    strip: str | None = None


class Barcode(Model):
    """What the till scans. Keep the message ASCII: scanners differ in what else they read."""

    kind: BarcodeKind = "qr"
    message: str
    under: Words | None = None


class CardField(Model):
    """One label and value. `notify` is what the phone says when the value changes, `%@` being the new one."""

    key: Key
    label: Words
    value: Words
    notify: Words | None = None
    when: str | None = None

    @model_validator(mode="after")
    def _names_the_new_value(self) -> Self:
        if any("%@" not in text for _, text in spoken(self.notify)):
            raise complaint("notify lacks %@", "write %@ where the new value will stand")
        return self


class Front(Model):
    """The front, as a store card lays it out (Apple: a header of three, a primary, four below in all)."""

    header: list[CardField] = Field(default_factory=list, max_length=3)
    primary: list[CardField] = Field(default_factory=list, max_length=1)
    secondary: list[CardField] = Field(default_factory=list, max_length=4)
    auxiliary: list[CardField] = Field(default_factory=list, max_length=4)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.secondary) + len(self.auxiliary) > 4:
            raise complaint(
                "secondary and auxiliary hold at most four fields together", "move some to the back"
            )
        return self


class Near(Model):
    """Shows itself on the lock screen near this many of the customer's closest stores (at most ten)."""

    stores: int = Field(ge=1, le=10)


class Card(Model):
    """One file of `cards/`."""

    about: Words
    colours: Colours = Colours()
    by_tier: dict[str, TierColours] = Field(default_factory=dict)
    images: Images
    barcode: Barcode | None = None
    front: Front
    back: list[CardField] = Field(default_factory=list)
    near: Near | None = None
    nfc: str | None = None

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        keys = [field.key for field in self.fields()]
        if NEWS_KEY in keys:
            raise complaint(f"the key {NEWS_KEY!r} is kept for messages sent to the card", "choose another")
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise complaint(f"two fields have the key {twice[0]!r}", "give each field a key of its own")
        return self

    def fields(self) -> Iterator[CardField]:
        """Every field, front to back."""
        for _, fields in self.rows():
            yield from fields

    def rows(self) -> Iterator[tuple[str, list[CardField]]]:
        """The rows by their path in the file."""
        for name in ("header", "primary", "secondary", "auxiliary"):
            yield f"front.{name}", getattr(self.front, name)
        yield "back", self.back

    def colours_for(self, tier: str | None) -> Colours:
        """The card's colours, with those of the customer's tier laid over them."""
        own = self.by_tier.get(tier or "", TierColours())
        return Colours(**{**self.colours.model_dump(), **own.model_dump(exclude_none=True)})

    def templates(self) -> Iterator[tuple[str, str]]:
        """Every template on the card with its path in the file, so that all can be checked beforehand."""
        if self.barcode is not None:
            yield "barcode.message", self.barcode.message
            yield from _paths("barcode.under", self.barcode.under)
        if self.nfc is not None:
            yield "nfc", self.nfc
        for row, fields in self.rows():
            for index, field in enumerate(fields):
                yield from _paths(f"{row}.{index}.value", field.value)

    def conditions(self) -> Iterator[tuple[str, str]]:
        """Every `when` expression with its path in the file."""
        for row, fields in self.rows():
            for index, field in enumerate(fields):
                if field.when is not None:
                    yield f"{row}.{index}.when", field.when

    def missing(self, locales: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Paths of texts given by locale that lack one of the program's locales, with that locale."""
        texts: list[tuple[str, Words | None]] = [("about", self.about)]
        if self.barcode is not None:
            texts.append(("barcode.under", self.barcode.under))
        for row, fields in self.rows():
            for index, field in enumerate(fields):
                texts += [
                    (f"{row}.{index}.{name}", getattr(field, name)) for name in ("label", "value", "notify")
                ]
        for path, words in texts:
            if isinstance(words, dict):
                yield from ((path, locale) for locale in locales if locale not in words)


def spoken(words: Words | None) -> list[tuple[str | None, str]]:
    """The texts with their locales; one without a locale if there is only one language."""
    if words is None:
        return []
    return [(None, words)] if isinstance(words, str) else list(words.items())


def say(words: Words, locale: str) -> str:
    """The text for a locale: its own, its language's (`uk` for `uk-UA`), else the first one given."""
    if isinstance(words, str):
        return words
    language = locale.replace("_", "-").split("-")[0]
    return words.get(locale, words.get(language, next(iter(words.values()), "")))


def _paths(path: str, words: Words | None) -> Iterator[tuple[str, str]]:
    for locale, text in spoken(words):
        yield f"{path}.{locale}" if locale else path, text


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is, in degrees (WGS 84); `text` is what the lock screen says there."""

    latitude: float
    longitude: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One field as the customer sees it."""

    key: str
    label: str
    value: str
    change_message: str | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """The barcode as the till reads it."""

    kind: BarcodeKind
    message: str
    under: str = ""


@dataclass(frozen=True, slots=True)
class Face:
    """One customer's card, in their language. `artwork` is the digest of the pictures."""

    locale: str
    tier: str | None
    organisation: str
    about: str
    account: str
    holder: str
    colours: Colours
    header: tuple[Shown, ...]
    primary: tuple[Shown, ...]
    secondary: tuple[Shown, ...]
    auxiliary: tuple[Shown, ...]
    back: tuple[Shown, ...]
    barcode: Code | None
    places: tuple[Place, ...]
    nfc: str | None
    artwork: str

    @property
    def front(self) -> tuple[Shown, ...]:
        """The fields of the front in reading order."""
        return self.header + self.primary + self.secondary + self.auxiliary

    def with_news(self, label: str, text: str) -> "Face":
        """The same card with a message first on its back, which the phone shows when it changes."""
        return replace(self, back=(Shown(NEWS_KEY, label, text, "%@"), *self.back))

    def digest(self) -> str:
        """Changes exactly when what the card shows or carries changes.

        A new wording of a change message alone is no change: it travels with the value that it announces.
        """
        content = {**asdict(self), "colours": self.colours.model_dump()}
        for row in ("header", "primary", "secondary", "auxiliary", "back"):
            content[row] = [(field.key, field.label, field.value) for field in getattr(self, row)]
        return _digest(content)

    def notice(self) -> str:
        """Changes exactly when a value changes that its holder wants to be told of (`notify`)."""
        fields = self.front + self.back
        return _digest([(field.key, field.value) for field in fields if field.change_message])


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def resolve(
    card: Card,
    renderer: Renderer,
    tier: str | None,
    locale: str,
    stores: Sequence[Place] = (),
    artwork: str = "",
) -> Face:
    """One customer's card. `stores` are sorted, the closest first; `artwork` is `Artwork.digest`."""

    def fill(words: Words) -> str:
        return renderer.render(say(words, locale), locale).strip()

    def shown(fields: Sequence[CardField]) -> tuple[Shown, ...]:
        wanted = (field for field in fields if field.when is None or renderer.truthy(field.when))
        filled = (_shown(field, fill(field.value), locale) for field in wanted)
        return tuple(field for field in filled if field.value)

    front, code = card.front, card.barcode
    return Face(
        locale=locale,
        tier=tier,
        organisation=fill(PROGRAM_NAME),
        about=say(card.about, locale),
        account=fill(ACCOUNT),
        holder=fill(HOLDER),
        colours=card.colours_for(tier),
        header=shown(front.header),
        primary=shown(front.primary),
        secondary=shown(front.secondary),
        auxiliary=shown(front.auxiliary),
        back=shown(card.back),
        barcode=Code(code.kind, fill(code.message), fill(code.under or "")) if code else None,
        places=tuple(stores[: card.near.stores]) if card.near else (),
        nfc=(fill(card.nfc) or None) if card.nfc else None,
        artwork=artwork,
    )


def _shown(field: CardField, value: str, locale: str) -> Shown:
    notify = say(field.notify, locale) if field.notify is not None else None
    return Shown(field.key, say(field.label, locale), value, notify)


def nearest(stores: Sequence[Place], here: Place, count: int = 10) -> list[Place]:
    """The `count` stores closest to a place, the closest first."""
    return sorted(stores, key=lambda store: (_apart(store, here), store.text))[:count]


def _apart(one: Place, other: Place) -> float:
    """The haversine of the angle between two places, as an angle: it sorts as the distance does."""
    latitude, longitude = radians(one.latitude - other.latitude), radians(one.longitude - other.longitude)
    across = cos(radians(one.latitude)) * cos(radians(other.latitude)) * sin(longitude / 2) ** 2
    return 2 * asin(min(1.0, sqrt(sin(latitude / 2) ** 2 + across)))
