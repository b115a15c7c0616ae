"""Proofs: a scenario's messages sent to oneself, as any customer would read them, and counted nowhere.

A proof leaves no row in the outbox, takes no allowance and no place in any statistics. Its links are of
nobody: what they name is no customer's token.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Any

from sqlalchemy import Connection, select

from campaigns.explaining.words import LANGUAGES, phrasebook
from campaigns.running import Running
from campaigns.scenario import Scenario, Step
from campaigns.tables import Enrolment
from channels import Outcome, Outgoing, create, discover
from channels.base import CARD, NO_ADDRESS
from core.customers.chats import NEVER, bot_of
from core.customers.profiles import find
from core.errors import UserError
from core.links import PROOF, Links
from core.program import Program
from templates.context import LinksView
from templates.facts import contexts, with_trigger
from tidings.samples import ordinary_context, ordinary_facts
from tidings.workspace import Workspace
from triggers import discover as discover_triggers
from wallet.holding import cards_of

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]

_LATIN = "Proof"
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_BANNER = (
    '<div style="background:#b00020;color:#ffffff;font:bold 14px/1.4 sans-serif;padding:10px 16px;'
    'text-align:center">{}</div>'
)


class ProofLinks(Links):
    """Links that look like a customer's and act on nobody: the page behind each says that this is a test."""

    def unsubscribe(self, customer_id: int, channel: str) -> str:
        """Withdraws nothing."""
        return f"{self.public_url}/u/{channel}/{PROOF}"

    def preferences(self, customer_id: int) -> str:
        """Nobody's choices."""
        return f"{self.public_url}/p/{PROOF}"

    def card(self, customer_id: int) -> str:
        """Nobody's card."""
        return f"{self.public_url}/c/{PROOF}"

    def card_short(self, customer_id: int) -> str:
        """Nobody's card, as long as somebody's."""
        return f"{self.public_url}/k/{PROOF}"

    def telegram(self, bot: str, customer_id: int, before: int) -> str:
        """Joins nobody."""
        return f"https://t.me/{bot}?start={PROOF}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be proved: `to` are addresses, `customer` whose message it is (None: an invented one's)."""

    scenario: Scenario
    to: Sequence[str]
    customer: str | None = None
    locale: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """One message of one step, on one channel; `problem` says why it could not be put into words."""

    step: str
    message: str
    channel: str
    locale: str = ""
    outgoing: Outgoing | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Whose message it is: what templates may use, and what the trigger found out."""

    context: Mapping[str, Any]
    facts: Mapping[str, Any]
    locale: str | None


def proofs(here: Workspace, running: Running, wanted: Wanted, at: datetime) -> list[Proof]:
    """Every message of the scenario on every channel that an address was given for, rendered and marked.

    UserError where no address fits any channel.
    """
    links = here.links(running.program)
    person = _person(here, running, wanted, ProofLinks(links.public_url, links.secret, links.earlier), at)
    locale = wanted.locale or person.locale
    addresses = _cards(here, running, addresses_for(running, wanted))
    return [
        _proof(running, wanted, person, locale, step, message, channel, addresses[channel], at)
        for step in wanted.scenario.steps
        for message in step.messages
        for channel in _channels(step, wanted)
        if channel in addresses and running.library.has(message, channel, locale)
    ]


def addresses_for(running: Running, wanted: Wanted) -> dict[str, str]:
    """Channel → the address that fits it: an @ is email's, a + a phone's, digits a Telegram chat's."""
    by_kind = {_kind(each): each for each in wanted.to}
    if wanted.channel and wanted.to:
        # No address looks like a customer's number: it is meant where such a channel is asked for by name.
        by_kind |= {NO_ADDRESS: wanted.to[0], CARD: wanted.to[0]}
    channels = {name for step in wanted.scenario.steps for name in _channels(step, wanted)}
    found = {
        name: by_kind[running.kinds[name]] for name in sorted(channels) if running.kinds[name] in by_kind
    }
    if not found:
        kinds = {name: running.kinds[name] for name in sorted(channels)}
        needed = ", ".join(f"{name} ({_EXAMPLES.get(kind, kind)})" for name, kind in kinds.items())
        raise UserError(f"no --to is an address for {needed or 'a channel'} of '{wanted.scenario.name}'")
    return found


_EXAMPLES = {
    "email": "me@example.com",
    "phone": "+380501234567",
    "push": "a device token",
    "telegram": "a chat's number",
    NO_ADDRESS: "a customer's number, with --channel",
    CARD: "your own customer's number, with --channel",
}


def _cards(here: Workspace, running: Running, addresses: Mapping[str, str]) -> dict[str, str]:
    """The same, with the serial of the pass in place of who has it: a proof stands on no other card.

    UserError if their card is in no wallet.
    """
    found = dict(addresses)
    for name in (name for name in addresses if running.kinds[name] == CARD):
        with here.database.read() as connection:
            row = find(connection, addresses[name])
            cards = cards_of(connection, [row.id]) if row else {}
        if not cards:
            raise UserError(
                f"no customer '{addresses[name]}' has the card in a wallet; add your card on a phone, and "
                f"write your number: --channel {name} --to NUMBER"
            )
        [found[name]] = cards.values()
    return found


def _kind(address: str) -> str:
    if "@" in address:
        return "email"
    if address.startswith("+"):
        return "phone"
    return "telegram" if address.isdecimal() else "push"


