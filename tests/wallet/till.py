"""A shop whose cards are at Google, too, and a Google without a wire between."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tests.wallet.acts import announce
from tests.wallet.google import API, Google
from tests.wallet.shop import Shop
from wallet.artwork import Artwork
from wallet.design import Card
from wallet.google.bodies import GoogleIssuer, object_id
from wallet.google.calls import Answer, Call
from wallet.google.client import Wallet
from wallet.google.live import GoogleCards, google_round, write_now
from wallet.tables import PASS
from wallet.updates import COALESCE

ISSUER = GoogleIssuer("3388000000022000000", "https://loyalty.example/cards/loyalty")


class Till:
    """A shop whose cards are at Google, too."""

    def __init__(self, shop: Shop, google: Google, card: Card, pictures: Artwork) -> None:
        self.shop, self.google, self.clock = shop, google, shop.clock
        self.made = card, pictures
        self.restart()

    def restart(self) -> None:
        """Another process, which knows only what stands in the tables."""
        self.cards = GoogleCards(Wallet(Beside(self.google)), ISSUER, "loyalty", *self.made)

    def redesign(self, **parts: Any) -> None:
        """A new version, whose card's file says some parts otherwise."""
        self.shop.redesign(**parts)
        assert self.shop.design is not None
        self.made = self.shop.design, self.made[1]
        self.restart()

    def save(self, name: str = "olena") -> int:
        """A customer whose card is in Google Wallet."""
        customer = self.shop.issue(name)
        assert self.link(customer).outcome.value == "written"
        with self.shop.database.write() as connection:
            connection.execute(PASS.update().where(PASS.c.customer_id == customer).values(google_saved=True))
        return customer

    def link(self, customer: int) -> Any:
        shop = self.shop
        serial = shop.row(customer).serial
        return asyncio.run(write_now(shop.database, self.cards, serial, shop.faces, self.clock))

    def change(self, customer: int, balance: int | None = None, tier: str | None = None) -> None:
        guest = self.shop.guests[customer]
        guest.balance = guest.balance if balance is None else Decimal(balance)
        guest.tier = tier or guest.tier
        self.shop.mark(customer)
        self.clock.move_by(COALESCE)

    def announce(self, customer: int, text: str, message: str | None = None, priority: int = 50) -> None:
        with self.shop.database.write() as connection:
            announce(connection, customer, text, now=self.clock.now(), message=message, priority=priority)
        self.change(customer)

    def round(self, rounds: int = 1) -> Counter[str]:
        async def task() -> Counter[str]:
            shop = self.shop
            together = (
                google_round(shop.database, self.cards, shop.faces, self.clock) for _ in range(rounds)
            )
            return sum(await asyncio.gather(*together), Counter())

        return asyncio.run(task())

    def kept(self, customer: int) -> dict[str, Any]:
        return self.google.kept[object_id(ISSUER.issuer, self.shop.row(customer).serial)]

    def told(self) -> list[bool]:
        """Of which of the updates since the first writing the holder was told."""
        return ["notifyPreference" in body for body in self.google.objects()[1:]]

    def messages(self, customer: int) -> list[tuple[str, str]]:
        return [(it["body"], it["messageType"]) for it in self.kept(customer)["messages"]]


class Beside:
    """Carries requests to a Google without a wire between."""

    def __init__(self, google: Google) -> None:
        self._google = google

    async def send(self, calls: Sequence[Call]) -> list[Answer]:
        self._google.batches += [len(calls)] if len(calls) > 1 else []
        return [self._answer(call) for call in calls]

    def _answer(self, call: Call) -> Answer:
        google = self._google
        body = b"" if call.body is None else json.dumps(call.body).encode()
        said = google.failures.pop(0) if google.failures else google.one(call.method, API + call.path, body)
        status, content, *more = said
        wait = more[0].get("retry-after", "") if more else ""
        return Answer(status, content if isinstance(content, bytes) else json.dumps(content).encode(), wait)

    async def close(self) -> None:
        """Nothing is held."""
