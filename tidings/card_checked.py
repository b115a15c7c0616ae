"""What `tidings check` looks at in the card: its file, its texts, its pictures, what the platforms take."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

from core.errors import Problem, UserError
from core.explain import suggest
from core.program import Program
from core.source import Document, KeyPath
from scheduler.card_texts import CardTexts, Filled, programs
from scheduler.deck import card_file
from templates.check import Names, short_text
from templates.context import NAMES
from templates.environment import RenderError
from templates.fitting import TYPES
from templates.library import Library
from tidings.samples import card_contexts
from wallet.artwork import Artwork
from wallet.design import Card, Face, language_of, resolve

# What the text of `near` may speak of: it is the same for everybody.
NEAR_NAMES: Names = {"store": {"name"}}
# When the samples are looked at: on no card does it show.
AT = datetime(2026, 9, 28, tzinfo=UTC)


def check_card(
    files: Mapping[str, bytes], library: Library, program: Program, now: datetime
) -> list[Problem]:
    """Everything that is wrong with the card, so that it is found before it goes live."""
    problems: list[Problem] = []
    document, card = card_file(files, problems)
    if document is None or card is None:
        return problems
    problems += _names(document, card, program)
    problems += _over(document, card, now.astimezone(program.zone).date())
    faults = list(_texts(document, library, _customers_texts(card)))
    problems += [*faults, *_texts(document, library, _stores_texts(card))]
    problems += _languages(document, card, library)
    artwork = _artwork(document, card, files, problems)
    if not faults:
        problems += _Samples(document, card, library, program).problems(artwork)
    return problems


def _artwork(
    document: Document, card: Card, files: Mapping[str, bytes], problems: list[Problem]
) -> Artwork | None:
    try:
        artwork = Artwork.of(card, files.get)
        _ = artwork.apple, artwork.google
    except UserError as error:
        missing = "missing-file" if "there is no file" in str(error) else ""
        place, _, what = str(error).partition(": ")
        path, what = (_place(document, place), what) if missing else (("images",), str(error))
        problems.append(document.problem(path, what, kind=missing))
        return None
    return artwork


def _over(document: Document, card: Card, today: date) -> Iterator[Problem]:
    """A last day that is the same for everybody, and has passed; one that a template gives is each one's."""
    with suppress(ValueError):
        if date.fromisoformat(card.expires or "") < today:
            what = f"{card.expires} is over: every card is shown as expired"
            fix = "write a later day, or a template of one: '{{ tier.until }}'"
            yield document.problem(("expires",), what, fix, "warning", "card-expired")


def _names(document: Document, card: Card, program: Program) -> Iterator[Problem]:
    """Levels, locales and fields that there are not."""
    for tier in card.by_tier:
        yield from _unknown(document, ("by_tier", tier), "level", tier, program.tier_names)
    known = list(dict.fromkeys([*program.locales, *map(language_of, program.locales)]))
    for path, words in card.words():
        for locale in words if isinstance(words, dict) else ():
            place = (*_place(document, path), locale)
            yield from _unknown(document, place, "locale", locale, known)
    keys = [field.key for field in card.fields()]
    for path, key in card.google.named():
        yield from _unknown(document, _place(document, f"google.{path}"), "field of the card", key, keys)


def _unknown(
    document: Document, path: KeyPath, noun: str, name: str, known: Collection[str]
) -> Iterator[Problem]:
    if name not in known:
        what = f"there is no {noun} '{name}'"
        yield document.problem(path, what, suggest(name, known), kind="unknown-name")


# A path, a template or an expression, the names that it may use, and whether it is an expression.
Text = tuple[str, str, Names, bool]


def _customers_texts(card: Card) -> Iterator[Text]:
    yield from ((path, source, NAMES, False) for path, source in card.templates())
    yield from ((path, source, NAMES, True) for path, source in card.conditions())


def _stores_texts(card: Card) -> Iterator[Text]:
    yield from ((path, source, NEAR_NAMES, False) for path, source in card.near_texts())


def _texts(document: Document, library: Library, texts: Iterable[Text]) -> Iterator[Problem]:
    for path, source, names, expression in texts:
        types = TYPES if names is NAMES else {}
        for what, fix in short_text(library, source, names, expression=expression, types=types):
            yield document.problem(_place(document, path), what, fix)


