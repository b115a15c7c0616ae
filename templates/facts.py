"""What is known of the customers of a batch, for their messages and cards: a handful of queries a batch."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, literal, select

from core.customers.chats import NEVER, bot_of, marks
from core.db import UtcDateTime
from core.db.hot import Many
from core.db.sets import among
from core.letters import one_line
from core.links import Links
from core.program import Program
from core.tables import Customer, CustomerStats, Lot
from core.tiers import Progress, Standing, discount_of, progress_of
from templates.context import FIELDS, VIEWS, CustomerView, ExpiringView, LinksView, ProgramView, TierView

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]
STATS = CustomerStats.__table__  # type: ignore[attr-defined]
# A member of a household sees the bonuses that all of them share.
HOLDER = func.coalesce(CUSTOMER.c.household_id, CUSTOMER.c.id)

Context = dict[str, Any]
EVERYTHING: frozenset[str] = frozenset({*VIEWS, "balance"})


class _Person(NamedTuple):
    """A customer's row."""

    id: int
    external_id: str
    name: str | None
    phone: str | None
    email: str | None
    birthday: date | None
    gender: str | None
    city: str | None
    locale: str | None
    time_zone: str | None
    card: str | None
    registered_at: datetime | None
    attributes: Mapping[str, object]
    tier: str | None
    tier_since: datetime | None
    invited_to: str | None


_PEOPLE = Many(*(CUSTOMER.c[name] for name in _Person._fields), tail="FROM customer WHERE id {ids}")
# Debts count against what may be spent.
_USABLE = Many(
    ("usable.customer_id", CUSTOMER.c.id), ("usable.balance", LOT.c.remaining),
    tail="FROM (SELECT customer.id AS customer_id, SUM(CASE WHEN lot.remaining < 0 OR (lot.active_from <= {} "
    "AND (lot.expires_at IS NULL OR lot.expires_at > {})) THEN lot.remaining ELSE 0 END) AS balance "
    "FROM customer JOIN lot ON lot.customer_id = COALESCE(customer.household_id, customer.id) "
    "WHERE customer.id {ids} AND lot.remaining <> 0 GROUP BY customer.id) AS usable",
)  # fmt: skip
# What the amounts of a program's levels are, by its measure.
UNITS = {"spend": "money", "points": "points", "purchases": "purchases", "invitation": "money"}


def contexts(
    connection: Connection, program: Program, customer_ids: Sequence[int], at: datetime, links: Links,
    names: Collection[str] = EVERYTHING,
) -> dict[int, Context]:  # fmt: skip
    """The template context of each customer at a time, without `trigger`; templates.context has its shape.

    `names` are those that are wanted: what no template speaks of need not be found out.
    """
    ids = sorted(set(customer_ids))
    people = [_Person._make(row) for row in _PEOPLE(connection, ids)]
    found: dict[int, Context] = {row.id: {} for row in people}
    for name, values in _wanted(connection, program, people, at, links, names):
        for customer_id, value in values.items():
            found[customer_id][name] = value
    return found


def _wanted(
    connection: Connection, program: Program, people: "Sequence[_Person]", at: datetime, links: Links,
    names: Collection[str],
) -> Iterator[tuple[str, Mapping[int, Any]]]:  # fmt: skip
    """Each name with its value for each customer."""
    ids = [row.id for row in people]
    if "customer" in names:
        yield "customer", {row.id: OwnProfile(row) for row in people}
    if "program" in names:
        programs = {locale: _program(program, locale) for locale in {row.locale for row in people}}
        yield "program", {row.id: programs[row.locale] for row in people}
    if "balance" in names:
        balances = _balances(connection, ids, at)
        yield "balance", {i: program.from_points(balances.get(i, 0)) for i in ids}
    if "tier" in names:
        yield "tier", _tiers(connection, program, people, at)
    if "expiring" in names:
        expiring = _expiring(connection, program, ids, at)
        dates = {i: ExpiringView(program.from_points(amount), day) for i, (amount, day) in expiring.items()}
        yield "expiring", dict.fromkeys(ids, ExpiringView()) | dates
    if "links" in names:
        bot = bot_of(program)
        joined = marks(connection, ids) if bot else {}
        yield "links", {i: OwnLinks(links, i, bot, joined.get(i, NEVER)) for i in ids}


def _tiers(
    connection: Connection, program: Program, people: "Sequence[_Person]", at: datetime
) -> dict[int, TierView]:
    standings = {row.id: Standing(row.tier, row.tier_since, row.invited_to) for row in people}
    progress = progress_of(connection, program, standings, at)
    spent = _spent_ever(connection, program, list(standings))
    return {row.id: tier_view(program, progress[row.id], spent.get(row.id, 0)) for row in people}


