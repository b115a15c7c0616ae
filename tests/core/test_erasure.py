"""Forgetting a person: what is theirs goes, the books stay."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from campaigns.erasure import ATTEMPT, ENROLMENT, MESSAGE
from core.customers.consent import CONSENT, Choice, choose
from core.customers.erasure import Erasure, erase, would_go
from core.customers.erasure_words import opaque
from core.customers.households import Change, dissolve, join, leave, pass_on
from core.customers.merging import Merge, merge
from core.customers.profiles import CUSTOMER, Profile, find, save
from core.db import Database
from core.grants.acts import Told, tell
from core.ledger.adjustments import Adjustment, adjust
from core.ledger.reading import HOLD
from core.ledger.transfers import Transfer, transfer
from core.ledger.writing import ACCOUNT, ENTRY, LOT, OPERATION
from core.purchases.receipts import LINE, RECEIPT, Outcome, Recorded
from core.purchases.returns import Return, take_back
from tests.core.books import ADDRESSES, START, accepted, check_books, purchase, register
from tests.core.people import LATER, SHARING, balance, buy, give, id_of, refused
from tidings.erasure import request_of, tidy
from wallet.tables import PASS

NUMBER, NAME, PHONE, EMAIL, CARD = (
    "C-90210", "Oksana Zabolotna", "+380671112233", "oksana.z@shop.example", "KV-777-888",
)  # fmt: skip
PERSONAL = (NUMBER, NAME, "Zabolotna", "oksana", PHONE, "671112233", EMAIL, CARD, "Chernivtsi", "parrot")
ASKED = Erasure(NUMBER, ADDRESSES, {"email": "email", "sms": "phone"}, "dpo")


@pytest.fixture
def oksana(database: Database) -> Database:
    """A customer who has left traces in every table that could hold one."""
    profile = Profile(
        NUMBER, card=CARD, name=NAME, phone=PHONE, email=EMAIL, birthday=date(1988, 7, 5), city="Chernivtsi",
        attributes={"pet": "parrot"},
    )  # fmt: skip
    with database.write() as connection:
        save(connection, SHARING, ADDRESSES, [profile, Profile("bohdan")], START, live=True)
        brought = Told("friend 1", "bohdan", "referral", START, NUMBER)
        accepted(tell(connection, SHARING, brought, START, live=True))
    give(database, NUMBER, 3_000)
    give(database, "bohdan", 500)
    buy(database, purchase("R1", NUMBER, START, 20_000, pay=500))
    with database.write() as connection:
        number = connection.scalar(select(CUSTOMER.c.id).where(CUSTOMER.c.external_id == NUMBER)) or 0
        note = Adjustment("1", NUMBER, 100, "maria", f"a call from {PHONE}: Mrs Zabolotna was angry")
        accepted(adjust(connection, SHARING, note, START, live=True))
        accepted(transfer(connection, SHARING, Transfer("1", NUMBER, "bohdan", 200), START, live=True))
        accepted(transfer(connection, SHARING, Transfer("2", "bohdan", NUMBER, 100), START, live=True))
        choose(connection, [Choice(number, "email", True, START, f"form of {NAME}")], START, live=True)
        _written_to(connection, number)
    return database


def _written_to(connection: Any, number: int) -> None:
    common = {"scenario": "hello", "version": 1, "customer_id": number, "occasion": "1", "subject": EMAIL}
    facts = {"name": NAME, "pet": "parrot"}
    connection.execute(insert(ENROLMENT).values(id=1, **common, arm="treatment", status="active", step=0,
                                                at=START, facts=facts))  # fmt: skip
    connection.execute(
        insert(MESSAGE).values(
            id=1, enrolment_id=1, **common, step="1", step_index=0, purpose="marketing", priority=1,
            message="hello", channels=["email"], channel="email", state="planned", planned_at=START,
            due_at=START, changed_at=START, tries=1, facts=facts, provider_id=f"<{EMAIL}>",
        )
    )  # fmt: skip
    connection.execute(
        insert(ATTEMPT).values(message_id=1, customer_id=number, channel="email", number=1, outcome="failed",
                               detail=f"no mailbox {EMAIL}", at=START)
    )  # fmt: skip
    connection.execute(
        insert(PASS).values(customer_id=number, serial="s", token="t", digest="d", changed_at=START, tag=0,
                            issued_at=START, voided=False, news=f"Dear {NAME}", google_saved=False,
                            google_attempts=0)
    )  # fmt: skip
    connection.execute(
        insert(HOLD).values(external_id="R2", customer_id=number, buyer_id=number, points=100, state="open",
                            digest="d", cart={"customer": NUMBER}, code_tries=0, at=START,
                            expires_at=LATER, changed_at=START)
    )  # fmt: skip


def forget(database: Database, asked: Erasure | None = None) -> Outcome:
    """Erase everywhere, as the command does."""
    asked = asked or replace(request_of(ADDRESSES, NUMBER, author="dpo"), channels=ASKED.channels)
    with database.write() as connection:
        outcome = erase(connection, SHARING, asked, LATER)
    tidy(database)
    with database.read() as connection:
        check_books(connection)
    return outcome


def everything(database: Database) -> str:
    """All that the database says, row by row; of SQLite also the bytes of its files."""
    said = []
    with database.read() as connection:
        for table in _tables(connection):
            said += [f"{table}: {tuple(row)}" for row in connection.execute(text(f'SELECT * FROM "{table}"'))]
    if database.dialect == "sqlite":
        file = Path(str(database.engine.url.database))
        said += [it.read_bytes().decode("utf-8", "ignore") for it in file.parent.glob(f"{file.name}*")]
    return "\n".join(said).lower()


def _tables(connection: Any) -> list[str]:
    catalogue = (
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        if connection.dialect.name == "sqlite"
        else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    return list(connection.scalars(text(catalogue)))


def test_nothing_personal_is_left_anywhere(oksana: Database) -> None:
    before = everything(oksana)
    assert [word for word in PERSONAL if word.lower() not in before] == []
    accepted(forget(oksana))
    after = everything(oksana)
    assert [word for word in PERSONAL if word.lower() in after] == []


def test_the_books_stay_and_close_at_nothing(oksana: Database) -> None:
    number = id_of(oksana, NUMBER)
    with oksana.read() as connection:
        mine = select(ENTRY.c.id).where(ENTRY.c.customer_id == number)
        entries = set(connection.scalars(mine))
        owned = connection.scalar(select(ACCOUNT.c.total).where(ACCOUNT.c.customer_id == number))
    answer = accepted(forget(oksana))
    assert (answer["written_off"], answer["balance"]) == (str(SHARING.from_points(owned or 0)), "0")
    with oksana.read() as connection:
        assert entries < set(connection.scalars(mine))
        assert set(connection.scalars(select(LOT.c.remaining).where(LOT.c.customer_id == number))) == {0}
        assert connection.scalars(select(RECEIPT.c.customer_id)).all() == [number]
        assert connection.scalars(select(LINE.c.customer_id)).all() == [number]
        operation = connection.execute(select(OPERATION).where(OPERATION.c.kind == "erasure")).one()
    assert (operation.author, operation.result) == ("dpo", answer)


@pytest.mark.parametrize("receipt", ["A1", "A2"])
def test_a_return_after_that_leaves_no_debt_and_no_bonuses(database: Database, receipt: str) -> None:
    register(database, SHARING, NUMBER)
    # What the first brought pays for the second: it is missing, or comes back.
    buy(database, purchase("A1", NUMBER, START, 50_000))
    buy(database, purchase("A2", NUMBER, START + timedelta(hours=1), 20_000, pay=4_000))
    accepted(forget(database))
    later = LATER + timedelta(days=1)
    with database.write() as connection:
        answer = accepted(take_back(connection, SHARING, Return(receipt, later), later, live=True))
    assert (answer["debt"], answer["balance"]) == ("0", "0")
    with database.read() as connection:
        check_books(connection)
        assert set(connection.scalars(select(LOT.c.remaining))) == {0}


def test_bonuses_may_be_kept_in_the_books(oksana: Database) -> None:
    owned = balance(oksana, NUMBER)
    answer = accepted(forget(oksana, replace(ASKED, keep_bonuses=True)))
    assert (answer["written_off"], answer["balance"]) == ("0", str(SHARING.from_points(owned)))


def test_the_other_side_of_a_transfer_keeps_its_bonuses_and_forgets_the_name(oksana: Database) -> None:
    forget(oksana)
    assert balance(oksana, "bohdan") == 5_600
    with oksana.read() as connection:
        key = OPERATION.c.key == "transfer:2:out"
        [result] = connection.scalars(select(OPERATION.c.result).where(key))
    assert result["sender"] == "bohdan"
    assert result["receiver"] == opaque(ADDRESSES, NUMBER)


def test_waiting_messages_are_recalled_and_the_card_is_void(oksana: Database) -> None:
    forget(oksana)
    with oksana.read() as connection:
        message = connection.execute(select(MESSAGE)).one()
        assert (message.state, message.reason, message.facts) == ("recalled", "erased", {})
        assert connection.scalar(select(ENROLMENT.c.status)) == "exited"
        assert connection.scalar(select(PASS.c.voided)) is True
        assert connection.execute(select(CONSENT)).all() == []
        assert connection.execute(select(HOLD.c.state, HOLD.c.cart)).one() == ("cancelled", {})


def test_a_later_import_stays_suppressed_and_the_number_is_refused(oksana: Database) -> None:
    forget(oksana)
    with oksana.write() as connection:
        again = [Profile(NUMBER, name=NAME), Profile("new", email=EMAIL.title(), card=CARD)]
        saved = save(connection, SHARING, ADDRESSES, again, LATER, live=True)
    assert saved[0].refusal is not None
    assert saved[0].refusal.reason == "erased"
    assert saved[1].effect == "created"
    with oksana.read() as connection:
        blocked = text("SELECT count(*) FROM suppression JOIN address USING (digest)")
        assert connection.scalar(blocked) == 1
        assert find(connection, NUMBER) is None


def test_a_second_request_gets_the_first_answer(oksana: Database) -> None:
    first = accepted(forget(oksana))
    assert forget(oksana) == Recorded(first, repeated=True)
    assert forget(oksana, replace(ASKED, customer=first["customer"])) == Recorded(first, repeated=True)


@pytest.mark.parametrize("card", ["5", "20", "100", "2026", "03"])
def test_a_short_card_goes_and_takes_no_amount_with_it(database: Database, card: str) -> None:
    with database.write() as connection:
        save(connection, SHARING, ADDRESSES, [Profile(NUMBER, card=card), Profile("head")], START, live=True)
        together = Change("head", NUMBER)
        accepted(join(connection, SHARING, together, START, live=True))
    answered = buy(database, purchase("R1", NUMBER, START, 10_000), purchase("R2", "head", START, 10_000))
    with database.write() as connection:
        note = Adjustment("1", NUMBER, 100, "maria", f"lost card {card}, card no.{card}.")
        accepted(adjust(connection, SHARING, note, START, live=True))
        first = accepted(erase(connection, SHARING, replace(ASKED, customer=NUMBER), LATER))
    with database.read() as connection:
        rows = connection.execute(select(OPERATION.c.kind, OPERATION.c.result, OPERATION.c.data)).all()
    kept = {row.result["receipt"]: row.result for row in rows if row.kind == "purchase"}
    for before in answered:
        told = {name: before[name] for name in ("earned", "balance", "available", "rules")}
        assert {name: kept[before["receipt"]][name] for name in told} == told
    assert [row.data["reason"] for row in rows if row.kind == "adjustment"] == ["(erased)"]
    assert accepted(forget(database, replace(ASKED, customer=NUMBER))) == first


def test_what_would_go_is_told_before_and_nothing_changes(oksana: Database) -> None:
    before = everything(oksana)
    asked = replace(request_of(ADDRESSES, NUMBER), channels=ASKED.channels)
    with oksana.read() as connection:
        counted = would_go(connection, asked)
    assert isinstance(counted, dict)
    assert counted["addresses"] == 2
    assert counted["contents of messages"] == 1
    assert counted["answers and notes of operations"] >= 4
    assert everything(oksana) == before
    forget(oksana)
    assert refused(would_go_again(oksana, asked)) == "unknown_customer"


def would_go_again(database: Database, asked: Erasure) -> Any:
    with database.read() as connection:
        return would_go(connection, asked)


def test_duplicates_are_forgotten_with_the_person(oksana: Database) -> None:
    with oksana.write() as connection:
        register_twin = [Profile("C-777", name=NAME, phone=PHONE)]
        save(connection, SHARING, ADDRESSES, register_twin, START, live=False)
        accepted(merge(connection, SHARING, Merge("C-777", NUMBER, "maria", "same phone"), LATER, live=True))
    accepted(forget(oksana, replace(request_of(ADDRESSES, "C-777"), channels=ASKED.channels)))
    after = everything(oksana)
    assert [word for word in (*PERSONAL, "C-777") if word.lower() in after] == []
    assert forget(oksana, replace(ASKED, customer="C-777")).repeated  # type: ignore[union-attr]


def test_a_head_is_not_forgotten_with_the_bonuses_of_a_household(oksana: Database) -> None:
    with oksana.write() as connection:
        accepted(join(connection, SHARING, Change(NUMBER, "bohdan"), LATER, live=True))
    assert refused(forget(oksana)) == "head_of_household"
    with oksana.write() as connection:
        accepted(dissolve(connection, SHARING, NUMBER, LATER, live=True))
    accepted(forget(oksana))


def test_a_member_is_forgotten_and_the_household_keeps_its_bonuses(database: Database) -> None:
    register(database, SHARING, "anna", "bohdan")
    give(database, "bohdan", 700)
    with database.write() as connection:
        accepted(join(connection, SHARING, Change("anna", "bohdan"), LATER, live=True))
    buy(database, purchase("1", "bohdan", LATER + timedelta(hours=1), 1_000))
    assert accepted(forget(database, replace(ASKED, customer="bohdan")))["written_off"] == "0"
    assert balance(database, "anna") == 800
    assert "bohdan" not in everything(database)


def test_a_household_that_somebody_left_forgets_what_they_gave_and_got_there(database: Database) -> None:
    register(database, SHARING, "anna", "bohdan", "olha", "petro")
    give(database, "anna", 700)
    give(database, "petro", 700)
    with database.write() as connection:
        for member in ("bohdan", "olha"):
            accepted(join(connection, SHARING, Change("anna", member), START, live=True))
        # From here on the account that they use is another's.
        accepted(pass_on(connection, SHARING, Change("anna", "olha"), START, live=True))
        accepted(transfer(connection, SHARING, Transfer("1", "bohdan", "petro", 200), START, live=True))
        accepted(transfer(connection, SHARING, Transfer("2", "petro", "bohdan", 100), START, live=True))
        accepted(leave(connection, SHARING, Change("olha", "bohdan"), LATER, live=True))
    accepted(forget(database, replace(ASKED, customer="bohdan")))
    assert "bohdan" not in everything(database)
    assert (balance(database, "olha"), balance(database, "petro")) == (600, 800)


@pytest.mark.parametrize("merged", [("anna", "petro"), ("bohdan", "olha")])
def test_whoever_brought_somebody_forgets_them_whichever_profiles_were_merged_since(
    database: Database, merged: tuple[str, str]
) -> None:
    register(database, SHARING, "anna", "bohdan", "petro", "olha")
    with database.write() as connection:
        for number, (inviter, friend) in enumerate((("anna", "bohdan"), ("petro", "olha"))):
            brought = Told(str(number), inviter, "referral", START, friend)
            accepted(tell(connection, SHARING, brought, START, live=True))
        accepted(merge(connection, SHARING, Merge(*merged, "maria", "one person"), LATER, live=True))
    accepted(forget(database, replace(ASKED, customer="bohdan")))
    assert "bohdan" not in everything(database)


def test_nobody_is_not_forgotten(database: Database) -> None:
    assert refused(forget(database)) == "unknown_customer"