def _languages(document: Document, card: Card, library: Library) -> Iterator[Problem]:
    lacking: dict[str, list[str]] = {}
    for path, locale in card.missing(library.program_locales):
        lacking.setdefault(path, []).append(locale)
    for path, locales in lacking.items():
        instead = next(iter(document.get(_place(document, path))))
        what = f"there is no text in {_listed(locales)}"
        fix = f"'{instead}' will be shown instead"
        yield document.problem(_place(document, path), what, fix, "warning", "missing-locale")


class _Samples:
    """The card as customers get it: each level and language, with the longest facts and with the fewest."""

    def __init__(self, document: Document, card: Card, library: Library, program: Program) -> None:
        self._document, self._card, self._program = document, card, program
        self._locales = library.program_locales
        self._texts = CardTexts(library, document.file)
        self._programs = programs(program, self._locales)

    def problems(self, artwork: Artwork | None) -> Iterator[Problem]:
        contexts = list(card_contexts(self._program))
        unfillable = list(self._unfillable(contexts))
        yield from unfillable
        if not unfillable:
            faces = [self._face(context, locale) for _, context in contexts for locale in self._locales]
            yield from self._beyond(faces, artwork)

    def _unfillable(self, contexts: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[Problem]:
        """Templates that fail on somebody's facts: that customer would have no card."""
        told: set[str] = set()
        for who, context in contexts:
            for path, source in self._wanted(context):
                if path not in told and (reason := self._failure(path, source, context)):
                    told.add(path)
                    what = f"{who} it cannot be filled in: {reason}"
                    fix = "say `when` it is shown"
                    if path == "expires":
                        fix = "write '2026-12-31', or a template of a day: '{{ tier.until }}'"
                    yield self._document.problem(_place(self._document, path), what, fix)

    def _wanted(self, context: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """The templates of fields that this customer's card has."""
        filled = self._filled(context)
        absent = tuple(
            path.removesuffix("when") for path, when in self._card.conditions() if not filled.truthy(when)
        )
        return ((path, source) for path, source in self._card.templates() if not path.startswith(absent))

    def _failure(self, path: str, source: str, context: dict[str, Any]) -> str:
        filled = self._filled(context)
        try:
            _ = filled.day(source) if path == "expires" else filled.render(source, self._program.locale)
        except RenderError as error:
            return str(error).removeprefix(f"{self._document.file}: ")
        return ""

    def _filled(self, context: dict[str, Any]) -> Filled:
        return Filled(self._texts, context, self._program.locale, self._programs)

    def _face(self, context: dict[str, Any], locale: str) -> Face:
        return resolve(
            self._card, self._filled(context), context["tier"].name, locale, zone=self._program.zone
        )

    def _beyond(self, faces: list[Face], artwork: Artwork | None) -> Iterator[Problem]:
        """What goes beyond the platforms' limits, each once: as the longest facts show it."""
        from wallet import checks, preview

        # A program that names none yet will name both.
        wallets = [it for it in preview.WALLETS if self._program.wallet.get(it)] or preview.WALLETS
        found = list(checks.of_card(self._card))
        found += (finding for face in faces for finding in checks.of_face(self._card, face))
        if artwork is not None:
            found += checks.of_pictures(artwork)
            for face in _widest(faces):
                subject = preview.Subject(self._card, face, artwork, AT, self._program.zone)
                found += checks.of_drawing(subject)
        for it, sentence in checks.told(found, wallets):
            place = _place(self._document, it.path)
            yield self._document.problem(place, sentence, it.fix, it.severity, it.kind)


def _widest(faces: Iterable[Face]) -> list[Face]:
    """Of each level and language the face with the most text on its front."""
    widest: dict[tuple[str | None, str], Face] = {}
    for face in sorted(faces, key=_written):
        widest[face.tier, face.locale] = face
    return list(widest.values())


def _written(face: Face) -> int:
    return sum(len(field.label) + len(field.value) for field in face.front)


def _listed(locales: Iterable[str]) -> str:
    return ", ".join(f"'{locale}'" for locale in locales)


def _place(document: Document, path: str) -> KeyPath:
    """Where a path leads in the file: a level may be called by a number, or have a dot in its name."""
    place: KeyPath = ()
    parts = path.split(".")
    while parts:
        within, count = document.get(place), 1
        if isinstance(within, dict):
            longest = range(len(parts), 0, -1)
            count = next((it for it in longest if ".".join(parts[:it]) in within), 1)
        name = ".".join(parts[:count])
        place = (*place, int(name) if isinstance(within, list) else name)
        parts = parts[count:]
    return place
