"""Consent: customer × channel × purpose, with its history in the events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select, update

from core.db import upsert
from core.events import EVENT, Happening, append
from core.ledger.book import CHUNK
from core.tables import Consent, ConsentRequest, Customer

CONSENT = Consent.__table__  # type: ignore[attr-defined]
CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
REQUEST = ConsentRequest.__table__  # type: ignore[attr-defined]
KINDS = {True: "consent_given", False: "consent_withdrawn"}
Key = tuple[int, str, str]
MARKETING = "marketing"
# The source of a refusal that delivery heard of as it sent: the provider no longer takes messages for them.
BY_PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a customer said: may we write to them on this channel for this purpose?

    `wording` is the version of the words that they were shown, `proof` what else shows that they said so
    (core.customers.proof), `digest` that of the address which they confirmed it from.
    """

    customer_id: int
    channel: str
    granted: bool
    at: datetime
    source: str
    purpose: str = MARKETING
    wording: str | None = None
    proof: Mapping[str, Any] | None = field(default=None, repr=False)
    digest: str | None = field(default=None, repr=False)


def choose(
    connection: Connection, choices: Sequence[Choice], recorded_at: datetime, *, live: bool
) -> list[str]:
    """Record choices; for one customer, channel and purpose the latest by its own time stays in force. Of two
    choices of one moment that is the one that comes last, of history the refusal: a file often knows no more
    than the day.

    A no ends what waits for its letter, whoever says it and whatever the program asks for by now.
    What became of each, in their order: `created`, `changed`, or `unchanged` for one recorded before.
    """
    choices = meant(connection, choices)
    said = in_force(connection, sorted({it.customer_id for it in choices}))
    before = {key: row.at for key, row in said.items()}
    # Only a choice that is no newer than the one in force can have been recorded before.
    late = sorted({it.customer_id for it in choices if _key(it) in before and it.at <= before[_key(it)]})
    known = _recorded(connection, late)
    known_keys = set(before)
    effects, fresh = [], []
    for choice in choices:
        if _mark(choice) in known:
            effects.append("unchanged")
            continue
        effects.append("changed" if _key(choice) in known_keys else "created")
        known.add(_mark(choice))
        known_keys.add(_key(choice))
        fresh.append(choice)
    _keep(connection, fresh if live else _refusals_last(fresh, said))
    happenings = [Happening(it.customer_id, KINDS[it.granted], it.at, it.channel, _told(it)) for it in fresh]
    append(connection, happenings, recorded_at, live=live)
    end_waiting(connection, choices, recorded_at)
    return effects


def meant(connection: Connection, choices: Sequence[Choice]) -> Sequence[Choice]:
    """The choices, their customers held; those of who was merged meanwhile are the survivor's."""
    ids = sorted({it.customer_id for it in choices})
    hold(connection, ids)
    survivors: dict[int, int] = {}
    for start in range(0, len(ids), CHUNK):
        some = CUSTOMER.c.id.in_(ids[start : start + CHUNK]) & CUSTOMER.c.merged_into.is_not(None)
        rows = connection.execute(select(CUSTOMER.c.id, CUSTOMER.c.merged_into).where(some))
        survivors |= {row.id: row.merged_into for row in rows}
    if not survivors:
        return choices
    hold(connection, sorted(set(survivors.values())))
    return [replace(it, customer_id=survivors.get(it.customer_id, it.customer_id)) for it in choices]


def end_waiting(connection: Connection, choices: Sequence[Choice], at: datetime) -> None:
    """A no ends what waits for its letter, unless that yes was said later."""
    said: dict[Key, datetime] = {}
    for it in choices:
        if not it.granted:
            said[_key(it)] = max(it.at, said.get(_key(it), it.at))
    gone = [row.id for key, row in pending(connection, sorted({key[0] for key in said})).items()
            if key in said and row.at <= said[key]]  # fmt: skip
    decide(connection, gone, "withdrawn", at)