def _channels(step: Step, wanted: Wanted) -> Iterator[str]:
    return (name for name in step.send if wanted.channel in (None, name))


# --- whose message it is


def _person(here: Workspace, running: Running, wanted: Wanted, links: ProofLinks, at: datetime) -> Person:
    trigger, program = discover_triggers()[wanted.scenario.trigger], running.program
    invented = ordinary_facts(program, trigger.facts, at)
    if wanted.customer is None:
        bot = bot_of(program)
        joining = links.telegram(bot, 0, NEVER) if bot else None
        card, short = links.card(0), links.card_short(0)
        views = LinksView(links.unsubscribe(0, "email"), links.preferences(0), card, joining, short)
        return Person(ordinary_context(program, views, at), invented, None)
    with here.database.read() as connection:
        row = find(connection, wanted.customer)
        if row is None:
            raise UserError(
                f"there is no customer '{wanted.customer}'; write an external id, card, phone or email"
            )
        context = contexts(connection, program, [row.id], at, links)[row.id]
        stored = _stored(connection, wanted.scenario, row.id)
    # What an old reason said of them is no longer kept.
    facts = trigger.read(stored, program, at) if stored else invented
    return Person(context, facts, row.locale)


def _stored(connection: Connection, scenario: Scenario, customer: int) -> Mapping[str, Any] | None:
    """What the trigger found out when the customer last entered."""
    mine = (ENROLMENT.c.scenario == scenario.name, ENROLMENT.c.customer_id == customer)
    newest = select(ENROLMENT.c.facts).where(*mine).order_by(ENROLMENT.c.id.desc()).limit(1)
    return connection.scalar(newest)


# --- the words, and the mark


def _proof(
    running: Running, wanted: Wanted, person: Person, locale: str | None, step: Step, message: str,
    channel: str, to: str, at: datetime,
) -> Proof:  # fmt: skip
    scenario = wanted.scenario
    try:
        context = with_trigger(dict(person.context), person.facts, channel)
        rendered = running.library.render(message, channel, locale, context)
    except UserError as error:
        return Proof(step.id, message, channel, problem=str(error))
    links = context["links"]
    outgoing = Outgoing(
        # Another one each time: the same proof twice is wanted twice.
        key=f"{PROOF}.{scenario.name}.{step.id}.{message}.{channel}.{at:%Y%m%d%H%M%S%f}",
        to=to,
        parts=marked(rendered.parts, scenario.name, rendered.locale),
        purpose=scenario.purpose,
        at=at,
        tag=f"{PROOF}-{scenario.name}",
        unsubscribe_url=links.unsubscribe if scenario.purpose == "marketing" else None,
        pictures=running.library.pictures(message, rendered.locale),
        valid_until=at + timedelta(days=1),  # a proof does not stand on a card for long
    )
    return Proof(step.id, message, channel, rendered.locale, outgoing)


def marked(parts: Mapping[str, str], scenario: str, locale: str) -> dict[str, str]:
    """The parts with the mark of a proof: before the subject or title, above the page, before a text."""
    words = phrasebook(language_of(locale))["proof"]
    mark, banner = f"[{words['mark']}]", str(words["banner"]).format(scenario=scenario)
    found = dict(parts)
    for name in ("subject", "title"):
        if name in found:
            found[name] = f"{mark} {found[name]}"
    if html := found.get("html"):
        found["html"] = _under(_BANNER.format(escape(banner)), html)
    if "subject" in found:
        found["text"] = f"{banner}\n\n{found.get('text', '')}"
    elif text := found.get("text"):
        # An SMS has room for a word; one in Latin letters alone would grow many segments by another alphabet.
        found["text"] = f"{f'[{_LATIN}]' if text.isascii() else mark} {text}"
    return found


def _under(banner: str, html: str) -> str:
    body = _BODY.search(html)
    return html[: body.end()] + banner + html[body.end() :] if body else banner + html


def language_of(locale: str) -> str:
    """The phrasebook nearest to a locale; English where there is none."""
    base = locale.replace("_", "-").split("-")[0].lower()
    return base if base in LANGUAGES else "en"


# --- sending


def send(
    here: Workspace, program: Program, made: Sequence[Proof], *, validate: bool = False
) -> dict[str, Outcome]:
    """Send through the providers that are set up; key → outcome. EnvironmentFault for a missing account.

    With `validate` a provider that offers it is asked whether it would take the message; nothing leaves.
    """
    return asyncio.run(_send(here, program, made, validate))


async def _send(
    here: Workspace, program: Program, made: Sequence[Proof], validate: bool
) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    for name in discover():
        batch = [it.outgoing for it in made if it.outgoing and it.channel == name]
        if batch:
            config = _roomy(program.channels.get(name) or {})
            async with create(
                name, config, outbox_dir=here.outbox, env_file=here.env_file, board=here.board
            ) as channel:
                await (channel.validate if validate else channel.send)(batch, outcomes.__setitem__)
    return outcomes


def _roomy(config: Mapping[str, Any]) -> dict[str, Any]:
    """The mark may take a segment more than the text is allowed."""
    allowed = config.get("segments_at_most")
    more = {"segments_at_most": min(10, allowed + 1)} if isinstance(allowed, int) else {}
    return {**config, **more}
