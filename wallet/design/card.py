"""The model of `cards/*.yaml`: what a marketer writes."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from core.explain import complaint, expected
from core.source import Model
from core.units import day
from wallet.design.words import Colour, Key, Words, language_of, spoken
from wallet.limits import BELOW, HEADER, PLACES, PRIMARY

BarcodeKind = Literal["qr", "pdf417", "aztec", "code128"]
NEWS_KEY, NEWS_LINK_KEY = "news", "news-link"
TIER_KEY = "tier"
_LINKS = re.compile(r"(https|tel|mailto|sms|geo):\S|\{[{%]")


def _date_or_template(text: str) -> str:
    return text if "{" in text else day(text).isoformat()


def _address(text: str) -> str:
    if not _LINKS.match(text):
        raise expected("an address", text, "begin it with https://, tel: or mailto:, or with {{ links.… }}")
    return text


DateText = Annotated[str, AfterValidator(_date_or_template)]
Address = Annotated[str, AfterValidator(_address)]


class Colours(Model):
    """Colours as `#rrggbb`."""

    background: Colour = "#1f2937"
    text: Colour = "#ffffff"
    label: Colour = "#d1d5db"


class TierLook(Model):
    """In what a tier looks other than the rest: its colours, its picture behind the large field."""

    background: Colour | None = None
    text: Colour | None = None
    label: Colour | None = None
    strip: str | None = None


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


class CardLink(Model):
    """A link of the card: a field on Apple's back, a link of Google's details."""

    key: Key
    label: Words
    uri: Address
    when: str | None = None


class Front(Model):
    """The front, as a store card lays it out (Apple: a header of three, a primary, four below in all)."""

    header: list[CardField] = Field(default_factory=list, max_length=HEADER.at_most)
    primary: list[CardField] = Field(default_factory=list, max_length=PRIMARY.at_most)
    secondary: list[CardField] = Field(default_factory=list, max_length=BELOW.at_most)
    auxiliary: list[CardField] = Field(default_factory=list, max_length=BELOW.at_most)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.secondary) + len(self.auxiliary) > BELOW.at_most:
            raise complaint(
                "secondary and auxiliary hold at most four fields together", "move some to the back"
            )
        return self


class Near(Model):
    """Shows itself on the lock screen near this many of the customer's closest stores (at most ten).

    `text` is what it says there; it may use `store.name`. Without one it is the store's name.
    """

    stores: int = Field(ge=1, le=PLACES.at_most)
    text: Words | None = None


class Nfc(Model):
    """What a reader is told without contact: Apple's `message`, Google's `smart_tap` (else the same).

    With `authenticate` an iPhone asks for Face ID or the code first.
    """

    message: str
    smart_tap: str | None = None
    authenticate: bool = False


def _nfc(value: Any) -> Any:
    return {"message": value} if isinstance(value, str) else value


class GoogleCard(Model):
    """What Google shows otherwise; fields are named by their keys. Left out, it follows the front."""

    points: Key | None = None
    secondary_points: Key | None = None
    tier: Key | None = None
    modules: tuple[Key, ...] | None = Field(default=None, strict=False)
    hero: str | None = None
    logo: str | None = None
    program_name: Words | None = None

    def named(self) -> Iterator[tuple[str, str]]:
        """The keys of fields that it names, with their path below `google`."""
        for name in ("points", "secondary_points", "tier"):
            if (key := getattr(self, name)) is not None:
                yield name, key
        for index, key in enumerate(self.modules or ()):
            yield f"modules.{index}", key


class AppleCard(Model):
    """What Apple alone knows: a text beside the logo, the Share button, the shop's apps (App Store ids)."""

    logo_text: Words | None = None
    sharing: bool = True
    apps: tuple[int, ...] = Field(default=(), strict=False)


