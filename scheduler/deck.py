"""One version's card, filled in for customers: the file of `cards/`, the renderer, the stores nearby."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import structlog
from jinja2 import Template, TemplateError
from sqlalchemy import Connection, func, select

from campaigns.running import Running
from core.errors import Problem, Problems, UserError
from core.links import Links
from core.source import Document, load
from core.tables import Receipt, Store
from templates.check import short_text
from templates.context import NAMES
from templates.environment import RenderError
from templates.facts import Context, contexts
from templates.library import Library
from wallet.artwork import Artwork
from wallet.design import Card, Face, Place, nearest, resolve, say
from wallet.tables import PASS

RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
STORE = Store.__table__  # type: ignore[attr-defined]
LOG = structlog.get_logger("tidings.cards")

FOLDER = "cards"
NEWS = {"en": "News", "uk": "Новини", "ru": "Новости", "pl": "Aktualności"}


def read_card(files: Mapping[str, bytes]) -> tuple[str, Card] | None:
    """The card of a bundle with its name; None if it has none. Problems with everything wrong in its file."""
    problems: list[Problem] = []
    document, card = _read(files, problems)
    if problems:
        raise Problems(problems)
    return (PurePosixPath(document.file).stem, card) if document and card else None


def _read(files: Mapping[str, bytes], problems: list[Problem]) -> tuple[Document | None, Card | None]:
    paths = [path for path in sorted(files) if _is_card(PurePosixPath(path))]
    if not paths:
        return None, None
    problems += [
        Problem(path, 0, 0, "", "is a second card", f"keep {paths[0]} or this") for path in paths[1:]
    ]
    document = load(files[paths[0]].decode(errors="replace"), paths[0], problems)
    return document, document.validate(Card, problems) if document else None


def check_card(files: Mapping[str, bytes], library: Library) -> list[Problem]:
    """Everything that is wrong with the card, so that it is found before it goes live."""
    problems: list[Problem] = []
    document, card = _read(files, problems)
    if document is None or card is None:
        return problems
    try:
        artwork = Artwork.of(card, files.get)
        _ = artwork.apple, artwork.google
    except UserError as error:
        problems.append(document.problem(("images",), str(error), ""))
    texts = [(path, source, False) for path, source in card.templates()]
    texts += [(path, source, True) for path, source in card.conditions()]
    for path, source, expression in texts:
        place = tuple(int(part) if part.isdigit() else part for part in path.split("."))
        found = short_text(library, source, NAMES, expression=expression)
        problems += [document.problem(place, what, fix) for what, fix in found]
    return problems


def _is_card(path: PurePosixPath) -> bool:
    return str(path.parent) == FOLDER and path.suffix == ".yaml"


class Deck:
    """The card of one applied version. Safe to share between threads."""

    def __init__(self, running: Running, name: str, card: Card, artwork: str, links: Links) -> None:
        """`artwork` is the digest of the card's pictures."""
        self.running, self.name, self.card = running, name, card
        self._artwork, self._links = artwork, links
        self._templates = _Templates(running.library, f"{FOLDER}/{name}.yaml")

    def faces(self, connection: Connection, ids: Sequence[int], at: Any) -> dict[int, Face]:
        """The cards of customers as they are at a time; who has none is left out.

        A card that cannot be filled in is reported and left as it is: the others go on.
        """
        found = contexts(connection, self.running.program, ids, at, self._links)
        stores = self._stores(connection, found)
        news = self._news(connection, list(found))
        faces: dict[int, Face] = {}
        for customer_id, context in found.items():
            try:
                face = self._face(context, stores.get(customer_id, []))
            except RenderError as error:
                LOG.warning("card not rendered", customer=customer_id, error=str(error))
                continue
            text = news.get(customer_id)
            faces[customer_id] = face.with_news(say(NEWS, face.locale), text) if text else face
        return faces

    def _face(self, context: Context, stores: Sequence[Place]) -> Face:
        locale = self.running.library.wanted(context["customer"].locale)
        renderer = _Filled(self._templates, context, locale)
        return resolve(self.card, renderer, context["tier"].name, locale, stores, self._artwork)

    @staticmethod
    def _news(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
        told = select(PASS.c.customer_id, PASS.c.news).where(PASS.c.news.is_not(None))
        return dict(connection.execute(told.where(PASS.c.customer_id.in_(ids))).all())

    def _stores(self, connection: Connection, found: Mapping[int, Context]) -> dict[int, list[Place]]:
        """The stores closest to each customer: to the one they shopped at last, else to one of their city."""
        if self.card.near is None:
            return {}
        located = STORE.c.latitude.is_not(None) & STORE.c.longitude.is_not(None)
        rows = connection.execute(select(STORE).where(located).order_by(STORE.c.code)).all()
        places = {row.code: Place(row.latitude, row.longitude, row.name or "") for row in rows}
        if not places:
            return {}
        last = _last_store(connection, list(found))
        cities = {row.city: places[row.code] for row in reversed(rows) if row.city}
        count = self.card.near.stores
        chosen: dict[int, list[Place]] = {}
        for customer_id, context in found.items():
            here = places.get(last.get(customer_id, "")) or cities.get(context["customer"].city or "")
            # Nobody knows where the customer is: all stores if they fit, else none.
            anywhere = list(places.values()) if len(places) <= count else []
            chosen[customer_id] = nearest(list(places.values()), here, count) if here else anywhere
        return chosen


def _last_store(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    newest_first = (RECEIPT.c.at.desc(), RECEIPT.c.id.desc())
    order = func.row_number().over(partition_by=RECEIPT.c.customer_id, order_by=newest_first)
    ranked = select(RECEIPT.c.customer_id, RECEIPT.c.store, order.label("place"))
    newest = ranked.where(RECEIPT.c.customer_id.in_(ids), RECEIPT.c.store.is_not(None)).subquery()
    first = select(newest.c.customer_id, newest.c.store).where(newest.c.place == 1)
    return dict(connection.execute(first).all())


class _Templates:
    """The card's short texts, compiled once for each locale."""

    def __init__(self, library: Library, file: str) -> None:
        self._library, self._file = library, file
        self._texts: dict[tuple[str, str], Template] = {}
        self._conditions: dict[tuple[str, str], Any] = {}

    def render(self, source: str, locale: str, context: Context) -> str:
        try:
            template = self._texts.get((locale, source))
            if template is None:
                template = self._library.environment(locale, "text").from_string(source)
                self._texts[locale, source] = template
            return template.render(context)
        except Exception as failed:  # noqa: BLE001 - however it fails, it is that card's failure
            raise self._error(source, failed) from None

    def truthy(self, expression: str, locale: str, context: Context) -> bool:
        try:
            condition = self._conditions.get((locale, expression))
            if condition is None:
                condition = self._library.environment(locale, "text").compile_expression(expression)
                self._conditions[locale, expression] = condition
            return bool(condition(**context))
        except Exception as failed:  # noqa: BLE001 - however it fails, it is that card's failure
            raise self._error(expression, failed) from None

    def _error(self, source: str, failed: Exception) -> RenderError:
        # Jinja's own words name attributes, never values; of other errors only the kind is told.
        reason = str(failed) if isinstance(failed, TemplateError) else type(failed).__name__
        return RenderError(f"{self._file}: '{source}': {reason}")


class _Filled:
    """The renderer of one customer's card (wallet.design.Renderer)."""

    def __init__(self, templates: _Templates, context: Context, locale: str) -> None:
        self._templates, self._context, self._locale = templates, context, locale

    def render(self, source: str, locale: str) -> str:
        """The text of a template, in the card's language."""
        return self._templates.render(source, locale, self._context)

    def truthy(self, expression: str) -> bool:
        """Whether the expression holds for this customer."""
        return self._templates.truthy(expression, self._locale, self._context)
