"""Customers: one a row. An empty value leaves what is known as it is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

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

        Who names an inviter that may stand further down in the file waits.
        """
        waiting = set() if self.last else _too_early(connection, facts)
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


def _too_early(connection: Connection, facts: Sequence[Joining]) -> set[int]:
    """Which of them name an inviter who is neither known, nor among them, or there but too early as well."""
    friends: dict[str, list[int]] = {}
    for index, it in enumerate(facts):
        if it.referred_by:
            friends.setdefault(it.referred_by, []).append(index)
    known = find_inviters(connection, friends)
    here = Counter(name for it in facts for name in _names(it) if name in friends and name not in known)
    unknown = [name for name in friends if name not in known and not here[name]]
    early: set[int] = set()
    while unknown:
        for index in friends[unknown.pop()]:
            early.add(index)
            for name in _names(facts[index]) & here.keys():
                here[name] -= 1
                if not here[name]:
                    unknown.append(name)
    return early


def _names(fact: Joining) -> set[str]:
    """By what the file may call a customer who brought another."""
    return {name for name in (fact.profile.external_id, fact.profile.card) if name}


def _attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: cell(values, name, anything) for name in values if name.startswith(ATTRIBUTE)}
    if any(NUL in name for name in named):
        raise ValueError(f"the name of an attribute {NO_NUL}")
    return {name.removeprefix(ATTRIBUTE): value for name, value in named.items() if value is not None}
