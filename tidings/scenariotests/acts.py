"""What happens to the customers of a test while it goes on, each act as it happens in the shop."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from campaigns.scenariotest import LAST, NOBODY, Action
from core import tiers
from core.customers import profiles as customers
from core.customers.erasure import erase
from core.customers.profiles import CUSTOMER
from core.events import Happening, append
from core.ledger.bonuses import Request, grant
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.transfers import Transfer, transfer
from core.purchases import returns
from core.source import KeyPath
from core.tiers.inviting import invite
from tidings.erasure import request_of
from tidings.scenariotests.cards import Cards
from tidings.scenariotests.outlets import Post
from tidings.scenariotests.people import People

AUTHOR = "test"


class Acts:
    """Does what a test says, in the ledger of the test."""

    def __init__(self, people: People, post: Post, cards: Cards) -> None:
        self.people, self.post, self.cards = people, post, cards
        self.program = people.program

    def do(self, connection: Connection, name: str, action: Action, at: datetime, path: KeyPath) -> None:
        """All of one action, in the order of its keys."""
        if action.register_ is not None:
            self.people.take_up(connection, name, action.register_, at, (*path, "register"), live=True)
            self.silence(name, action.register_.fails, action.register_.unconfirmed)
        if name not in self.people.ids:
            raise self.people.refuse(path, f"'{name}' has not registered yet", "write 'register:' first")
        for part in (self._profile, self._channels, self._purchases, self._bonuses, self._rest):
            part(connection, name, action, at, path)

    def silence(self, name: str, fails: tuple[str, ...], unconfirmed: tuple[str, ...]) -> None:
        """Channels on which nothing gets through to a customer, or on which nobody says that it did."""
        self.post.fails[self.people.external[name]] |= set(fails)
        self.post.unconfirmed[self.people.external[name]] |= set(unconfirmed)

    def _profile(
        self, connection: Connection, name: str, action: Action, at: datetime, path: KeyPath
    ) -> None:
        if action.change is None:
            return
        profile = self.people.profile(name, action.change, at, (*path, "change"))
        addresses = self.people.addresses
        [saved] = customers.save(connection, self.program, addresses, [profile], at, live=True)
        if saved.refusal:
            raise self.people.refuse((*path, "change"), saved.refusal.detail, "write another")

    def _channels(
        self, connection: Connection, name: str, action: Action, at: datetime, path: KeyPath
    ) -> None:
        self.people.choose(connection, name, action.consent, True, at, live=True)
        self.people.choose(connection, name, action.withdraw, False, at, live=True)
        for channel in action.suppress:
            self.people.suppress(connection, name, channel, at, (*path, "suppress"))
        for channel in action.lift:
            self.people.lift(connection, name, channel, at, (*path, "lift"))
        self.silence(name, action.fails, ())
        self.post.fails[self.people.external[name]] -= set(action.works)

    def _purchases(
        self, connection: Connection, name: str, action: Action, at: datetime, path: KeyPath
    ) -> None:
        if action.purchase is not None:
            here = (*path, "purchase")
            self.people.buy(connection, name, action.purchase, at, at, here, live=True)
        if action.return_ is not None:
            here, theirs = (*path, "return"), self.people
            known = (
                theirs.last_receipt.get(name)
                if action.return_ == LAST
                else theirs.receipts.get(action.return_)
            )
            if known is None:
                raise theirs.refuse(here, "there is no receipt yet", "write a 'purchase' before")
            wanted = returns.Return(known, at)
            self._check(returns.take_back(connection, self.program, wanted, at, live=True), here)

    def _bonuses(
        self, connection: Connection, name: str, action: Action, at: datetime, path: KeyPath
    ) -> None:
        who = self.people.external[name]
        if action.accrue is not None:
            self.people.accrue(connection, name, action.accrue, at, live=True)
        if action.grant is not None:
            wanted = Request(self.people.key(), who, self.program.to_points(action.grant), at)
            self._check(grant(connection, self.program, wanted, at, live=True), (*path, "grant"))
        if action.redeem is not None:
            self._redeem(connection, name, action.redeem, at, path)
        if action.transfer is not None:
            points = self.program.to_points(action.transfer.amount)
            to = self.people.external.get(action.transfer.to, action.transfer.to)
            moved = Transfer(self.people.key(), who, to, points)
            self._check(transfer(connection, self.program, moved, at, live=True), (*path, "transfer"))

    def _redeem(
        self, connection: Connection, name: str, amount: Decimal, at: datetime, path: KeyPath
    ) -> None:
        customer_id, key = self.people.ids[name], self.people.key()
        book = Book(connection, self.program, [customer_id], at)
        op = book.operation(customer_id, "redemption", key, [key], book.moment(customer_id, at))
        if isinstance(book.redeem(op, self.program.to_points(amount)), Refusal):
            have = self.program.from_points(book.available(customer_id, at))
            raise self.people.refuse(path, f"redeem: {amount} asked, {have} available", "redeem less")
        book.close()
        append(connection, book.happenings, at, live=True)

    def _rest(self, connection: Connection, name: str, action: Action, at: datetime, path: KeyPath) -> None:
        customer_id, who = self.people.ids[name], self.people.external[name]
        if action.event is not None:
            data = {key: _plain(value) for key, value in action.event.attributes.items()}
            own = Happening(customer_id, action.event.name, at, None, data)
            append(connection, [own], at, live=True)
        if action.tier is not None:
            self._move_tier(connection, customer_id, action.tier, at)
        if action.invite is not None:
            level = None if action.invite == NOBODY else action.invite
            outcome = invite(connection, self.program, who, level, AUTHOR, "a test", at, live=True)
            self._check(outcome, (*path, "invite"))
        for wallet in action.add_card:
            self.cards.add(connection, name, wallet, at, (*path, "add_card"))
        for wallet in action.remove_card:
            self.cards.remove(connection, name, wallet, at)
        if action.erase:
            request = request_of(self.people.addresses, who, author=AUTHOR)
            self._check(erase(connection, self.program, request, at), (*path, "erase"))

    def _move_tier(self, connection: Connection, customer_id: int, tier: str, at: datetime) -> None:
        row = connection.execute(select(CUSTOMER).where(CUSTOMER.c.id == customer_id)).one()
        standing = tiers.Standing(row.tier, row.tier_since)
        standing.move(self.program, tier, at)
        append(connection, tiers.write(connection, {customer_id: standing}), at, live=True)

    def _check(self, outcome: Any, path: KeyPath) -> None:
        if isinstance(outcome, Refusal):
            raise self.people.refuse(path, outcome.detail or outcome.reason, "correct it")


def _plain(value: Any) -> Any:
    """A value as an event's JSON keeps it."""
    if isinstance(value, Decimal):
        return float(value)
    return value
