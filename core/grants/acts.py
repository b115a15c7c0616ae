"""What a shop's system tells of a customer besides purchases: a review, a survey, a full profile, a friend.

An act has an id of the teller's own: told again, it is the same act and gets the same answer. It becomes an
event, which scenarios may answer, whether or not a rule gives something for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from core.customers.holders import Person, people, unknown
from core.events import Happening, append
from core.explain import suggest
from core.grants.full_profiles import PROFILE, give_for_profiles
from core.grants.giving import Act, Given, give_grants
from core.grants.referrals import name_inviter
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.operations import again_if_taken, digest_of, known_operations
from core.program import Program
from core.purchases.receipts import Outcome, Recorded

REFERRAL = "referral"
# What may be told, beside the program's own `events`; everything else that brings bonuses the ledger notices
# itself.
ACTS = ("review", "rating", "survey", PROFILE, REFERRAL)


@dataclass(frozen=True, slots=True)
class Told:
    """One act. `customer` is the external id; of a referral, `friend` is who was brought.

    `at` is when it was done (None: when it is told), `data` what else the shop knows of it (a product, a
    rating): scenarios may use it.
    """

    id: str
    customer: str
    act: str
    at: datetime | None = None
    friend: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> list[Any]:
        """What makes two acts the same."""
        at = self.at and self.at.astimezone(UTC).isoformat()
        return [self.customer, self.act, at, self.friend, dict(self.data)]


def tell(
    connection: Connection, program: Program, told: Told, recorded_at: datetime, *, live: bool
) -> Outcome:
    """Note an act and give what the rules bring for it, in the caller's write transaction.

    The answer says what was given and why not more. Refused, and nothing changed: `unknown_act`,
    `unknown_customer`, `unknown_friend`, `in_the_future`, `conflict`, and those of core.grants.referrals.
    """
    return again_if_taken(connection, lambda: _tell(connection, program, told, recorded_at, live))


def _tell(connection: Connection, program: Program, told: Told, recorded_at: datetime, live: bool) -> Outcome:
    if known := known_operations(connection, [_key(told)]).get(_key(told)):
        same = known[0] == digest_of(told.body())
        other = "this id belongs to another act; take a new one"
        return Recorded(known[1], True) if same else Refusal("conflict", other)
    person = _person(connection, program, told, recorded_at)
    if isinstance(person, Refusal):
        return person
    # The account first, as everybody does: who holds a friend's row must not wait for an account.
    Book(connection, program, [person.holder], recorded_at, live=live, earners=[person.holder])
    if told.act == REFERRAL and (refusal := _bring(connection, told, person, recorded_at, live)):
        return refusal
    data = {**told.data, "friend": told.friend} if told.friend else told.data
    event = Happening(person.id, told.act, told.at or recorded_at, told.id, dict(data))
    append(connection, [event], recorded_at, live=live)
    given = _give(connection, program, told, person, recorded_at, live)
    return _note(connection, program, told, person, given, recorded_at, live)


def _key(told: Told) -> str:
    return f"act:{told.id}"


def _person(connection: Connection, program: Program, told: Told, recorded_at: datetime) -> Person | Refusal:
    known = (*ACTS, *program.events)
    if told.act not in known:
        hint = f"{suggest(told.act, known)} (yours are 'events' in program.yaml)"
        return Refusal("unknown_act", f"no act {told.act!r}; {hint}")
    if told.at and told.at > recorded_at + timedelta(days=1):
        when = f"{told.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return Refusal("in_the_future", f"the act's time {when} has not come yet")
    return people(connection, [told.customer]).get(told.customer) or unknown(told.customer)


def _give(
    connection: Connection, program: Program, told: Told, person: Person, recorded_at: datetime, live: bool
) -> Sequence[Given]:
    if told.act == REFERRAL:
        return ()
    at = told.at or recorded_at
    if told.act == PROFILE:
        return give_for_profiles(connection, program, [person.id], at, recorded_at, live=live)
    act = Act(person.id, told.id, at, {"act": told.id})
    return give_grants(connection, program, told.act, [act], recorded_at, live=live)


def _bring(
    connection: Connection, told: Told, inviter: Person, recorded_at: datetime, live: bool
) -> Refusal | None:
    """Note the friend; what it brings is given by the look that reads the stream (core.grants.granting)."""
    friend = people(connection, [told.friend or ""]).get(told.friend or "")
    if friend is None:
        return Refusal("unknown_friend", "say in 'friend' which customer was brought; register them first")
    named = name_inviter(connection, friend.id, inviter.external_id, recorded_at, live=live)
    return named if isinstance(named, Refusal) else None


def _note(
    connection: Connection, program: Program, told: Told, person: Person, given: Sequence[Given],
    recorded_at: datetime, live: bool,
) -> Recorded:  # fmt: skip
    """The act as an operation of its own, which moves nothing: its key and its answer."""
    book = Book(connection, program, [person.holder], recorded_at, live=live)
    at = book.moment(person.holder, recorded_at)
    op = book.operation(person.holder, "act", _key(told), told.body(), at, data={"customer": person.id})
    op.result = {
        "id": told.id, "customer": person.external_id, "act": told.act, **told_of(program, given),
        "balance": str(program.from_points(book.total(person.holder))),
        "available": str(program.from_points(book.available(person.holder, at))),
    }  # fmt: skip
    book.close()
    return Recorded(op.result)


def told_of(program: Program, given: Sequence[Given]) -> dict[str, Any]:
    """What was given, and which rules gave nothing and why, as an answer says it."""
    return {
        "given": [
            {
                "rule": it.rule, "points": str(program.from_points(it.points)), "account": it.account,
                "starts_at": it.life.active_from.isoformat(),
                "expires_on": it.life.expires_on and it.life.expires_on.isoformat(),
            }
            for it in given
            if it.life
        ],
        "nothing": [{"rule": it.rule, "reason": it.reason, "detail": it.detail} for it in given if it.reason],
    }  # fmt: skip
