"""Double opt-in: a yes to email is in force only once the letter to that address was answered.

Until then it is a request, and whoever asks about consent sees none. An address that the customer confirmed
is not asked twice; a new one is asked anew. Consents in force before the program asked for this stay.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from core.customers import letters
from core.customers.addresses import ADDRESS
from core.customers.consent import (
    REQUEST,
    Choice,
    Key,
    choose,
    decide,
    end_waiting,
    hold,
    in_force,
    meant,
    pending,
)
from core.customers.proof import confirmed
from core.ledger.book import CHUNK
from core.program import Program

__all__ = ["REQUEST", "ask_again", "confirm", "give", "pending", "readdress"]

CHANNEL = KIND = "email"
BY_NEW_ADDRESS = "new address"


def give(
    connection: Connection, program: Program, choices: Sequence[Choice], recorded_at: datetime, *, live: bool
) -> list[str]:
    """Record choices as `choose` does; what must be confirmed first waits, and a letter asks.

    What became of each, in their order: `created`, `changed` or `unchanged`. History (`live=False`) waits
    without a letter. A choice whose proof says `confirmed_at` was confirmed elsewhere.
    """
    if not program.consent.double_opt_in:
        return choose(connection, choices, recorded_at, live=live)
    choices = meant(connection, choices)
    known = _Known.of(connection, sorted({it.customer_id for it in choices}))
    sorted_out = [known.judge(it) for it in choices]
    waiting = [it for it in sorted_out if isinstance(it, _Waits)]
    effects = iter(
        choose(connection, [it for it in sorted_out if isinstance(it, Choice)], recorded_at, live=live)
    )
    _ask(connection, waiting, recorded_at, live=live)
    # One of these may come later than a yes that waits since just now.
    end_waiting(connection, choices, recorded_at)
    return [it.effect if isinstance(it, _Waits) else next(effects) for it in sorted_out]


def ask_again(connection: Connection, customer_id: int, at: datetime) -> bool:
    """Another letter about what waits; False if none may go now."""
    digest = _digests(connection, [customer_id]).get(customer_id)
    if digest is None or not pending(connection, [customer_id]):
        return False
    return not letters.plan(connection, [_letter(customer_id, digest)], at)


def confirm(connection: Connection, letter: Any, at: datetime) -> bool:
    """The letter's reader says yes: what waits for this address is in force from now on.

    False if nothing waits: it was withdrawn meanwhile, or the address is no longer the customer's. Said twice
    it changes nothing.
    """
    owner = letter.merged_into or letter.customer_id
    hold(connection, [owner])
    if letter.digest != _digests(connection, [owner]).get(owner):
        return False
    mine = REQUEST.c.customer_id.in_({owner, letter.customer_id}) & (REQUEST.c.digest == letter.digest)
    asked = connection.execute(select(REQUEST).where(mine, REQUEST.c.state.in_(("open", "confirmed")))).all()
    waiting = [row for row in asked if row.state == "open"]
    choices = [
        Choice(owner, row.channel, True, at, row.source, row.purpose, row.wording,
               confirmed(row.proof, row.at, at, letter.id), letter.digest)
        for row in waiting
    ]  # fmt: skip
    choose(connection, choices, at, live=True)
    decide(connection, [row.id for row in waiting], "confirmed", at)
    letters.answered(connection, letter.id, at)
    return bool(asked)


def readdress(
    connection: Connection, program: Program, ids: Sequence[int], at: datetime, *, live: bool
) -> None:
    """After profiles were saved: what waits follows to the new address, what was confirmed for another waits.

    An address that the customer confirmed before needs no letter.
    """
    if not program.consent.double_opt_in:
        return
    for start in range(0, len(ids), CHUNK):
        _follow(connection, ids[start : start + CHUNK], at, live=live)


def _follow(connection: Connection, ids: Sequence[int], at: datetime, *, live: bool) -> None:
    now = _digests(connection, ids)
    given = {
        key: row
        for key, row in in_force(connection, list(now)).items()
        if key[1] == CHANNEL and row.granted and row.digest not in (None, now[row.customer_id])
    }
    waiting = {
        key: row for key, row in pending(connection, list(now)).items() if row.digest != now[row.customer_id]
    }
    if not given and not waiting:
        return
    known = _Known.of(connection, sorted({key[0] for key in (*given, *waiting)}))
    found = {key: known.readdress(_choice(row)) for key, row in {**given, **waiting}.items()}
    good = [replace(it, at=at) for it in found.values() if isinstance(it, Choice)]
    lost = [
        Choice(key[0], CHANNEL, False, at, BY_NEW_ADDRESS, key[2])
        for key in given
        if isinstance(found[key], _Waits)
    ]
    choose(connection, [*lost, *good], at, live=live)
    decide(connection, [row.id for row in waiting.values()], "replaced", at)
    _ask(connection, [it for it in found.values() if isinstance(it, _Waits)], at, live=live)


def _choice(row: Any) -> Choice:
    """A consent or a request, as what the customer said."""
    source = row.source or BY_NEW_ADDRESS
    return Choice(row.customer_id, row.channel, True, row.at, source, row.purpose, row.wording, row.proof)


def _key(choice: Choice) -> Key:
    return choice.customer_id, choice.channel, choice.purpose


@dataclass(frozen=True, slots=True)
class _Waits:
    """A yes that must be confirmed; `effect` is `unchanged` if it was recorded before."""

    choice: Choice
    digest: str | None
    effect: str


@dataclass(frozen=True, slots=True)
class _Known:
    """How some customers stand: their address now, what is in force, what each was asked and confirmed."""

    digests: Mapping[int, str]
    consents: Mapping[Key, Any]
    requests: Mapping[int, Sequence[Any]]

    @classmethod
    def of(cls, connection: Connection, ids: Sequence[int]) -> "_Known":
        hold(connection, ids)
        requests: dict[int, list[Any]] = defaultdict(list)
        for start in range(0, len(ids), CHUNK):
            mine = REQUEST.c.customer_id.in_(ids[start : start + CHUNK])
            for row in connection.execute(select(REQUEST).where(mine)):
                requests[row.customer_id].append(row)
        return cls(_digests(connection, ids), in_force(connection, ids), requests)

    def judge(self, choice: Choice) -> "Choice | _Waits":
        """In force as it is, perhaps by an address confirmed before; or to be confirmed."""
        if choice.channel != CHANNEL or not choice.granted:
            return choice
        key, digest = _key(choice), self.digests.get(choice.customer_id)
        if "confirmed_at" in (choice.proof or {}):
            return replace(choice, digest=digest)
        if self._asked(key, choice.at):
            return _Waits(choice, digest, "unchanged")
        if self._stands(key, choice.at, digest):
            return replace(choice, digest=self.consents[key].digest)
        return self.readdress(choice)

    def readdress(self, choice: Choice) -> "Choice | _Waits":
        """In force if the customer's address now was confirmed before; else to be confirmed."""
        key, digest = _key(choice), self.digests.get(choice.customer_id)
        at = self._confirmed_at(choice.customer_id, digest)
        if at is None:
            return _Waits(choice, digest, "changed" if key in self.consents else "created")
        proof = {**(choice.proof or {}), "address_confirmed_at": at.isoformat()}
        return replace(choice, proof=proof, digest=digest)

    def _asked(self, key: Key, at: datetime) -> bool:
        """This very yes was recorded before, or a later one waits."""
        own = self.requests.get(key[0], ())
        mine = [row for row in own if (row.customer_id, row.channel, row.purpose) == key]
        return any(row.at == at or (row.state == "open" and row.at > at) for row in mine)

    def _stands(self, key: Key, at: datetime, digest: str | None) -> bool:
        """A yes is in force for this address, or a later choice is: then this one is history."""
        row = self.consents.get(key)
        return row is not None and (row.at >= at or (row.granted and row.digest in (None, digest)))

    def _confirmed_at(self, customer_id: int, digest: str | None) -> datetime | None:
        times = [
            row.decided_at
            for row in self.requests.get(customer_id, ())
            if row.state == "confirmed" and row.digest == digest
        ]
        return max(times, default=None) if digest else None


