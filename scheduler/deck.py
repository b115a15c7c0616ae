"""One version's card, filled in for customers: the file of `cards/`, the renderer, the stores nearby."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import structlog
from sqlalchemy import Connection, func, select

from campaigns.running import Running
from core.errors import Problem, Problems
from core.links import Links
from core.source import Document, load
from core.tables import Receipt, Store
from scheduler.card_texts import CardTexts, Filled, programs
from templates.environment import RenderError
from templates.facts import Context, contexts
from wallet.artwork import Artwork
from wallet.design import Card, Face, Place, nearest, resolve
from wallet.tables import CURRENT, PASS

RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
STORE = Store.__table__  # type: ignore[attr-defined]
LOG = structlog.get_logger("tidings.cards")

FOLDER = "cards"
NEWS = {"en": "News", "uk": "Новини", "ru": "Новости", "pl": "Aktualności"}


def read_card(files: Mapping[str, bytes]) -> tuple[str, Card] | None:
    """The card of a bundle with its name; None if it has none. Problems with everything wrong in its file."""
    problems: list[Problem] = []
    document, card = card_file(files, problems)
    if problems:
        raise Problems(problems)
    return (PurePosixPath(document.file).stem, card) if document and card else None


def card_file(files: Mapping[str, bytes], problems: list[Problem]) -> tuple[Document | None, Card | None]:
    """The card's file and the card, as far as they can be read; what is wrong goes into `problems`."""
    paths = [path for path in sorted(files) if _is_card(PurePosixPath(path))]
    if not paths:
        return None, None
    problems += [
        Problem(path, 0, 0, "", "is a second card", f"keep {paths[0]} or this") for path in paths[1:]
    ]
    document = load(files[paths[0]].decode(errors="replace"), paths[0], problems)
    return document, document.validate(Card, problems) if document else None


def _is_card(path: PurePosixPath) -> bool:
    return str(path.parent) == FOLDER and path.suffix == ".yaml"


class Deck:
    """The card of one applied version. Safe to share between threads."""

    def __init__(
        self, running: Running, name: str, card: Card, artwork: Artwork | None, links: Links
    ) -> None:
        """`artwork` is for telling whether pictures changed; None where nobody asks for them."""
        self.running, self.name, self.card = running, name, card
        self._artwork, self._links = artwork, links
        self._texts = CardTexts(running.library, f"{FOLDER}/{name}.yaml")
        self._programs = programs(running.program, running.library.program_locales)

    def faces(
        self,
        connection: Connection,
        ids: Sequence[int],
        at: Any,
        seen_as: Callable[[Context], Context] | None = None,
    ) -> dict[int, Face]:
        """The cards of customers as they are at a time; who has none is left out.

        A card that cannot be filled in is reported and left as it is: the others go on. `seen_as` changes
        what is known of them, for pictures of another level or language.
        """
        found = contexts(connection, self.running.program, ids, at, self._links)
        if seen_as is not None:
            found = {customer_id: seen_as(context) for customer_id, context in found.items()}
        stores = self._stores(connection, found)
        news = self._news(connection, list(found))
        faces: dict[int, Face] = {}
        for customer_id, context in found.items():
            try:
                face = self.face(context, stores.get(customer_id, []))
            except RenderError as error:
                LOG.warning("card not rendered", customer=customer_id, error=str(error))
                continue
            told = news.get(customer_id)
            faces[customer_id] = face.with_news(told.title or NEWS, told.text, told.link) if told else face
        return faces

    def face(self, context: Context, stores: Sequence[Place] = ()) -> Face:
        """The card of somebody of whom this is known, without a message. RenderError if it fails."""
        library, program, tier = self.running.library, self.running.program, context["tier"].name
        locale = library.wanted(context["customer"].locale)
        filled = Filled(self._texts, context, locale, self._programs)
        pictures = self._artwork.of_tier(tier) if self._artwork else None
        return resolve(
            self.card, filled, tier, locale, stores, pictures.apple_digest if pictures else "",
            google_artwork=pictures.google_digest if pictures else "", zone=program.zone,
            locales=library.program_locales,
        )  # fmt: skip

    @staticmethod
    def _news(connection: Connection, ids: Sequence[int]) -> dict[int, Any]:
        news = (PASS.c.news.label("text"), PASS.c.news_title.label("title"), PASS.c.news_link.label("link"))
        told = select(PASS.c.customer_id, *news).where(PASS.c.customer_id.in_(ids), CURRENT)
        return {row.customer_id: row for row in connection.execute(told.where(PASS.c.news.is_not(None)))}

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
        stores, count = list(places.values()), self.card.near.stores
        # Nobody knows where the customer is: all stores if they fit, else none.
        around: dict[Place | None, list[Place]] = {None: stores if len(stores) <= count else []}
        chosen: dict[int, list[Place]] = {}
        for customer_id, context in found.items():
            here = places.get(last.get(customer_id, "")) or cities.get(context["customer"].city or "")
            if here is not None and here not in around:
                around[here] = nearest(stores, here, count)
            chosen[customer_id] = around[here]
        return chosen


def _last_store(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    newest_first = (RECEIPT.c.at.desc(), RECEIPT.c.id.desc())
    order = func.row_number().over(partition_by=RECEIPT.c.customer_id, order_by=newest_first)
    ranked = select(RECEIPT.c.customer_id, RECEIPT.c.store, order.label("place"))
    newest = ranked.where(RECEIPT.c.customer_id.in_(ids), RECEIPT.c.store.is_not(None)).subquery()
    first = select(newest.c.customer_id, newest.c.store).where(newest.c.place == 1)
    return dict(connection.execute(first).all())
