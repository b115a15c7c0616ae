"""Rules that change: what comes late, or is reckoned again, goes by those of its own time."""

from datetime import date, datetime, timedelta

from sqlalchemy import select

from core.db import Database
from core.ledger.writing import LOT
from core.program import Program
from core.program.versions import begin
from core.purchases.receipts import Outcome, Purchase, record
from core.purchases.returns import Back, Return, take_back
from tests.core.books import START, accepted, check_books, check_statistics, program, purchase, register

DAY = timedelta(days=1)


class Shop:
    """Anna, and a program that is changed."""

    def __init__(self, database: Database, rules: Program) -> None:
        self.database, self.rules = database, rules
        register(database, rules, "anna")
        self.apply(rules, START - DAY)

    def apply(self, rules: Program, at: datetime) -> None:
        """Live from then on."""
        self.rules = rules
        with self.database.write() as connection:
            begin(connection, rules, at)

    def buy(self, bought: Purchase, now: datetime | None = None) -> dict[str, object]:
        """A receipt, in time unless `now` is later."""
        return accepted(self.do(bought, now or bought.at))

    def do(self, bought: Purchase, now: datetime) -> Outcome:
        with self.database.write() as connection:
            return record(connection, self.rules, [bought], now, live=True)[0]

    def give_back(self, receipt: str, at: datetime, *lines: Back) -> dict[str, object]:
        """A return; the books add up."""
        with self.database.write() as connection:
            outcome = take_back(connection, self.rules, Return(receipt, at, lines), at, live=True)
        with self.database.read() as connection:
            check_books(connection)
            check_statistics(connection)
        return accepted(outcome)

    def ends(self) -> dict[str, date | None]:
        """The last day of what is open, by account."""
        with self.database.read() as connection:
            rows = connection.execute(select(LOT.c.account, LOT.c.expires_on).where(LOT.c.remaining > 0))
            return {row.account: row.expires_on for row in rows}


def test_a_save_date_alone_makes_another_program(database: Database) -> None:
    def until(saved: str) -> Program:
        return program(("lasts: 180 days\n", f"lasts: {{until: 12-31, save_from: {saved}}}\n"))

    shop = Shop(database, until("10-01"))
    shop.apply(until("03-01"), START - timedelta(hours=1))
    shop.buy(purchase("r", "anna", START, 10_000, 10_000))
    assert shop.ends() == {"base": date(2027, 12, 31)}
    # A return reckons again by the rules that the receipt was booked by.
    shop.give_back("r", START + DAY, Back(line=1))
    assert shop.ends() == {"base": date(2027, 12, 31)}


def test_what_is_saved_and_what_is_not_are_two_lots(database: Database) -> None:
    more = (
        "lasts: 30 days}\n    - {rule: a, earn: 1%, lasts: 'until 12-31'}\n"
        "    - {rule: b, earn: 1%, lasts: {until: 12-31, save_from: 03-01}}\n"
    )
    shop = Shop(database, program(("lasts: 30 days}\n", more)))
    shop.buy(purchase("r", "anna", START, 10_000))
    with database.read() as connection:
        ends = connection.execute(select(LOT.c.expires_on, LOT.c.amount)).all()
    assert {tuple(it) for it in ends} >= {(date(2026, 12, 31), 100), (date(2027, 12, 31), 100)}