def _ask(connection: Connection, waiting: Sequence[_Waits], at: datetime, *, live: bool) -> None:
    """Write down what waits, and a letter to each address."""
    in_order = sorted(waiting, key=lambda it: it.choice.at)
    fresh = {(it.choice.customer_id, it.choice.purpose): it for it in in_order if it.effect != "unchanged"}
    if not fresh:
        return
    before = pending(connection, sorted({customer_id for customer_id, _ in fresh}))
    replaced = [row.id for key, row in before.items() if (key[0], key[2]) in fresh]
    decide(connection, replaced, "replaced", at)
    rows = [
        {"customer_id": it.choice.customer_id, "channel": it.choice.channel, "purpose": it.choice.purpose,
         "digest": it.digest, "state": "open", "source": it.choice.source, "wording": it.choice.wording,
         "proof": dict(it.choice.proof or {}), "at": it.choice.at, "recorded_at": at}
        for it in fresh.values()
    ]  # fmt: skip
    connection.execute(insert(REQUEST), rows)
    wanted = {it.choice.customer_id: it.digest for it in fresh.values() if it.digest}
    if live:
        letters.plan(connection, [_letter(who, digest) for who, digest in sorted(wanted.items())], at)


def _letter(customer_id: int, digest: str) -> letters.Wanted:
    return letters.Wanted(customer_id, letters.DOUBLE_OPT_IN, CHANNEL, digest)


def _digests(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """The address of each that letters go to now: the newest one."""
    found: dict[int, str] = {}
    for start in range(0, len(ids), CHUNK):
        own = select(ADDRESS.c.customer_id, ADDRESS.c.digest).where(
            ADDRESS.c.customer_id.in_(ids[start : start + CHUNK]), ADDRESS.c.kind == KIND, ADDRESS.c.active
        )
        for row in connection.execute(own.order_by(ADDRESS.c.since, ADDRESS.c.id)):
            found[row.customer_id] = row.digest
    return found
