"""Counting what a replay does: from its own tables, while it goes on and at its end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Table, and_, exists, func, literal, select

from campaigns.backtest.report import Arm, Backtest, GoalReached, calendar
from campaigns.gates import Step
from campaigns.gates.exits import made_since
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.short_links import as_long
from campaigns.staging import DEADLINE, put_deadlines
from campaigns.tables import Enrolment, Message
from campaigns.verdicts import verdicts
from channels import Outgoing
from channels.base import Channel
from core.db import UtcDateTime
from core.links import Links
from core.tables import Customer, Receipt
from templates.environment import RenderError
from templates.facts import Context, contexts, with_trigger
from triggers import discover

if TYPE_CHECKING:
    from campaigns.backtest.replay import Period
    from campaigns.backtest.world import World

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
# Of the paid messages of one moment so many are rendered; the cost of the others is reckoned from these.
PRICED = 25


class Tally:
    """Counts of each scenario of a replay."""

    def __init__(
        self, connection: Connection, running: Running, channels: Mapping[str, Channel[Any, Any, Any]],
        links: Links, since: datetime, world: "World", scenarios: Sequence[Scenario], period: "Period",
    ) -> None:  # fmt: skip
        self.connection, self.running, self.channels, self.links = connection, running, channels, links
        self.since = since
        self.found = {
            it.name: Backtest(
                it.name, 0, period.first, period.last, running.program.currency, world.drawn, world.everybody,
                days=calendar(period.first, period.last),
            )
            for it in scenarios
        }  # fmt: skip

    @property
    def messages(self) -> int:
        """So far, of all scenarios."""
        return sum(it.messages for it in self.found.values())

    def look(self, step: Step, passing: int, at: datetime) -> None:
        """One look at one step, before it is kept."""
        found = self.found[step.scenario.name]
        found.looks += 0 if step.index else 1
        if not step.index and passing > self.running.program.max_per_look:
            found.guarded.append((self._day(at), passing))

    def count(self, scenario: Scenario, at: datetime) -> None:
        """What left at this moment, and what it cost."""
        found = self.found[scenario.name]
        day = found.days[(self._day(at) - found.first).days]
        now = and_(self._sent(scenario), MESSAGE.c.accepted_at == literal(at, UtcDateTime))
        counted = select(MESSAGE.c.channel, func.count()).where(now).group_by(MESSAGE.c.channel)
        for channel, count in self.connection.execute(counted.order_by(MESSAGE.c.channel)).all():
            day.sent[channel] += count
            if self._is_paid(channel):
                day.cost += self._price(scenario, channel, count, now, at)
                found.estimated = found.estimated or count > PRICED

    def _day(self, at: datetime) -> date:
        return at.astimezone(self.running.program.zone).date()

    @staticmethod
    def _sent(scenario: Scenario) -> ColumnElement[bool]:
        return and_(MESSAGE.c.scenario == scenario.name, MESSAGE.c.state == "sent", MESSAGE.c.id > 0)

    # --- cost

    def _is_paid(self, channel: str) -> bool:
        """Whether the channel's class reckons a cost at all."""
        return type(self.channels[channel]).cost is not Channel.cost

    def _price(
        self, scenario: Scenario, channel: str, count: int, now: ColumnElement[bool], at: datetime
    ) -> Decimal:
        columns = (MESSAGE, CUSTOMER.c.external_id, CUSTOMER.c.locale.label("wanted"))
        rows = select(*columns).join(CUSTOMER, CUSTOMER.c.id == MESSAGE.c.customer_id)
        rows = rows.where(now, MESSAGE.c.channel == channel).order_by(MESSAGE.c.id).limit(PRICED)
        some = self.connection.execute(rows).all()
        found = contexts(
            self.connection, self.running.program, [it.customer_id for it in some], at, self.links
        )
        costs = sum((self._cost(scenario, row, found[row.customer_id], at) for row in some), Decimal(0))
        return costs * count / max(1, len(some))

    def _cost(self, scenario: Scenario, row: Any, context: Context, at: datetime) -> Decimal:
        """What one message costs; one that cannot be put into words would fail, and costs nothing."""
        program = self.running.program
        facts = discover()[scenario.trigger].read(row.facts, program, at)
        words = with_trigger(context, facts, row.channel) | as_long(program, row.channel, self.links)
        try:
            rendered = self.running.library.render(row.message, row.channel, row.wanted, words)
        except RenderError:
            return Decimal(0)
        outgoing = Outgoing(
            key=f"{scenario.name}.{row.external_id}", to=context["customer"].phone or "",
            parts=rendered.parts, purpose=scenario.purpose, at=at, tag=scenario.name, unsubscribe_url=None,
        )  # fmt: skip
        return self.channels[row.channel].cost(outgoing) or Decimal(0)

    # --- at the end

    def report(self, scenario: Scenario, version: int, until: datetime, notes: Sequence[str]) -> Backtest:
        """All that was counted."""
        found = self.found[scenario.name]
        found.version, found.notes = version, notes
        found.per_customer = self._per_customer(scenario, found.customers)
        entered = and_(ENROLMENT.c.scenario == scenario.name, ENROLMENT.c.id > 0)
        arms = select(ENROLMENT.c.arm, func.count()).where(entered).group_by(ENROLMENT.c.arm)
        counts = {arm: int(count) for arm, count in self.connection.execute(arms)}
        found.held_out = counts.get("holdout", 0)
        found.enrolled = sum(counts.values())
        found.verdicts = self._verdicts(scenario)
        found.goal = self._goal(scenario, until) if scenario.goal else None
        return found

    def _per_customer(self, scenario: Scenario, customers: int) -> Counter[int]:
        each = select(func.count().label("n")).where(self._sent(scenario)).group_by(MESSAGE.c.customer_id)
        counted = each.subquery("each")
        rows = self.connection.execute(select(counted.c.n, func.count()).group_by(counted.c.n))
        spread = Counter({int(n): int(people) for n, people in rows})
        silent = customers - sum(spread.values())
        return spread + Counter({0: silent})

    def _verdicts(self, scenario: Scenario) -> dict[str, Counter[str]]:
        def of(table: Table) -> ColumnElement[bool]:
            # Messages from before the replay have numbers below zero.
            own: ColumnElement[bool] = table.c.scenario == scenario.name
            return and_(own, table.c.id > 0) if "id" in table.c else own

        said = verdicts(of)
        counted = select(said.c.step, said.c.verdict, func.count())
        counted = counted.where(said.c.at >= literal(self.since, UtcDateTime))
        found: dict[str, Counter[str]] = {step.id: Counter() for step in scenario.steps}
        for step, verdict, count in self.connection.execute(counted.group_by(said.c.step, said.c.verdict)):
            found.setdefault(step, Counter())[verdict] += int(count)
        return found

    def _goal(self, scenario: Scenario, until: datetime) -> GoalReached:
        """Purchases within the time, of those who were told something and of those who were held out."""
        assert scenario.goal is not None
        within = scenario.goal.purchase.within
        own = and_(ENROLMENT.c.scenario == scenario.name, ENROLMENT.c.id > 0)
        times = self.connection.scalars(select(ENROLMENT.c.at).where(own).distinct()).all()
        put_deadlines(self.connection, {at: within.after(at, self.running.program.zone) for at in times})
        told = exists().where(MESSAGE.c.enrolment_id == ENROLMENT.c.id, MESSAGE.c.state == "sent")
        bought = exists().where(
            RECEIPT.c.customer_id == ENROLMENT.c.customer_id, made_since(ENROLMENT.c.at),
            RECEIPT.c.at <= DEADLINE.c.until,
        )  # fmt: skip
        over = DEADLINE.c.until <= literal(until, UtcDateTime)
        measured = own & ((ENROLMENT.c.arm == "holdout") | told)
        counted = (
            select(ENROLMENT.c.arm, over.label("over"), bought.label("bought"), func.count())
            .join(DEADLINE, DEADLINE.c.at == ENROLMENT.c.at)
            .where(measured)
            .group_by(ENROLMENT.c.arm, "over", "bought")
        )
        found = GoalReached(str(within))
        for arm, is_over, did, count in self.connection.execute(counted).all():
            _add(found, arm, bool(is_over), bool(did), int(count))
        return found


def _add(found: GoalReached, arm: str, over: bool, reached: bool, count: int) -> None:
    if not over:
        found.waiting += count
        return
    one: Arm = found.holdout if arm == "holdout" else found.treatment
    one.enrolled += count
    one.reached += count if reached else 0
