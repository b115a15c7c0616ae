"""Whose card is drawn, in which level and language: a customer's own, or that of somebody made up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from core.customers.profiles import find
from core.errors import UserError
from core.explain import suggest
from core.program import Program
from scheduler.deck import NEWS, Deck, read_card
from templates.context import CustomerView, TierView
from templates.environment import RenderError
from tidings.samples import sample_context
from tidings.workspace import Workspace
from wallet import passes
from wallet.artwork import Artwork
from wallet.design import NEWS_KEY, NEWS_LINK_KEY, Face, Place
from wallet.measure import width_of
from wallet.preview import Status, Subject

if TYPE_CHECKING:
    from campaigns.running import Running

SAMPLE = "sample"
_CYRILLIC = ("uk", "ru", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tg")
_LATIN = {"name": "Oleksandra Kovalenko", "first_name": "Oleksandra", "city": "Kamianets-Podilskyi"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. Without `who` a customer is made up; a level or language left out is their own.

    `every` draws all levels and languages, `message` is put on the card, `status` shown in place of its own.
    """

    at: datetime
    who: str | None = None
    tier: str | None = None
    locale: str | None = None
    every: bool = False
    message: str | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The cards asked for, level by level; `name` is for their files."""

    name: str
    subjects: list[Subject]


class Looks:
    """The card of a workspace's files, as customers would see it."""

    def __init__(self, here: Workspace, running: "Running") -> None:
        """UserError if there is no card; Problems with everything wrong in its file."""
        found = read_card(running.loaded.bundle.files)
        if found is None:
            raise UserError("this workspace has no card; write one, for example cards/loyalty.yaml")
        self.name, self.card = found
        self.artwork = Artwork.of(self.card, running.loaded.bundle.files.get)
        self._here, self._running, self._program = here, running, running.program

    def find(self, wish: Wish) -> Found:
        """The cards asked for. UserError for a level, language or customer that is not."""
        tiers, locales = self._tiers(wish), self._locales(wish)
        wanted = [(tier, locale) for tier in tiers for locale in locales]
        if wish.who is None:
            return Found(SAMPLE, [self._sample(wish, tier, locale) for tier, locale in wanted])
        return self._own(wish, wish.who, wanted)

    def _tiers(self, wish: Wish) -> Sequence[str | None]:
        names = self._program.tier_names
        if wish.tier is not None and wish.tier not in names:
            raise UserError(_unknown("--tier", "level", wish.tier, names))
        return [wish.tier] if wish.tier or not wish.every else list(names)

    def _locales(self, wish: Wish) -> Sequence[str | None]:
        names = self._running.library.program_locales
        if wish.locale is not None and wish.locale not in names:
            raise UserError(_unknown("--locale", "locale", wish.locale, names))
        return [wish.locale] if wish.locale or not wish.every else list(names)

    def _own(self, wish: Wish, who: str, wanted: Sequence[tuple[str | None, str | None]]) -> Found:
        deck = Deck(self._running, self.name, self.card, self.artwork, self._here.links(self._program))
        with self._here.database.read() as connection:
            row = find(connection, who)
            if row is None:
                raise UserError(f"there is no customer '{who}'; write an external id, card, phone or email")
            known = passes.current(connection, row.id)
            void = known.voided if known else passes.is_revoked(connection, row.id)
            found: list[Subject] = []
            for tier, locale in wanted:
                seen = _SeenAs(self._program, tier, locale)
                face = deck.faces(connection, [row.id], wish.at, seen).get(row.id)
                if face is None:
                    raise UserError(f"the card of {who} cannot be filled in; `tidings check` says why")
                found.append(self._subject(wish, face, void=void))
        return Found(row.external_id, found)

    def _sample(self, wish: Wish, tier: str | None, locale: str | None) -> Subject:
        """Somebody of long names and large numbers; of the twelve months the one that takes most room."""
        from core.links import Links

        deck = Deck(self._running, self.name, self.card, self.artwork, Links("https://localhost", b""))
        seen = _SeenAs(self._program, None, locale or self._program.locale)
        months = (date(wish.at.year, month, 28) for month in range(1, 13))
        near = [Place(0, 0, self._program.name)]
        contexts = (seen(_made_up(self._program, day, seen.locale, tier)) for day in months)
        try:
            faces = [deck.face(context, near) for context in contexts]
        except RenderError as error:
            raise UserError(f"the card cannot be filled in for somebody made up: {error}") from None
        return self._subject(wish, max(faces, key=_room), void=False)

    def _subject(self, wish: Wish, face: Face, *, void: bool) -> Subject:
        if wish.message:
            face = _without_news(face).with_news(NEWS, wish.message)
        over = face.expires is not None and face.expires <= wish.at
        own: Status = "voided" if void else "expired" if over else "active"
        return Subject(self.card, face, self.artwork, wish.at, self._program.zone, wish.status or own)


def _unknown(option: str, thing: str, given: str, names: Sequence[str]) -> str:
    """What is wrong, the nearest name, and what there is."""
    meant = suggest(given, names, "choose one of them")
    return f"{option}: the program has no {thing} '{given}' ({', '.join(names)}); {meant}"


def _without_news(face: Face) -> Face:
    back = tuple(field for field in face.back if field.key != NEWS_KEY)
    return replace(face, back=back, links=tuple(link for link in face.links if link.key != NEWS_LINK_KEY))


def _room(face: Face) -> float:
    return sum(width_of(field.value, 18) for field in face.front)


def _made_up(program: Program, day: date, locale: str | None, tier: str | None) -> dict[str, Any]:
    context = sample_context(program, day)
    if (locale or "").split("-")[0] not in _CYRILLIC:
        context["customer"] = replace(context["customer"], **_LATIN)
    if tier is not None:
        context["tier"] = in_tier(program, context["tier"], tier)
    return context


@dataclass(frozen=True, slots=True)
class _SeenAs:
    """A customer's facts as if they were of another level, or spoke another language."""

    program: Program
    tier: str | None
    locale: str | None

    def __call__(self, context: dict[str, Any]) -> dict[str, Any]:
        changed = dict(self._changed(context))
        return {**context, **changed}

    def _changed(self, context: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        if self.tier not in (None, context["tier"].name):
            yield "tier", in_tier(self.program, context["tier"], self.tier)
        if self.locale is not None:
            known = {it.name: getattr(context["customer"], it.name) for it in fields(CustomerView)}
            yield "customer", CustomerView(**{**known, "locale": self.locale})
            terms = self.program.terms_in(self.locale)
            yield "program", replace(context["program"], terms=terms)


def in_tier(program: Program, own: TierView, name: str) -> TierView:
    """A customer's tier as if they had just reached this one."""
    level, above = program.level(name), program.next_level(name)
    reached = level.from_ or Decimal(0)
    missing = above.from_ - reached if above is not None and above.from_ is not None else None
    lowest = program.rank(name) == 0
    by_hand = program.tiers.measure == "invitation"
    return replace(
        own, name=name, earn=level.earn * 100, discount=level.discount * 100,
        next=above.name if above else None, missing=missing, have=reached,
        to_keep=None if lowest else reached, until=None if lowest else own.until,
        keep_by=None if lowest else own.keep_by,
        kept_by="everybody" if lowest else "invitation" if by_hand else "purchases",
    )  # fmt: skip
