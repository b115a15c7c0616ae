"""Customers: one a row. An empty value leaves what is known as it is."""

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from zlib import crc32

from sqlalchemy import Connection

from core.customers.profiles import Profile, Saved, checked, save
from core.grants.referral_grants import welcome_friends
from core.grants.referrals import Friendship, find_inviters, name_inviters
from core.imports.columns import ATTRIBUTE
from core.imports.kinds.base import LATER, Context, Effect, Kind, cell, must
from core.imports.values import NO_NUL, NUL, anything, day, moment, text
from core.ledger.lots import Refusal

TEXTS = ("card", "name", "phone", "email", "gender", "city", "locale", "time_zone")


@dataclass(frozen=True, slots=True)
class Joining:
    """A profile, and who brought the customer: the inviter's number, card or code."""

    profile: Profile
    referred_by: str | None = None


class Customers(Kind):
    """`customer` is the shop's own number, by which a person is known again."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.today = self.program.day_of(context.recorded_at)
        self.time = partial(moment, zone=self.program.zone)
        self._waiting = _Waiting()

    def turn(self, *, last: bool) -> None:
        """Nobody waits yet."""
        super().turn(last=last)
        self._waiting = _Waiting()

    def fact(self, values: Mapping[str, Any]) -> Joining:
        """A profile in its normal form."""
        profile = Profile(
            must(values, "customer", text),
            birthday=cell(values, "birthday", day),
            registered_at=cell(values, "registered_at", self.time),
            attributes=_attributes(values),
            **{name: cell(values, name, text) for name in TEXTS},
        )
        if profile.registered_at and profile.registered_at > self.context.recorded_at:
            raise ValueError("'registered_at' has not come yet")
        return Joining(checked(profile, self.today), cell(values, "referred_by", text))

    def store(self, connection: Connection, facts: Sequence[Joining]) -> list[Effect]:
        """New ones are created, known ones changed where they differ.

        Who names an inviter that may stand further down in the file waits, and so does what the file says
        of them below: of two rows the later one counts.
        """
        waiting = set() if self.last else _too_early(connection, facts, self._waiting)
        for index in waiting:
            self._waiting.add(facts[index].profile.external_id)
        now = [it for index, it in enumerate(facts) if index not in waiting]
        saved = iter(self._save(connection, now))
        return [LATER if index in waiting else next(saved) for index in range(len(facts))]

    def _save(self, connection: Connection, facts: Sequence[Joining]) -> list[Effect]:
        it, profiles = self.context, [fact.profile for fact in facts]
        saved = save(
            connection, it.program, it.addresses, profiles, it.recorded_at, live=it.live, source="import"
        )
        named = {
            index: (one.customer_id, fact.referred_by)
            for index, (one, fact) in enumerate(zip(saved, facts, strict=True))
            if fact.referred_by and not one.refusal
        }
        answers = name_inviters(connection, list(named.values()), it.recorded_at, live=it.live)
        answered = dict(zip(named, answers, strict=True))
        effects = [_effect(one, answered.get(index)) for index, one in enumerate(saved)]
        if it.live:
            friends = [saved[index].customer_id for index in named if effects[index] == "created"]
            welcome_friends(connection, it.program, friends, it.recorded_at, live=True)
        return effects


def _effect(saved: Saved, named: Friendship | Refusal | None) -> Effect:
    """What became of a customer; a refused inviter leaves them in, without one."""
    if saved.refusal or named is None:
        return saved.refusal or saved.effect
    if isinstance(named, Refusal):
        return Refusal(named.reason, f"'referred_by': {named.detail}")
    return "changed" if named.noted and saved.effect == "unchanged" else saved.effect


class _Waiting:
    """Who waits, by a bit for each of eight million numbers: of two with one number, both wait."""

    def __init__(self) -> None:
        self._bits = bytearray(1 << 20)

    def add(self, name: str) -> None:
        place, bit = divmod(crc32(name.encode()) >> 9, 8)
        self._bits[place] |= 1 << bit

    def __contains__(self, name: object) -> bool:
        place, bit = divmod(crc32(str(name).encode()) >> 9, 8)
        return bool(self._bits[place] >> bit & 1)


def _too_early(connection: Connection, facts: Sequence[Joining], waiting: Container[str]) -> set[int]:
    """Which of them name an inviter who is neither known, nor among them, or there but too early as well; or
    are told of somebody who waits.
    """
    friends, rows = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for index, it in enumerate(facts):
        rows[it.profile.external_id].append(index)
        if it.referred_by:
            friends[it.referred_by].append(index)
    known = find_inviters(connection, friends)
    here = Counter(name for it in facts for name in _names(it) if name in friends and name not in known)
    late = [index for name in friends if name not in known and not here[name] for index in friends[name]]
    late += [index for name in rows if name in waiting for index in rows[name]]
    early: set[int] = set()
    while late:
        if (index := late.pop()) in early:
            continue
        early.add(index)
        late += [it for it in rows[facts[index].profile.external_id] if it > index]
        for name in _names(facts[index]) & here.keys():
            here[name] -= 1
            late += friends[name] if not here[name] else []
    return early


def _names(fact: Joining) -> set[str]:
    """By what the file may call a customer who brought another."""
    return {name for name in (fact.profile.external_id, fact.profile.card) if name}


def _attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: cell(values, name, anything) for name in values if name.startswith(ATTRIBUTE)}
    if any(NUL in name for name in named):
        raise ValueError(f"the name of an attribute {NO_NUL}")
    return {name.removeprefix(ATTRIBUTE): value for name, value in named.items() if value is not None}
