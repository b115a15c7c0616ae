"""Customers: one a row. An empty value leaves what is known as it is."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection

from core.customers.profiles import Profile, checked, save
from core.imports.columns import ATTRIBUTE
from core.imports.kinds.base import Context, Effect, Kind, cell, must
from core.imports.values import day, moment, text

TEXTS = ("card", "name", "phone", "email", "gender", "city", "locale", "time_zone")


class Customers(Kind):
    """`customer` is the shop's own number, by which a person is known again."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.today = self.program.day_of(context.recorded_at)
        self.time = partial(moment, zone=self.program.zone)

    def fact(self, values: Mapping[str, Any]) -> Profile:
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
        return checked(profile, self.today)

    def store(self, connection: Connection, facts: Sequence[Profile]) -> list[Effect]:
        """New ones are created, known ones changed where they differ."""
        it = self.context
        saved = save(connection, it.program, it.addresses, facts, it.recorded_at, live=it.live)
        return [one.refusal or one.effect for one in saved]


def _attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: value for name, value in values.items() if name.startswith(ATTRIBUTE)}
    return {name.removeprefix(ATTRIBUTE): value for name, value in named.items() if value not in {None, ""}}
