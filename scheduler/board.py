"""The board of the wallet channel: messages are put on cards, and the cards are marked, in one transaction.

The beat of the cards does the rest: wakes the phones, tells Google. What it learns of messages that wallets
have seen goes back to the outbox, and what has stood long enough is taken off.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import Connection

from campaigns.running import Running
from campaigns.versions import Live
from channels.board import Board
from core.db import Database
from core.links import Links
from core.program import Program
from scheduler.arrivals import arrived
from scheduler.deck import Deck, read_card
from wallet import news as messages
from wallet import updates
from wallet.artwork import Artwork
from wallet.design import Face
from wallet.news import News

# A message is one change: there is no burst to be gathered.
AT_ONCE = timedelta(0)
BATCH = 500
# How long a message may wait for its row to say that it left; after that nobody will say so any more.
PATIENCE = timedelta(hours=1)
FIRST_AGAIN = timedelta(seconds=1)

DeckOf = Callable[[], Deck | None]


@dataclass(slots=True)
class LiveDeck:
    """The card of the live version, made once a version; None if it has none."""

    live: Live
    links: Callable[[Program], Links]
    _made: dict[int, Deck | None] = field(default_factory=dict)
    _making: Lock = field(default_factory=Lock)

    def __call__(self) -> Deck | None:
        """As it is now."""
        running = self.live.running()
        with self._making:
            if running.version not in self._made:
                self._made = {running.version: deck_of(running, self.links(running.program))}
            return self._made[running.version]


def deck_of(running: Running, links: Links) -> Deck | None:
    """The card of some files; Problems with everything wrong in its file."""
    files = running.loaded.bundle.files
    found = read_card(files)
    if found is None:
        return None
    name, card = found
    return Deck(running, name, card, Artwork.of(card, files.get), links)


@dataclass(frozen=True, slots=True)
class CardBoard(Board):
    """Puts messages on the cards of a database."""

    database: Database
    deck: DeckOf

    def put(self, news: Sequence[News]) -> Collection[str]:
        """Put each on its card; returns the serials of the cards that are in a wallet."""
        deck = self.deck() if news else None
        if deck is None:
            return ()
        at = max(it.at for it in news)
        with self.database.write() as connection:
            updates.lock_tags(connection)
            serials, coming = {it.serial for it in news}, {it.message for it in news}
            # What makes way may have been seen a moment ago: nobody could say so afterwards.
            seen = messages.unreported(connection, serials)
            _tell(connection, [it for it in seen if it.message not in coming], at)
            held = messages.held(connection, serials)
            messages.put(connection, [it for it in news if it.serial in held])
            updates.mark(connection, held.values(), _faces(deck, at), at, AT_ONCE)
        return held.keys()

    def take_off(self, at: datetime) -> list[int]:
        """Take messages off whose time is over; returns the customers whose cards were marked."""
        deck = self.deck()
        return take_off(self.database, _faces(deck, at), at) if deck else []


def _faces(deck: Deck, at: datetime) -> updates.Faces:
    def faces(connection: Connection, ids: Sequence[int]) -> Mapping[int, Face]:
        return deck.faces(connection, ids, at)

    return faces


def report(database: Database, at: datetime) -> int:
    """Tell the outbox which messages a wallet has seen; returns how many it was told of.

    A message may be seen before the row of its chunk says that it left: it is asked for again, ever more
    seldom, for its row may long say that another channel took it over.
    """
    with database.read() as connection:
        waiting = messages.to_report(connection, at, BATCH)
    if not waiting:
        return 0
    with database.write() as connection:
        return _tell(connection, waiting, at)


def _tell(connection: Connection, seen: Sequence[messages.Seen], at: datetime) -> int:
    if not seen:
        return 0
    known = arrived(connection, {it.message: it.at for it in seen}, at)
    again = {it: None if it.message in known else _again_at(it, at) for it in seen}
    messages.reported(connection, again)
    return sum(it is None for it in again.values())


def _again_at(unknown: messages.Seen, at: datetime) -> datetime | None:
    """When the outbox is asked for this message again; None if that was done for long enough."""
    since = at - unknown.at
    return None if since >= PATIENCE else at + max(FIRST_AGAIN, since)


def take_off(database: Database, faces: updates.Faces, at: datetime) -> list[int]:
    """Take messages off whose time is over, some at a time; returns the customers whose cards were marked."""
    with database.read() as connection:
        if not messages.any_over(connection, at):
            return []
    with database.write() as connection:
        updates.lock_tags(connection)
        return updates.mark(connection, messages.take_off(connection, at, BATCH), faces, at)
