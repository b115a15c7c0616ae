"""Rules that change: what comes late, or is reckoned again, goes by those of its own time."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy import select

from core.customers.profiles import CUSTOMER
from core.db import Database
from core.ledger.bonuses import Request, grant
from core.ledger.expiry import expire
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

    def give(self, points: int, at: datetime) -> None:
        with self.database.write() as connection:
            accepted(grant(connection, self.rules, Request(f"{at}", "anna", points, at), at, live=True))

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

    def left(self) -> dict[str, int]:
        """What is left in each account."""
        with self.database.read() as connection:
            rows = connection.execute(select(LOT.c.account, LOT.c.remaining).where(LOT.c.remaining > 0)).all()
        return {
            name: sum(it.remaining for it in rows if it.account == name)
            for name in {it.account for it in rows}
        }

    def level(self) -> str | None:
        with self.database.read() as connection:
            return connection.scalar(select(CUSTOMER.c.tier).where(CUSTOMER.c.external_id == "anna"))


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


def test_a_purchase_has_prolonged_by_as_much_as_the_program_of_then_said(database: Database) -> None:
    def extending(days: int) -> Program:
        return program(("lasts: 180 days\n", f"lasts: 30 days\n  extend: {days} days\n"))

    shop = Shop(database, extending(40))
    shop.give(1_000, START)
    shop.buy(purchase("1", "anna", START + 10 * DAY, 10_000))
    ends = shop.ends()
    shop.apply(extending(200), START + 12 * DAY)
    shop.buy(purchase("2", "anna", START + 20 * DAY, 10_000))
    shop.give_back("2", START + 21 * DAY)
    assert shop.ends() == ends


def test_what_a_program_no_longer_prolongs_ends_as_if_the_goods_had_not_been_bought(
    database: Database,
) -> None:
    prolonging = program(("lasts: 180 days\n", "lasts: 30 days\n  extend: 40 days\n"))
    shop = Shop(database, prolonging)
    shop.give(1_000, START)
    ends = shop.ends()
    shop.buy(purchase("1", "anna", START + 10 * DAY, 10_000))
    shop.apply(program(("lasts: 180 days\n", "lasts: 30 days\n")), START + 12 * DAY)
    shop.give_back("1", START + 13 * DAY)
    assert shop.ends() == ends


def test_a_payment_came_from_the_account_that_was_spent_first_then(database: Database) -> None:
    def ordered(*names: str) -> Program:
        accounts = ", ".join(f"{name}: {{}}" for name in names)
        gift = "lasts: 30 days}\n    - {rule: gift, earn: 10%, account: gift, lasts: 20 days}\n"
        return program(
            ("debt: repay\n", f"debt: repay\n  accounts: {{{accounts}}}\n"), ("lasts: 30 days}\n", gift)
        )

    shop = Shop(database, ordered("gift", "base"))
    shop.buy(purchase("0", "anna", START, 100))
    shop.buy(purchase("1", "anna", START + DAY, 10_000))
    shop.buy(purchase("2", "anna", START + 2 * DAY, 2_000, pay=1_000))
    shop.apply(ordered("base", "gift"), START + 3 * DAY)
    now = START + 30 * DAY
    expire(database, shop.rules, now)
    before = shop.left()
    shop.give_back("0", now)
    assert shop.left() == {"base": before["base"] - 10}


def test_a_level_is_reached_by_the_program_of_the_purchase_though_it_is_told_after_a_change(
    database: Database,
) -> None:
    shop = Shop(database, program())
    shop.apply(program(("silver, from: 1000", "silver, from: 3000")), START + DAY)
    shop.buy(purchase("1", "anna", START, 100_000), START + 2 * DAY)
    assert shop.level() == "silver"


def test_a_period_that_was_longer_then_still_counts_when_it_is_reckoned_again(database: Database) -> None:
    shop = Shop(database, program())
    shop.buy(purchase("1", "anna", START, 60_000))
    shop.buy(purchase("2", "anna", START + 200 * DAY, 40_000, 100))
    assert shop.level() == "silver"
    shop.apply(program(("over: 365 days", "over: 100 days")), START + 201 * DAY)
    shop.give_back("2", START + 202 * DAY, Back(line=2))
    assert shop.level() == "silver"


def test_nobody_falls_by_rules_that_did_not_hold_yet(database: Database) -> None:
    longer, shorter = (
        program(),
        program(("over: 365 days", "over: 10 days"), ("grace: 30 days", "grace: 0 days")),
    )
    shop = Shop(database, longer)
    shop.apply(shorter, START + 13 * DAY)
    shop.buy(purchase("1", "anna", START, 100_000), START + 16 * DAY)
    shop.buy(purchase("3", "anna", START + 16 * DAY, 1_000))
    # Told last, and bought before the program changed: by the level of then.
    assert shop.buy(purchase("2", "anna", START + 12 * DAY, 10_000), START + 17 * DAY)["earned"] == "20"


def test_a_fall_that_nobody_looked_at_before_the_rules_changed_is_found_by_the_rules_of_then(
    database: Database,
) -> None:
    shorter = program(("over: 365 days", "over: 10 days"), ("grace: 30 days", "grace: 0 days"))
    shop = Shop(database, shorter)
    shop.buy(purchase("1", "anna", START, 100_000))
    shop.apply(program(), START + 13 * DAY)
    shop.buy(purchase("3", "anna", START + 16 * DAY, 1_000))
    assert shop.buy(purchase("2", "anna", START + 12 * DAY, 10_000), START + 17 * DAY)["earned"] == "10"


def test_a_code_that_was_good_when_it_was_said_is_good_in_a_receipt_that_comes_late(
    database: Database,
) -> None:
    spring = program(
        (
            "lasts: 30 days}\n",
            "lasts: 30 days}\n    - {rule: spring, give: 5, code: SPRING26, per_customer: 1}\n",
        )
    )
    shop = Shop(database, spring)
    shop.apply(program(), START + DAY)
    late = replace(purchase("1", "anna", START, 10_000), codes=("SPRING26",), offline=True)
    assert shop.buy(late, START + 2 * DAY)["earned"] == "15"
