"""A promo code or coupon that brings its bonuses at once, without a purchase (`on: promo_code`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.customers.holders import Person, people, unknown
from core.events import Happening, append
from core.grants.acts import told_of
from core.grants.codes import normal
from core.grants.giving import Act, give_grants
from core.grants.promo_codes import Codes
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.operations import again_if_taken, digest_of, known_operations
from core.program import Program
from core.purchases.receipts import Outcome, Recorded

PROMO_CODE = "promo_code"


@dataclass(frozen=True, slots=True)
class Activation:
    """`code` as typed, `customer` the external id. Without a `key` of one's own, one for each code."""

    customer: str
    code: str
    key: str | None = None

    def body(self) -> list[Any]:
        """What makes two requests the same."""
        return [self.customer, normal(self.code)]


def activate(
    connection: Connection, program: Program, request: Activation, at: datetime, *, live: bool
) -> Outcome:
    """Use a code at `at` and give what its rule brings, in the caller's write transaction.

    Refused, and nothing changed: `unknown_customer`, `conflict`, those of codes (core.grants.promo_codes),
    and why the rule gives nothing (`limit`).
    """
    return again_if_taken(connection, lambda: _activate(connection, program, request, at, live))


def _activate(
    connection: Connection, program: Program, request: Activation, at: datetime, live: bool
) -> Outcome:
    person = people(connection, [request.customer]).get(request.customer)
    if person is None:
        return unknown(request.customer)
    key = f"{PROMO_CODE}:{request.key or f'{person.id}:{normal(request.code)}'}"
    Book(connection, program, [person.holder], at, live=live, earners=[person.holder])
    if known := known_operations(connection, [key]).get(key):
        same = known[0] == digest_of(request.body())
        other = "this id belongs to another code; take a new one"
        return Recorded(known[1], True) if same else Refusal("conflict", other)
    # Refused after the code was counted: the savepoint gives it back.
    with connection.begin_nested() as savepoint:
        outcome = _use(connection, program, request, person, key, at, live)
        if isinstance(outcome, Refusal):
            savepoint.rollback()
    return outcome


def _use(
    connection: Connection, program: Program, request: Activation, person: Person, key: str, at: datetime,
    live: bool,
) -> Outcome:  # fmt: skip
    codes = Codes(connection, program, at)
    if refusal := codes.use([request.code], person.id, key, at, on_purchase=False):
        return refusal
    [rule] = codes.names(key)
    codes.close()
    act = Act(person.id, key, at, {"code": normal(request.code)})
    given = give_grants(connection, program, PROMO_CODE, [act], at, live=live, among=[rule])
    if why := next((it for it in given if it.reason), None):
        return Refusal(why.reason, why.detail)
    event = Happening(person.id, PROMO_CODE, at, normal(request.code), {"rule": rule})
    append(connection, [event], at, live=live)
    book = Book(connection, program, [person.holder], at, live=live)
    when = book.moment(person.holder, at)
    op = book.operation(person.holder, PROMO_CODE, key, request.body(), when, data={"customer": person.id})
    op.result = {
        "customer": person.external_id, "code": normal(request.code), **told_of(program, given),
        "balance": str(program.from_points(book.total(person.holder))),
        "available": str(program.from_points(book.available(person.holder, when))),
    }  # fmt: skip
    book.close()
    return Recorded(op.result)
