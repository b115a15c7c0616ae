"""Puts messages on cards: many in one transaction, so that a campaign does not hold up the tills."""

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from channels.board import Board
from channels.outcome import Accepted, Failed
from channels.transport import BulkTransport, ChannelDown, Record
from channels.wallet import Notice
from core.errors import EnvironmentFault

AT_ONCE = 200
NO_CARD = Failed("permanent", "no_card")
AWAY = Failed("temporary", "cannot_connect")


class CardTransport(BulkTransport[Notice]):
    """A message is taken over when it stands on the card, for good. The database waits for nobody."""

    def __init__(self, board: Board) -> None:
        self._board = board

    async def transmit_all(self, wires: Iterator[Notice], record: Record) -> None:
        """Chunk after chunk; a chunk is put whole or not at all."""
        while some := list(islice(wires, AT_ONCE)):
            await self._put(some, record)

    async def _put(self, some: Sequence[Notice], record: Record) -> None:
        putting = asyncio.ensure_future(asyncio.to_thread(self._board.put, [it.news for it in some]))
        try:
            await asyncio.wait([putting])
        except asyncio.CancelledError:
            # The transaction comes to its end all the same: what became of it is known then.
            await asyncio.wait([putting])
            with contextlib.suppress(ChannelDown):
                _tell(some, putting, record)
            raise
        _tell(some, putting, record)


def _tell(some: Sequence[Notice], putting: "asyncio.Future[Collection[str]]", record: Record) -> None:
    try:
        stands = putting.result()
    except EnvironmentFault:
        for it in some:
            record(it.key, AWAY)
        raise ChannelDown(AWAY) from None
    for it in some:
        record(it.key, Accepted(it.name) if it.to in stands else NO_CARD)
