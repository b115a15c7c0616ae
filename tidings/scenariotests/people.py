"""Putting the customers of a test into its ledger."""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from campaigns.gates.holdout import is_drawn, salt
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.scenariotest import Basket, Bonuses, Person, ScenarioTest
from campaigns.scenariotest import Profile as ToldProfile
from campaigns.tables import Enrolment, Message
from channels import discover
from core.customers import consent
from core.customers import profiles as customers
from core.customers.addresses import ADDRESS, Addresses, Answerable, lift, suppress
from core.customers.consent import Choice
from core.customers.profiles import CUSTOMER, Profile
from core.db import bucket_of
from core.errors import Problems
from core.events import append
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.writing import ACCOUNT, ENTRY, LOT
from core.program.lifetime import Life
from core.purchases import receipts
from core.purchases.receipts import Line, Purchase
from core.source import KeyPath

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
THOUSAND = 1000
# So many names are tried for somebody who must be drawn in a certain way.
DRAWS = 20_000


class People:
    """The customers of one test: their names, and what is done for them in the ledger."""

    def __init__(self, running: Running, test: ScenarioTest) -> None:
        self.running, self.test, self.program = running, test, running.program
        self.addresses = Addresses(b"scenario tests")
        self.ids: dict[str, int] = {}
        self.external: dict[str, str] = {}
        self.receipts: dict[str, str] = {}
        self.last_receipt: dict[str, str] = {}
        self._numbers = iter(range(1, 1_000_000))

    def utc(self, wall: datetime) -> datetime:
        """A wall time of the program's zone."""
        return wall.replace(tzinfo=self.program.zone).astimezone(UTC)

    def name_of(self, external_id: str) -> str:
        """Who it is in the file."""
        return next((name for name, it in self.external.items() if it == external_id), external_id)

    def key(self) -> str:
        """An operation's own number."""
        return f"test:{next(self._numbers)}"

    def refuse(self, path: KeyPath, what: str, fix: str) -> Problems:
        """What cannot be done, with its place."""
        return Problems([self.test.document.problem(path, what, fix)])

    # --- who

    def take_up(
        self, connection: Connection, name: str, person: Person, at: datetime, path: KeyPath, *, live: bool
    ) -> None:
        """Save a customer with all that is told of them."""
        self.external[name] = self._external_id(name, person, path)
        profile = self.profile(name, person, at, path)
        [saved] = customers.save(connection, self.program, self.addresses, [profile], at, live=live)
        if saved.refusal:
            raise self.refuse(path, saved.refusal.detail, "write another")
        self.ids[name] = saved.customer_id
        self._reach(connection, name, person, at, path, live=live)
        for number, receipt in enumerate(sorted(person.receipts, key=lambda it: it.at)):
            self.buy(
                connection, name, receipt, self.utc(receipt.at), at, (*path, "receipts", number), live=False
            )
        if not person.receipts_earn:
            self._empty(connection, name)
        for bonuses in person.bonuses:
            self.accrue(connection, name, bonuses, at, live=live)
        self._level(connection, name, person, at)

    def profile(self, name: str, told: ToldProfile, at: datetime, path: KeyPath) -> Profile:
        """What is saved; Problems with what a profile cannot be."""
        said = {key: getattr(told, key) for key in ToldProfile.model_fields}
        if isinstance(told, Person):
            said["name"] = told.name or name.capitalize()
            said["registered_at"] = self.utc(told.registered) if told.registered else at
        try:
            return customers.checked(Profile(self.external[name], **said), at.date())
        except ValueError as error:
            raise self.refuse(path, str(error), "correct it") from None

    def _external_id(self, name: str, person: Person, path: KeyPath) -> str:
        """The customer's own name, or one that is drawn as the test wants."""
        for wanted in self._names(name):
            if self._is_drawn(wanted, person):
                return wanted
        raise self.refuse(path, "nobody can be drawn like this", "correct 'arm' or 'variants'")

    def _names(self, name: str) -> Iterator[str]:
        yield name
        yield from (f"{name}-{number}" for number in range(1, DRAWS))

    def _is_drawn(self, external_id: str, person: Person) -> bool:
        scenarios = self.running.scenarios.values()
        return all(self._drawn_in(scenario, external_id, person) for scenario in scenarios)

    def _drawn_in(self, scenario: Scenario, external_id: str, person: Person) -> bool:
        seed, name = self.program.seed, scenario.formerly or scenario.name
        if person.arm is not None:
            everywhere = is_drawn(seed, "holdout", external_id, self.program.holdout)
            held = everywhere or is_drawn(seed, f"holdout:{name}", external_id, scenario.holdout)
            if held != (person.arm == "holdout"):
                return False
        for step in scenario.steps:
            wanted = person.variants.get(step.id)
            if wanted not in step.messages:
                continue
            draw = bucket_of(salt(seed, f"{name}:variant:{step.id}") + external_id)
            if variant_of(step.choices, draw) != wanted:
                return False
        return True

    def _reach(
        self, connection: Connection, name: str, person: Person, at: datetime, path: KeyPath, *, live: bool
    ) -> None:
        customer_id = self.ids[name]
        for kind, address in (("push", person.push), ("telegram", person.telegram)):
            if address:
                self.addresses.add(connection, [(customer_id, kind, address)], at)
        self.choose(connection, name, person.consent, True, at, live=live)
        for channel in person.suppressed:
            self.suppress(connection, name, channel, at, (*path, "suppressed"))

    def choose(
        self,
        connection: Connection,
        name: str,
        channels: tuple[str, ...],
        granted: bool,
        at: datetime,
        *,
        live: bool,
    ) -> None:
        """What the customer says of channels."""
        choices = [Choice(self.ids[name], channel, granted, at, "test") for channel in channels]
        consent.choose(connection, choices, at, live=live)

    def suppress(self, connection: Connection, name: str, channel: str, at: datetime, path: KeyPath) -> None:
        """The customer's addresses must not be used on a channel."""
        for digest in self.digests(connection, name, channel, path):
            suppress(connection, channel, digest, "test", at)

    def lift(self, connection: Connection, name: str, channel: str, at: datetime, path: KeyPath) -> None:
        """They may be used again."""
        for digest in self.digests(connection, name, channel, path):
            lift(connection, channel, digest, Answerable("test", "test"), at)

    def digests(self, connection: Connection, name: str, channel: str, path: KeyPath) -> list[str]:
        """Of the customer's addresses that a channel would use; Problems where there is none."""
        kind = discover()[channel].address_kind
        theirs = (ADDRESS.c.customer_id == self.ids[name], ADDRESS.c.kind == kind)
        found = list(connection.scalars(select(ADDRESS.c.digest).where(*theirs)))
        if not found:
            what = f"{name} has no address for '{channel}': there is none to suppress"
            raise self.refuse(path, what, f"write '{kind}', or leave it out")
        return found

    def _level(self, connection: Connection, name: str, person: Person, at: datetime) -> None:
        since = self.utc(person.tier_since) if person.tier_since else at
        values: dict[str, Any] = {"tier": person.tier, "tier_since": since} if person.tier else {}
        values |= {"invited_to": person.invited} if person.invited else {}
        if values:
            mine = update(CUSTOMER).where(CUSTOMER.c.id == self.ids[name])
            connection.execute(mine.values(**values))

    # --- the ledger

    def _empty(self, connection: Connection, name: str) -> None:
        """What the receipts before the test brought is not there."""
        customer_id = self.ids[name]
        for table in (ENTRY, LOT):
            connection.execute(delete(table).where(table.c.customer_id == customer_id))
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.customer_id == customer_id).values(total=0))

    def buy(
        self, connection: Connection, name: str, basket: Basket, at: datetime, recorded_at: datetime,
        path: KeyPath, *, live: bool,
    ) -> None:  # fmt: skip
        """One receipt."""
        number = f"test-{next(self._numbers)}"
        if basket.receipt:
            self.receipts[basket.receipt] = number
        self.last_receipt[name] = number
        lines = tuple(
            Line(
                it.sku, int(it.quantity * THOUSAND), self.program.to_money(it.total), it.category, it.brand,
                it.discounted,
            )
            for it in basket.all_lines
        )  # fmt: skip
        points = self.program.to_points(basket.pay) if basket.pay else 0
        purchase = Purchase(
            number, self.external[name], at, lines, basket.store, points, basket.codes, confirmed=True,
            from_file=not live,
        )  # fmt: skip
        [outcome] = receipts.record(connection, self.program, [purchase], recorded_at, live=live)
        if isinstance(outcome, Refusal):
            raise self.refuse(path, outcome.detail, "correct it")

    def accrue(
        self, connection: Connection, name: str, bonuses: Bonuses, at: datetime, *, live: bool
    ) -> None:
        """One lot."""
        customer_id, key = self.ids[name], self.key()
        book = Book(connection, self.program, [customer_id], at, live=live)
        op = book.operation(customer_id, "adjustment", key, [key], book.moment(customer_id, at))
        starts = self.utc(datetime.combine(bonuses.starts, time(0))) if bonuses.starts else at
        life = Life(starts, bonuses.expires, self.program.end_of(bonuses.expires))
        book.accrue(op, self.program.to_points(bonuses.amount), reason="test", life=life)
        book.close()
        append(connection, book.happenings, at, live=live)

    # --- what they were told before

    def remember(self, connection: Connection, name: str, person: Person, scenarios: Running) -> None:
        """Messages that the customer had got: they count in allowances, and their occasions are entered."""
        for number, got in enumerate(person.received):
            scenario, at = scenarios.scenarios[got.scenario], self.utc(got.at)
            step = got.step or scenario.steps[0].id
            index = next((n for n, it in enumerate(scenario.steps) if it.id == step), 0)
            occasion = got.occasion or f"test-{number}"
            common = {
                "scenario": scenario.name, "version": 1, "customer_id": self.ids[name], "occasion": occasion,
                "facts": {},
            }  # fmt: skip
            entered = {**common, "arm": "treatment", "status": "finished", "step": index + 1, "at": at}
            made = connection.execute(insert(ENROLMENT).values(**entered)).inserted_primary_key
            assert made is not None
            sent = {
                **common, "enrolment_id": made[0], "step": step, "step_index": index,
                "purpose": scenario.purpose, "priority": scenario.priority,
                "message": scenario.steps[index].messages[0], "channels": [got.channel],
                "channel": got.channel, "state": "sent", "planned_at": at, "due_at": at, "accepted_at": at,
                "changed_at": at, "tries": 1,
            }  # fmt: skip
            connection.execute(insert(MESSAGE).values(**sent))


def variant_of(choices: Any, draw: int) -> str:
    """The text on which a draw falls, as `campaigns.gates.timing` has it in SQL."""
    whole, reached = sum(it.weight for it in choices), 0
    for choice in choices:
        reached += choice.weight
        if draw % whole < reached:
            return str(choice.message)
    return str(choices[-1].message)
