"""One customer's card filled in from the design."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from core.clock import LATEST
from core.units import at_local
from wallet.design.card import Card, CardField
from wallet.design.face import Code, Face, Link, Shown
from wallet.design.places import Place
from wallet.design.words import Words, say

PROGRAM_NAME = "{{ program.name }}"
ACCOUNT = "{{ customer.card or '' }}"
HOLDER = "{{ customer.name or '' }}"
NOWHERE = ZoneInfo("UTC")


class Renderer(Protocol):
    """Fills in short texts with one customer's facts."""

    def render(self, source: str, locale: str) -> str:
        """The text of a template, its dates and amounts spelled as in `locale`."""
        ...

    def near(self, source: str, locale: str, stores: tuple[Place, ...]) -> tuple[Place, ...]:
        """The stores with the text of a template that knows `store.name`, and nobody."""
        ...

    def day(self, source: str) -> date | None:
        """The day that a template gives (`2026-12-31`, `{{ tier.until }}`); None if it gives nothing."""
        ...

    def truthy(self, expression: str) -> bool:
        """Whether an expression (`expiring.amount`) holds for the customer."""
        ...


def resolve(
    card: Card,
    renderer: Renderer,
    tier: str | None,
    locale: str,
    stores: Sequence[Place] = (),
    artwork: str = "",
    *,
    google_artwork: str = "",
    zone: ZoneInfo = NOWHERE,
    locales: Sequence[str] = (),
) -> Face:
    """One customer's card. `stores` are sorted, the closest first; the artworks are digests of its pictures.

    The day of `expires` ends in `zone`. `locales` are those of the program, for a card that follows the
    phone's language.
    """
    others: list[Face] = []
    if card.language == "phone":
        spare = (other for other in locales if other != locale)
        others = [_Filling(card, renderer, other, zone).face(tier, stores, artwork) for other in spare]
    own = _Filling(card, renderer, locale, zone)
    return own.face(tier, stores, artwork, tuple(others), google_artwork)


class _Filling:
    """One card in one language."""

    def __init__(self, card: Card, renderer: Renderer, locale: str, zone: ZoneInfo) -> None:
        self._card, self._renderer, self._locale, self._zone = card, renderer, locale, zone

    def face(
        self, tier: str | None, stores: Sequence[Place], artwork: str, others: tuple[Face, ...] = (),
        google_artwork: str = "",
    ) -> Face:  # fmt: skip
        card, front, nfc = self._card, self._card.front, self._card.nfc
        organisation = self._fill(PROGRAM_NAME)
        message = self._fill(nfc.message) if nfc else ""
        smart_tap = self._fill(nfc.smart_tap) if nfc and nfc.smart_tap else message
        return Face(
            locale=self._locale,
            tier=tier,
            organisation=organisation,
            about=say(card.about, self._locale),
            account=self._fill(ACCOUNT),
            holder=self._fill(HOLDER),
            colours=card.colours_for(tier),
            header=self._shown(front.header),
            primary=self._shown(front.primary),
            secondary=self._shown(front.secondary),
            auxiliary=self._shown(front.auxiliary),
            back=self._shown(card.back),
            barcode=self._code(),
            places=self._places(stores),
            nfc=message or None,
            artwork=artwork,
            google_artwork=google_artwork,
            links=self._links(),
            expires=self._expires(),
            smart_tap=smart_tap or None,
            authenticate=bool(nfc and nfc.authenticate),
            logo_text=self._say(card.apple.logo_text),
            program_name=self._say(card.google.program_name) or organisation,
            sharing=card.apple.sharing,
            apps=card.apple.apps,
            google=card.google,
            others=others,
        )

    def _say(self, words: Words | None) -> str:
        return say(words, self._locale) if words is not None else ""

    def _fill(self, words: Words) -> str:
        return self._renderer.render(say(words, self._locale), self._locale).strip()

    def _holds(self, when: str | None) -> bool:
        return when is None or self._renderer.truthy(when)

    def _shown(self, fields: Sequence[CardField]) -> tuple[Shown, ...]:
        wanted = [(field, self._fill(field.value)) for field in fields if self._holds(field.when)]
        return tuple(
            Shown(field.key, self._say(field.label), value, self._say(field.notify) or None)
            for field, value in wanted
            if value
        )

    def _links(self) -> tuple[Link, ...]:
        wanted = [(link, self._fill(link.uri)) for link in self._card.links if self._holds(link.when)]
        return tuple(Link(link.key, self._say(link.label), uri) for link, uri in wanted if uri)

    def _code(self) -> Code | None:
        code = self._card.barcode
        return Code(code.kind, self._fill(code.message), self._fill(code.under or "")) if code else None

    def _places(self, stores: Sequence[Place]) -> tuple[Place, ...]:
        near = self._card.near
        if near is None:
            return ()
        chosen = tuple(stores[: near.stores])
        return (
            chosen if near.text is None else self._renderer.near(self._say(near.text), self._locale, chosen)
        )

    def _expires(self) -> datetime | None:
        """The end of the day: the last second of it, since the next day's first would show as that day.

        None for a day so far off (9999-12-31) that it means never.
        """
        last = self._renderer.day(self._card.expires) if self._card.expires is not None else None
        if last is None or last.year >= LATEST.year:
            return None
        following = last + timedelta(days=1)
        return (at_local(following, time(), self._zone) - timedelta(seconds=1)).astimezone(UTC)