def pending(connection: Connection, ids: Sequence[int]) -> dict[Key, Any]:
    """What waits for its letter, as rows."""
    found = {}
    for start in range(0, len(ids), CHUNK):
        mine = REQUEST.c.customer_id.in_(ids[start : start + CHUNK]) & (REQUEST.c.state == "open")
        for row in connection.execute(select(REQUEST).where(mine).order_by(REQUEST.c.id)):
            found[row.customer_id, row.channel, row.purpose] = row
    return found


def decide(connection: Connection, ids: Sequence[int], state: str, at: datetime) -> None:
    """What becomes of requests (`core.tables.ConsentRequest`)."""
    for start in range(0, len(ids), CHUNK):
        mine = update(REQUEST).where(REQUEST.c.id.in_(ids[start : start + CHUNK]))
        connection.execute(mine.values(state=state, decided_at=at))


def hold(connection: Connection, ids: Sequence[int]) -> None:
    """Keep other writers off the choices of these customers until the transaction ends."""
    for start in range(0, len(ids), CHUNK):
        some = select(CUSTOMER.c.id).where(CUSTOMER.c.id.in_(ids[start : start + CHUNK]))
        connection.execute(some.order_by(CUSTOMER.c.id).with_for_update(key_share=True))


def _told(choice: Choice) -> dict[str, Any]:
    """What the history keeps of a choice."""
    told: dict[str, Any] = {"purpose": choice.purpose, "source": choice.source}
    if choice.wording:
        told["wording"] = choice.wording
    return told | ({"proof": dict(choice.proof)} if choice.proof else {})


def _refusals_last(choices: Sequence[Choice], said: Mapping[Key, Any]) -> Sequence[Choice]:
    """Without each yes of the very moment of a no that is in force; of the others the yeses first."""
    noes = {(key, row.at) for key, row in said.items() if not row.granted}
    left = [it for it in choices if not it.granted or (_key(it), it.at) not in noes]
    return sorted(left, key=lambda it: not it.granted)


def _keep(connection: Connection, choices: Sequence[Choice]) -> None:
    latest: dict[Key, Choice] = {}
    for choice in sorted(choices, key=lambda it: it.at):
        latest[_key(choice)] = choice
    rows = [
        {"customer_id": it.customer_id, "channel": it.channel, "purpose": it.purpose,
         "granted": it.granted, "at": it.at, "source": it.source, "wording": it.wording,
         "proof": dict(it.proof) if it.proof else None, "digest": it.digest}
        for _, it in sorted(latest.items())
    ]  # fmt: skip
    if rows:
        keys = ["customer_id", "channel", "purpose"]
        columns = ["granted", "at", "source", "wording", "proof", "digest"]
        # A choice that arrives late does not undo a later one.
        connection.execute(upsert(connection, CONSENT, keys, columns, newer="at"), rows)


def _key(choice: Choice) -> Key:
    return choice.customer_id, choice.channel, choice.purpose


def _mark(choice: Choice) -> tuple[Key, datetime, bool]:
    return _key(choice), choice.at.astimezone(UTC), choice.granted


def in_force(connection: Connection, ids: Sequence[int]) -> dict[Key, Any]:
    """The choices in force, as their rows."""
    found: dict[Key, Any] = {}
    for start in range(0, len(ids), CHUNK):
        some = select(CONSENT).where(CONSENT.c.customer_id.in_(ids[start : start + CHUNK]))
        for row in connection.execute(some).all():
            found[row.customer_id, row.channel, row.purpose] = row
    return found


def _recorded(connection: Connection, ids: Sequence[int]) -> set[tuple[Key, datetime, bool]]:
    """Every choice that these customers made before, from the stream of events."""
    found = set()
    kinds = {kind: granted for granted, kind in KINDS.items()}
    for start in range(0, len(ids), CHUNK):
        chunk = EVENT.c.customer_id.in_(ids[start : start + CHUNK]) & EVENT.c.kind.in_(kinds)
        columns = (EVENT.c.customer_id, EVENT.c.subject, EVENT.c.data, EVENT.c.at, EVENT.c.kind)
        for row in connection.execute(select(*columns).where(chunk)):
            key = (row.customer_id, row.subject, row.data.get("purpose", MARKETING))
            found.add((key, row.at, kinds[row.kind]))
    return found
