"""Two customers to whom the same happened, told in two ways: the books must say the same of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from core.db import Database
from core.ledger.expiry import expire
from core.program import Program
from core.purchases.receipts import Outcome, Purchase, record
from core.purchases.returns import Back, Return, take_back
from core.tiers import review
from tests.core.books import (
    START,
    Kept,
    accepted,
    check_books,
    check_statistics,
    check_what_operations_came_to,
    kept_by_the_books,
    register,
)

DAY = timedelta(days=1)
NOW = START + 28 * DAY


class Twins:
    """Anna and Bohdan, and what the books say of them."""

    def __init__(self, database: Database, program: Program) -> None:
        self.database, self.program = database, program
        register(database, program, "anna", "bohdan")

    def buy(self, who: str, bought: Purchase, now: datetime = NOW) -> Outcome:
        """One receipt."""
        mine = replace(bought, external_id=f"{who} {bought.external_id}", customer=who)
        return self.do(lambda connection: record(connection, self.program, [mine], now, live=True)[0])

    def bring(self, who: str, receipt: str, *back: Back, name: str = "", now: datetime = NOW) -> Outcome:
        """One return."""
        wanted = Return(f"{who} {receipt}", now, back, name or None)
        return self.do(lambda connection: take_back(connection, self.program, wanted, now, live=True))

    def bring_one_by_one_and_at_once(self, receipt: str, back: Sequence[Back]) -> None:
        """The same parts: Anna's in as many returns, in this order, Bohdan's in one."""
        for number, part in enumerate(back):
            accepted(self.bring("anna", receipt, part, name=str(number)))
        if back:
            accepted(self.bring("bohdan", receipt, *back, name="all"))

    def do(self, work: Callable[..., Outcome]) -> Outcome:
        """One request."""
        with self.database.write() as connection:
            return work(connection)

    def look(self, now: datetime = NOW) -> None:
        """The nightly looks."""
        expire(self.database, self.program, now)
        with self.database.write() as connection:
            review(connection, self.program, now)

    def of(self, who: str, now: datetime = NOW) -> Kept:
        """What the books say, whatever the receipts are called; they must add up."""
        with self.database.read() as connection:
            check_books(connection)
            check_statistics(connection)
            check_what_operations_came_to(connection)
            kept = kept_by_the_books(connection, self.program, who, now)
        cut = len(who) + 1
        receipts = {name[cut:]: it for name, it in kept.receipts.items()}
        by_rule = {name[cut:]: it for name, it in kept.by_rule.items()}
        return replace(kept, receipts=receipts, by_rule=by_rule)

    def are_alike(self) -> None:
        """Before and after the nightly looks."""
        assert self.of("anna") == self.of("bohdan")
        self.look()
        assert self.of("anna") == self.of("bohdan")


def without(kept: Kept, *receipts: str) -> Kept:
    """The same, but for receipts of which nothing is left."""
    for money, paid, by_line in (kept.receipts[name] for name in receipts):
        assert not any((money, paid, *by_line))
    return replace(kept, receipts={name: it for name, it in kept.receipts.items() if name not in receipts})
