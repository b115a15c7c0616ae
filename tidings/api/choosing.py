"""What stands on the preference page, and what becomes of what a customer chose there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from campaigns.running import Running
from channels.base import CARD
from core.customers.addresses import THE_CUSTOMER, Answerable, address_of
from core.customers.consent import MARKETING, Choice, in_force
from core.customers.double_opt_in import ask_again, give, pending
from core.customers.proof import given, of_page
from core.customers.suppressions import BY_WILL, lift_own, reasons
from core.program import Program
from core.program.consent import words_in
from tidings.api.words import LANGUAGES, Words, masked, named
from tidings.suppressions import kinds
from wallet.holding import cards_of

BY_PAGE = "preference page"
# No address of the kind is known.
NOWHERE = "nowhere"
# Purpose and channel.
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One channel of a purpose; `note` says why nothing comes there, though the customer may want it."""

    channel: str
    title: str
    address: str | None
    granted: bool
    note: str | None


@dataclass(frozen=True, slots=True)
class Purpose:
    """What customers are asked about, in plain words; `field` is the name of its boxes in the form."""

    field: str
    title: str
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a customer has agreed to, what waits for their confirmation, and what stands in the way.

    `closed` are channels on which nothing reaches them, with the reason: a suppression's, or `NOWHERE`.
    """

    granted: frozenset[Place]
    waiting: frozenset[Place]
    closed: Mapping[str, str]

    @classmethod
    def of(cls, connection: Connection, customer_id: int) -> "Standing":
        """As it is now."""
        consents = in_force(connection, [customer_id]).values()
        granted = {(row.purpose, row.channel) for row in consents if row.granted}
        waiting = {(purpose, channel) for _, channel, purpose in pending(connection, [customer_id])}
        nowhere = {
            channel: NOWHERE
            for channel, kind in kinds().items()
            if address_of(connection, customer_id, kind) is None
        }
        closed = {**nowhere, **reasons(connection, kinds(), customer_id)}
        return cls(frozenset(granted), frozenset(waiting), closed)

    def wants(self, place: Place) -> bool:
        """The customer said yes, though perhaps they have not confirmed it yet.

        A complaint is a no of theirs, whatever the shop has said since: only they take it back.
        """
        said = place in self.granted or place in self.waiting
        return said and self.closed.get(place[1]) not in BY_WILL

    def waits(self, place: Place) -> bool:
        """A letter has been sent that they have yet to answer."""
        return place in self.waiting and place[1] not in self.closed

    def note(self, place: Place, words: Words) -> str | None:
        """Why nothing comes there, in words; None if it does, or if nobody wants it."""
        reason = self.closed.get(place[1])
        if reason is None:
            return words["wait_note"] if place in self.waiting else None
        if reason == NOWHERE:
            return words["nowhere_note"] if self.wants(place) else None
        return words["will_note" if reason in BY_WILL else "stop_note" if reason == "stop" else "closed_note"]


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
                    standing.wants((name, channel)), standing.note((name, channel), words))
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
    """Record what has changed; returns the word of the page that says what came of it.

    A yes of the customer's own ends what their own will began: a complaint, an unsubscription.
    """
    standing = Standing.of(connection, chosen.customer_id)
    changed = _changed(running, standing, chosen)
    choices = [_choice(running.program, chosen, place, now) for place in changed]
    _reopen(connection, chosen, changed, now)
    give(connection, running.program, choices, now, live=True)
    if chosen.nothing:
        return "choices_stopped"
    after = Standing.of(connection, chosen.customer_id)
    if any(after.waits(place) for place in chosen.wanted & standing.waiting):
        ask_again(connection, chosen.customer_id, now)
    if any(map(after.waits, chosen.wanted)):
        return "choices_asked"
    asked = chosen.wanted & (frozenset(changed) | after.waiting)
    return "choices_closed" if any(channel in after.closed for _, channel in asked) else "choices_saved"


def _reopen(connection: Connection, chosen: Chosen, changed: Sequence[Place], now: datetime) -> None:
    by = Answerable(THE_CUSTOMER, BY_PAGE)
    for channel in sorted({place[1] for place in changed if place in chosen.wanted} & kinds().keys()):
        lift_own(connection, kinds(), chosen.customer_id, channel, by, now)


def _changed(running: Running, standing: Standing, chosen: Chosen) -> list[Place]:
    """Stopping everything also ends what the page does not offer any more."""
    if chosen.nothing:
        return sorted(standing.granted | standing.waiting)
    names = (MARKETING, *running.program.consent.purposes)
    places = [(purpose, channel) for purpose in names for channel in offered(running)]
    return [place for place in places if (place in chosen.wanted) != standing.wants(place)]


def _choice(program: Program, chosen: Chosen, place: Place, now: datetime) -> Choice:
    """A yes is under the program's wording; a no keeps what the page asked, and no words of a yes."""
    purpose, channel = place
    if place in chosen.wanted and not chosen.nothing:
        wording = program.consent.version or None
        proof = of_page(program, BY_PAGE, chosen.url, chosen.spoken)
        return Choice(chosen.customer_id, channel, True, now, BY_PAGE, purpose, wording, proof)
    asked = LANGUAGES[chosen.spoken]["choices_none" if chosen.nothing else "choices_text"]
    proof = given(form=BY_PAGE, url=chosen.url, locale=chosen.spoken, text=asked)
    return Choice(chosen.customer_id, channel, False, now, BY_PAGE, purpose, proof=proof)