def _balances(connection: Connection, ids: Sequence[int], at: datetime) -> dict[int, int]:
    return {customer_id: max(0, int(balance)) for customer_id, balance in _USABLE(connection, at, at, ids)}


def _expiring(
    connection: Connection, program: Program, ids: Sequence[int], at: datetime
) -> dict[int, tuple[int, date]]:
    statement = (
        select(CUSTOMER.c.id, LOT.c.expires_on, func.sum(LOT.c.remaining))
        .join(LOT, LOT.c.customer_id == HOLDER)
        # Said twice: the index of a customer's open lots serves only what asks for its very condition.
        .where(among(CUSTOMER.c.id, ids), LOT.c.remaining != 0, LOT.c.remaining > 0)
        .where(LOT.c.expires_on >= program.day_of(at))
        .where(LOT.c.active_from <= literal(at, UtcDateTime))
        .group_by(CUSTOMER.c.id, LOT.c.expires_on)
        .order_by(LOT.c.expires_on.desc())
    )
    # The nearest day comes last and stays.
    return {customer_id: (int(amount), day) for customer_id, day, amount in connection.execute(statement)}


def _spent_ever(connection: Connection, program: Program, ids: Sequence[int]) -> dict[int, int]:
    """Minor units of a whole life, where a discount depends on them."""
    if not program.discount_steps:
        return {}
    statement = select(STATS.c.customer_id, STATS.c.spent).where(among(STATS.c.customer_id, ids))
    return {row.customer_id: row.spent for row in connection.execute(statement)}


def tier_view(program: Program, progress: Progress, spent_ever: int) -> TierView:
    """A tier with the way to the next one; `spent_ever` in minor units."""

    def whole(amount: int | None) -> Decimal | None:
        return None if amount is None else program.in_whole(amount)

    return TierView(
        name=progress.level,
        earn=program.level(progress.level).earn * 100,
        next=progress.following,
        missing=whole(progress.missing),
        since=program.day_of(progress.since) if progress.since else None,
        until=progress.until,
        to_keep=whole(progress.to_keep),
        keep_by=progress.keep_by,
        have=program.in_whole(progress.have),
        unit=UNITS[program.tiers.measure],
        kept_by=progress.kept_by,
        discount=discount_of(program, progress.level, spent_ever) * 100,
    )


class OwnProfile:
    """A `CustomerView` that looks into the customer's row when a template asks."""

    __slots__ = ("_row",)

    def __init__(self, row: _Person) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)

    @property
    def name(self) -> str | None:
        """In one line, also where it was kept before names were."""
        return self._row.name and one_line(self._row.name)

    @property
    def first_name(self) -> str | None:
        """The first word of the name; None where the name is all blanks."""
        return next(iter((self.name or "").split(None, 1)), None)

    @property
    def card(self) -> str:
        """The number on the card."""
        return self._row.card or self._row.external_id


def _program(program: Program, locale: str | None) -> ProgramView:
    terms = program.terms_in(locale or program.locale)
    return ProgramView(name=program.name, currency=program.currency, terms=terms, url=program.url)


class OwnLinks:
    """A `LinksView` whose links are signed when a template asks for them."""

    def __init__(
        self, links: Links, customer_id: int, bot: str | None, joined: int, channel: str = "email"
    ) -> None:
        self._links, self._customer, self._bot, self._joined = links, customer_id, bot, joined
        self._channel = channel

    def by(self, channel: str) -> "OwnLinks":
        """Those of a message by this channel."""
        if channel == self._channel:
            return self
        return OwnLinks(self._links, self._customer, self._bot, self._joined, channel)

    @cached_property
    def unsubscribe(self) -> str:
        """One-click unsubscription from the channel that the message goes by."""
        return self._links.unsubscribe(self._customer, self._channel)

    @cached_property
    def preferences(self) -> str:
        """The customer's own choices."""
        return self._links.preferences(self._customer)

    @cached_property
    def card(self) -> str:
        """The page with the card."""
        return self._links.card(self._customer)

    @cached_property
    def card_short(self) -> str:
        """The same page in fewer characters."""
        return self._links.card_short(self._customer)

    @cached_property
    def telegram(self) -> str | None:
        """Opens the bot; None where the program has none."""
        if not self._bot:
            return None
        return self._links.telegram(self._bot.removeprefix("@"), self._customer, self._joined)


FIELDS[OwnLinks] = FIELDS[LinksView]
FIELDS[OwnProfile] = FIELDS[CustomerView]


def with_trigger(context: Context, facts: Mapping[str, Any], channel: str) -> Context:
    """The context of one message: the customer's, the facts of the trigger, and its channel's way out."""
    whole = {**context, "trigger": facts}
    if isinstance(links := context.get("links"), OwnLinks):
        whole["links"] = links.by(channel)
    return whole
