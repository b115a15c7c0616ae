"""Suppressions: one address a row that another sender has learned to leave alone."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection

from core.customers.suppressions import IMPORTED, READ, REASONS, Known, put, seen
from core.explain import suggest
from core.imports.kinds.base import Context, Effect, Kind, cell, must
from core.imports.values import moment, text


class Suppressions(Kind):
    """An address that is suppressed already stays so, for the reason that it has."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.time = partial(moment, zone=self.program.zone)
        # Of a trial: what would be there by now.
        self._tried: set[tuple[str, str]] = set()

    def fact(self, values: Mapping[str, Any]) -> Known:
        """The address as its digest: the file's own words are not kept."""
        channel = must(values, "channel", text)
        kinds = self.context.kinds
        if channel not in kinds:
            raise ValueError(f"'channel' has no addresses to suppress; {suggest(channel, kinds)}")
        kind = kinds[channel]
        address = READ[kind](must(values, "address", text))
        reason = (cell(values, "reason", text) or IMPORTED).lower()
        if reason not in REASONS:
            raise ValueError(f"there is no reason '{reason}'; {suggest(reason, REASONS)}")
        at = cell(values, "at", self.time) or self.context.recorded_at
        if at > self.context.recorded_at:
            raise ValueError("'at' has not come yet")
        return Known(channel, self.context.addresses.digest(kind, address), reason, at)

    def store(self, connection: Connection, facts: Sequence[Known]) -> list[Effect]:
        """Unless it is a trial; then what would become of them."""
        if not self.context.trial:
            return list(put(connection, facts))
        effects: list[Effect] = []
        for it, there in zip(facts, seen(connection, facts), strict=True):
            key = (it.channel, it.digest)
            effects.append("unchanged" if there or key in self._tried else "created")
            self._tried.add(key)
        return effects
