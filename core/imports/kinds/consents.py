"""Consents: one choice of one customer a row; a customer's history may come in any order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection

from core.customers.consent import MARKETING, Choice
from core.customers.double_opt_in import give
from core.customers.holders import people
from core.customers.proof import given
from core.explain import suggest
from core.imports.kinds.base import Context, Effect, Kind, cell, must
from core.imports.values import moment, text, yes_no
from core.ledger.lots import Refusal

# The columns of a proof, and its parts.
PROOF = {
    "form": "form", "url": "url", "language": "locale", "text": "text", "ip": "ip",
    "user_agent": "user_agent",
}  # fmt: skip


class Said(NamedTuple):
    """A choice of a customer who is still known by the shop's number."""

    customer: str
    choice: Choice


class Consents(Kind):
    """The latest choice by its own time is the one in force."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.time = partial(moment, zone=self.program.zone)

    def fact(self, values: Mapping[str, Any]) -> Said:
        """A choice; the customer's id follows when it is stored."""
        channel = must(values, "channel", text)
        if channel not in self.program.channels:
            raise ValueError(f"'channel' is none of program.yaml; {suggest(channel, self.program.channels)}")
        purpose = cell(values, "purpose", text) or MARKETING
        purposes = (MARKETING, *self.program.consent.purposes)
        if purpose not in purposes:
            # A refusal for what nobody ever asks would be none.
            raise ValueError(f"'purpose' is none of program.yaml; {suggest(purpose, purposes)}")
        at = must(values, "at", self.time)
        if at > self.context.recorded_at:
            raise ValueError("'at' has not come yet")
        choice = Choice(
            0,
            channel,
            must(values, "granted", yes_no),
            at,
            cell(values, "source", text) or "import",
            purpose,
            cell(values, "wording", text),
            self._proof(values),
        )
        return Said(must(values, "customer", text), choice)

    def _proof(self, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        found = {name: cell(values, column, text) for column, name in PROOF.items()}
        confirmed = cell(values, "confirmed_at", self.time)
        return given(**found, confirmed_at=confirmed.isoformat() if confirmed else None) or None

    def store(self, connection: Connection, facts: Sequence[Said]) -> list[Effect]:
        """Choices of customers who are not there are refused."""
        found = people(connection, {said.customer for said in facts})
        ids = {name: person.id for name, person in found.items()}
        known = [replace(it.choice, customer_id=ids[it.customer]) for it in facts if it.customer in ids]
        context = self.context
        effects = iter(give(connection, self.program, known, context.recorded_at, live=context.live))
        return [next(effects) if said.customer in ids else _unknown(said) for said in facts]


def _unknown(said: Said) -> Refusal:
    return Refusal("unknown_customer", f"no customer {said.customer!r}; import customers first")