class Card(Model):
    """One file of `cards/`."""

    about: Words
    language: Literal["customer", "phone"] = "customer"
    colours: Colours = Colours()
    by_tier: dict[str, TierLook] = Field(default_factory=dict)
    images: Images
    barcode: Barcode | None = None
    front: Front
    back: list[CardField] = Field(default_factory=list)
    links: list[CardLink] = Field(default_factory=list)
    expires: DateText | None = None
    near: Near | None = None
    nfc: Annotated[Nfc, BeforeValidator(_nfc, json_schema_input_type=str | Nfc)] | None = None
    apple: AppleCard = AppleCard()
    google: GoogleCard = GoogleCard()

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        seen: set[str] = set()
        for place, key in self._keys():
            if key in (NEWS_KEY, NEWS_LINK_KEY):
                raise complaint(
                    f"the key {key!r} is kept for messages sent to the card", "choose another", place
                )
            if key in seen:
                raise complaint(f"two fields have the key {key!r}", "give each field a key of its own", place)
            seen.add(key)
        return self

    def _keys(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """The keys of fields and links with where each stands in the file."""
        for row, fields in self.rows():
            for index, field in enumerate(fields):
                yield (*row.split("."), index, "key"), field.key
        for index, link in enumerate(self.links):
            yield ("links", index, "key"), link.key

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
        return self._by_tier.get(tier or "", self.colours)

    @cached_property
    def _by_tier(self) -> dict[str, Colours]:
        own = {
            tier: look.model_dump(exclude_none=True, exclude={"strip"}) for tier, look in self.by_tier.items()
        }
        return {tier: self.colours.model_copy(update=differs) for tier, differs in own.items()}

    def templates(self) -> Iterator[tuple[str, str]]:
        """Every template of the customer's facts, by its path, so that all can be checked beforehand."""
        if self.barcode is not None:
            yield "barcode.message", self.barcode.message
            yield from _paths("barcode.under", self.barcode.under)
        if self.nfc is not None:
            yield "nfc.message", self.nfc.message
            yield from _paths("nfc.smart_tap", self.nfc.smart_tap)
        if self.expires is not None:
            yield "expires", self.expires
        for row, fields in self.rows():
            for index, field in enumerate(fields):
                yield from _paths(f"{row}.{index}.value", field.value)
        for index, link in enumerate(self.links):
            yield f"links.{index}.uri", link.uri

    def near_texts(self) -> Iterator[tuple[str, str]]:
        """The templates that know the store, and nobody."""
        if self.near is not None:
            yield from _paths("near.text", self.near.text)

    def conditions(self) -> Iterator[tuple[str, str]]:
        """Every `when` expression with its path in the file."""
        for row, fields in self.rows():
            for index, field in enumerate(fields):
                if field.when is not None:
                    yield f"{row}.{index}.when", field.when
        for index, link in enumerate(self.links):
            if link.when is not None:
                yield f"links.{index}.when", link.when

    def missing(self, locales: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Paths of texts given by locale that lack one of the program's locales, with that locale."""
        for path, words in self.words():
            if isinstance(words, dict):
                lacking = (it for it in locales if it not in words and language_of(it) not in words)
                yield from ((path, locale) for locale in lacking)

    def words(self) -> Iterator[tuple[str, Words | None]]:
        """Every text that may be given by locale, with its path in the file."""
        yield "about", self.about
        yield "apple.logo_text", self.apple.logo_text
        yield "google.program_name", self.google.program_name
        if self.barcode is not None:
            yield "barcode.under", self.barcode.under
        if self.near is not None:
            yield "near.text", self.near.text
        for row, fields in self.rows():
            for index, field in enumerate(fields):
                for name in ("label", "value", "notify"):
                    yield f"{row}.{index}.{name}", getattr(field, name)
        for index, link in enumerate(self.links):
            yield f"links.{index}.label", link.label


def _paths(path: str, words: Words | None) -> Iterator[tuple[str, str]]:
    for locale, text in spoken(words):
        yield f"{path}.{locale}" if locale else path, text
