"""Where a message is put that does not leave the house: on the customers' cards."""

from collections.abc import Collection, Sequence
from typing import Protocol

from wallet.news import News


class Board(Protocol):
    """Keeps what stands on cards. The wallets hear of it afterwards, by a beat of their own."""

    def put(self, news: Sequence[News]) -> Collection[str]:
        """Put each message on its card, all in one transaction; the same message again changes nothing.

        Returns the serials of the cards on which one stands; the rest are in no wallet any more. May be
        called from any thread. Raises EnvironmentFault, with nothing put, if the database is away.
        """
        ...
