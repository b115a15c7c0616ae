"""What stands on the preference page, and what becomes of what a customer chose there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from campaigns.running import Running
from channels.base import CARD
from core.customers.addresses import address_of
from core.customers.consent import MARKETING, Choice, in_force
from core.customers.double_opt_in import ask_again, give, pending
from core.customers.proof import of_page
from core.program import Program
from core.program.consent import words_in
from tidings.api.words import Words, masked, named
from wallet.holding import cards_of

BY_PAGE = "preference page"
# Purpose and channel.
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One channel of a purpose. `waits` for its letter: the customer wants it, and it is not in force."""

    channel: str
    title: str
    address: str | None
    granted: bool
    waits: bool


@dataclass(frozen=True, slots=True)
class Purpose:
    """What customers are asked about, in plain words; `field` is the name of its boxes in the form."""

    field: str
    title: str
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a customer has agreed to, and what waits for their confirmation."""

    granted: frozenset[Place]
    waiting: frozenset[Place]

    @classmethod
    def of(cls, connection: Connection, customer_id: int) -> "Standing":
        """As it is now."""
        consents = in_force(connection, [customer_id]).values()
        granted = {(row.purpose, row.channel) for row in consents if row.granted}
        waiting = {(purpose, channel) for _, channel, purpose in pending(connection, [customer_id])}
        return cls(frozenset(granted), frozenset(waiting))

    def wants(self, place: Place) -> bool:
        """The customer said yes, though perhaps they have not confirmed it yet."""
        return place in self.granted or place in self.waiting


def purposes(
    connection: Connection, running: Running, customer_id: int, words: Words, spoken: str
) -> list[Purpose]:
    """Every purpose with every channel that the program uses."""
    standing = Standing.of(connection, customer_id)
    addresses = _addresses(connection, customer_id, words)
    titles = {MARKETING: words["purpose_marketing"]}
    titles |= {
        name: words_in(text, spoken, running.program.locale)
        for name, text in running.program.consent.purposes.items()
    }
    return [
        Purpose(
            field_of(name), title,
            [
                Row(channel, named(words, channel), addresses.get(running.kinds[channel]),
                    standing.wants((name, channel)), (name, channel) in standing.waiting)
                for channel in offered(running)
            ],
        )
        for name, title in titles.items()
    ]  # fmt: skip


def _addresses(connection: Connection, customer_id: int, words: Words) -> dict[str, str | None]:
    """What stands under a channel's name, by the kind of its address: people do not know the number of their
    chat, nor the token of their device.
    """
    shown = {kind: masked(address_of(connection, customer_id, kind)) for kind in ("email", "phone")}
    joined = address_of(connection, customer_id, "telegram") is not None
    held = bool(cards_of(connection, [customer_id]))
    return {
        **shown,
        "telegram": words["chat_joined" if joined else "chat_none"],
        CARD: words["card_held" if held else "card_not_held"],
    }


def field_of(purpose: str) -> str:
    """The name of a purpose's boxes."""
    return "channel" if purpose == MARKETING else f"channel.{purpose}"


def offered(running: Running) -> list[str]:
    """The channels that the program uses; every channel if it names none."""
    known = list(running.kinds)
    return [name for name in known if name in running.program.channels] or known


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a form says: the places that are wanted, or that nothing is. `url` is the page's, without its
    token; `spoken` the language in which it was shown.
    """

    customer_id: int
    wanted: frozenset[Place]
    nothing: bool
    url: str
    spoken: str


def keep(connection: Connection, running: Running, chosen: Chosen, now: datetime) -> str:
    """Record what has changed; returns the word of the page that says what came of it."""
    standing = Standing.of(connection, chosen.customer_id)
    changed = _changed(running, standing, chosen)
    proof = of_page(running.program, BY_PAGE, chosen.url, chosen.spoken)
    choices = [_choice(running.program, chosen, place, now, proof) for place in changed]
    give(connection, running.program, choices, now, live=True)
    if chosen.nothing:
        return "choices_stopped"
    if chosen.wanted & standing.waiting:
        ask_again(connection, chosen.customer_id, now)
    waits = Standing.of(connection, chosen.customer_id).waiting & chosen.wanted
    return "choices_asked" if waits else "choices_saved"


def _changed(running: Running, standing: Standing, chosen: Chosen) -> list[Place]:
    """Stopping everything also ends what the page does not offer any more."""
    if chosen.nothing:
        return sorted(standing.granted | standing.waiting)
    names = (MARKETING, *running.program.consent.purposes)
    places = [(purpose, channel) for purpose in names for channel in offered(running)]
    return [place for place in places if (place in chosen.wanted) != standing.wants(place)]


def _choice(program: Program, chosen: Chosen, place: Place, now: datetime, proof: dict[str, Any]) -> Choice:
    purpose, channel = place
    granted = place in chosen.wanted and not chosen.nothing
    wording = program.consent.version or None
    return Choice(chosen.customer_id, channel, granted, now, BY_PAGE, purpose, wording, proof)
