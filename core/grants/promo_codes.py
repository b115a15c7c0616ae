"""Promo codes and coupons: who may use which, when and how often, and that they did.

A code of program.yaml is one text for many people. Coupons are made in the database for a rule
(core.grants.coupons), each with its own text, perhaps for one customer. Either opens a rule: on a purchase,
or at once (`on: promo_code`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from core.db import insert_ignoring
from core.db.bulk import insert_rows
from core.grants.codes import normal
from core.ledger.lots import Refusal
from core.program import Code, Program
from core.tables import Customer, PromoCode, PromoUse

CODE = PromoCode.__table__  # type: ignore[attr-defined]
USE = PromoUse.__table__  # type: ignore[attr-defined]
CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
USE_COLUMNS = ("code", "rule", "customer_id", "receipt", "single", "at", "recorded_at")


@dataclass(frozen=True, slots=True)
class Offer:
    """A code that is known: its normal form, what opens it (`spec`), and its row if it has one."""

    code: str
    spec: Code
    row: Row[Any] | None

    @property
    def single(self) -> bool:
        """Whether it can be used but once."""
        return self.row is not None and self.row.uses_at_most == 1

    @property
    def counters(self) -> Mapping[str, int | None]:
        """The rows that count its uses, and how far, in the order in which everybody takes them.

        None: without end now. Where it had one before, its row counts on, and is right once it has one again.
        """
        if self.spec.code:
            return {self.code: self.spec.uses_at_most}
        own = self.row.uses_at_most if self.row is not None else None
        return dict(sorted({self.code: own, _of_rule(self.spec.rule): self.spec.uses_at_most}.items()))


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of the codes of a cart: `accepted` the rules that they open, `refused` by code as typed."""

    accepted: tuple[str, ...]
    refused: Mapping[str, Refusal]


@dataclass(frozen=True, slots=True)
class _Used:
    """A use that was taken and is not written yet."""

    offer: Offer
    customer_id: int
    at: datetime
    typed: str


@dataclass
class Codes:
    """The codes of some purchases, in the caller's transaction: asked, taken, written by `close`.

    The buyers' accounts are held before: then nobody uses their codes beside us.
    """

    connection: Connection
    program: Program
    recorded_at: datetime
    _taken: dict[str, list[_Used]] = field(default_factory=lambda: defaultdict(list))

    def check(
        self, codes: Sequence[str], customer_id: int, at: datetime, *, on_purchase: bool = True
    ) -> Checked:
        """Which codes the customer may use at a time; changes nothing.

        Refused: `unknown_code`, `code_used`, `code_not_yet`, `code_over`, `code_not_yours`, `code_limit`,
        `code_not_here` (it is for a purchase, or for none).
        """
        accepted: list[str] = []
        refused: dict[str, Refusal] = {}
        for code in dict.fromkeys(codes):
            found = self.offer(code, customer_id, at, on_purchase=on_purchase)
            if isinstance(found, Refusal):
                refused[code] = found
            else:
                accepted.append(found.spec.rule)
        return Checked(tuple(dict.fromkeys(accepted)), refused)

    def use(
        self, codes: Sequence[str], customer_id: int, receipt: str, at: datetime, *, on_purchase: bool = True
    ) -> Refusal | None:
        """Take all of these codes for a receipt, or none, and say which cannot be used.

        `release` gives them back, `close` writes them.
        """
        for code in in_order(codes):
            if refusal := self._take(code, customer_id, receipt, at, on_purchase=on_purchase):
                self.release(receipt)
                return refusal
        return None

    def use_some(
        self, codes: Sequence[str], customer_id: int, receipt: str, at: datetime
    ) -> dict[str, Refusal]:
        """Take those of these codes for a purchase that can be used; the others, by code as typed."""
        found = {
            code: self._take(code, customer_id, receipt, at, on_purchase=True) for code in in_order(codes)
        }
        return {code: refusal for code, refusal in found.items() if refusal}

    def _take(
        self, code: str, customer_id: int, receipt: str, at: datetime, *, on_purchase: bool
    ) -> Refusal | None:
        offer = self.offer(code, customer_id, at, on_purchase=on_purchase)
        if not isinstance(offer, Refusal) and not self._count_up(offer):
            offer = _refusal("code_used", code, "has been used already")
        if isinstance(offer, Refusal):
            return offer
        self._taken[receipt].append(_Used(offer, customer_id, at, code))
        return None

    def names(self, receipt: str) -> tuple[str, ...]:
        """The rules that the codes taken for a receipt open (`Cart.codes`)."""
        return tuple(dict.fromkeys(it.offer.spec.rule for it in self._taken.get(receipt, ())))

    def leave(self, receipt: str, gave: Collection[str], why: Mapping[str, str]) -> dict[str, Refusal]:
        """Give back codes that brought nothing to a receipt, and say why, by code as typed: rules that gave
        nothing (`why` by rule), and all but one of several codes of a rule.
        """
        used, unused = list[_Used](), dict[str, Refusal]()
        for it in self._taken.pop(receipt, []):
            rule = it.offer.spec.rule
            if rule in gave and all(rule != other.offer.spec.rule for other in used):
                used.append(it)
                continue
            said = "another code of its rule is on this receipt" if rule in gave else why.get(rule, "")
            unused[it.typed] = _refusal("code_gives_nothing", it.typed, f"gives nothing here: {said}")
            self._count_down(it.offer)
        if used:
            self._taken[receipt] = used
        return unused

    def release(self, receipt: str) -> None:
        """Give back what was taken for a receipt that did not come about."""
        for used in self._taken.pop(receipt, []):
            self._count_down(used.offer)

    def close(self, receipts: Mapping[str, object] | None = None) -> None:
        """Write the uses; if receipts are named, of these only, and give back the others."""
        for receipt in [it for it in self._taken if receipts is not None and it not in receipts]:
            self.release(receipt)
        rows = [
            (it.offer.code, it.offer.spec.rule, it.customer_id,
             receipt if it.offer.spec.on_purchase else None, it.offer.single, it.at, self.recorded_at)
            for receipt, used in self._taken.items()
            for it in used
        ]  # fmt: skip
        insert_rows(self.connection, USE, USE_COLUMNS, rows)
        self._taken.clear()

    # --- one code

    def offer(
        self, code: str, customer_id: int, at: datetime, *, on_purchase: bool = True
    ) -> Offer | Refusal:
        """What a code opens for a customer at a time."""
        offer = self._known(code)
        if offer is None:
            return _refusal("unknown_code", code, "is unknown")
        if offer.spec.on_purchase is not on_purchase:
            said = "is for the customer's page, not for a purchase" if on_purchase else "is for a purchase"
            return _refusal("code_not_here", code, said)
        return self._unfit(code, offer, customer_id, self.program.day_of(at)) or offer

    def _known(self, code: str) -> Offer | None:
        text = normal(code)
        row = self.connection.execute(select(CODE).where(CODE.c.code == text)).first()
        for spec in self.program.codes():
            if (spec.code and normal(spec.code) == text) or (row is not None and not spec.code
                                                             and row.rule == spec.rule):  # fmt: skip
                return Offer(text, spec, row)
        return None

    def _unfit(self, code: str, offer: Offer, customer_id: int, day: date) -> Refusal | None:
        row, spec = offer.row, offer.spec
        if row is not None and row.disabled_at is not None:
            return _refusal("code_over", code, "was taken out of use")
        if (first := _latest(spec.from_, row and row.first_day)) and day < first:
            return _refusal("code_not_yet", code, f"can be used from {first}")
        if (last := _earliest(spec.until, row and row.last_day)) and day > last:
            return _refusal("code_over", code, f"could be used until {last}")
        family = self._family(customer_id)
        if row is not None and row.customer_id is not None and row.customer_id not in family:
            return _refusal("code_not_yours", code, "belongs to another customer")
        if self._used_up(offer):
            return _refusal("code_used", code, "has been used already")
        if spec.per_customer is not None and self._uses(spec, family) >= spec.per_customer:
            times = "once" if spec.per_customer == 1 else f"{spec.per_customer} times"
            return _refusal("code_limit", code, f"can be used {times} by one customer")
        return None

    def _family(self, customer_id: int) -> set[int]:
        """The customer and the duplicates that were merged into them."""
        merged = select(CUSTOMER.c.id).where(CUSTOMER.c.merged_into == customer_id)
        return {customer_id, *self.connection.scalars(merged)}

    def _used_up(self, offer: Offer) -> bool:
        full = [
            and_(CODE.c.code == code, CODE.c.uses >= most)
            for code, most in offer.counters.items()
            if most is not None
        ]
        if not full:
            return False
        if self.connection.scalar(select(CODE.c.id).where(or_(*full)).limit(1)) is not None:
            return True
        most = offer.spec.uses_at_most
        if offer.row is not None or offer.spec.code is None or most is None:
            return False
        # A limit that was set while the code was in use already, and nobody has used it since.
        some = select(USE.c.id).where(USE.c.code == offer.code, USE.c.freed_at.is_(None)).limit(most)
        return self.connection.scalar(select(func.count()).select_from(some.subquery())) == most

    def _uses(self, spec: Code, family: set[int]) -> int:
        mine = [USE.c.customer_id.in_(family), USE.c.rule == spec.rule, USE.c.freed_at.is_(None)]
        written = self.connection.scalar(select(func.count()).where(*mine)) or 0
        taken = (it for used in self._taken.values() for it in used)
        return written + sum(it.customer_id in family and it.offer.spec.rule == spec.rule for it in taken)

    # --- counting

    def _count_up(self, offer: Offer) -> bool:
        """One more use; false if there is none left, whoever was quicker."""
        counted: list[str] = []
        for code, most in offer.counters.items():
            more = update(CODE).where(CODE.c.code == code).values(uses=CODE.c.uses + 1)
            if most is None:
                self.connection.execute(more)
            else:
                _make_counter(self.connection, offer, code, self.recorded_at)
                if not self.connection.execute(more.where(CODE.c.uses < most)).rowcount:
                    _count_down(self.connection, counted)
                    return False
            counted.append(code)
        return True

    def _count_down(self, offer: Offer) -> None:
        _count_down(self.connection, offer.counters)


def in_order(codes: Sequence[str]) -> list[str]:
    """Each code once, in the order in which everybody takes them: nobody waits in a circle."""
    return sorted({normal(it): it for it in codes}.values(), key=normal)


def free_codes(connection: Connection, program: Program, receipt: str, at: datetime) -> int:
    """Let the codes of a receipt that was returned whole be used again, where their rules say so.

    Returns how many, in the caller's write transaction, which holds the buyer's account.
    """
    codes = Codes(connection, program, at)
    mine = select(USE).where(USE.c.receipt == receipt, USE.c.freed_at.is_(None)).order_by(USE.c.code)
    freed = 0
    for use in connection.execute(mine).all():
        offer = codes._known(use.code)  # noqa: SLF001 - the same module
        if offer is not None and offer.spec.returns:
            connection.execute(update(USE).where(USE.c.id == use.id).values(freed_at=at))
            _count_down(connection, offer.counters)
            freed += 1
    return freed


def _of_rule(rule: str) -> str:
    """The row that counts all coupons of a rule; nobody can type it, a code has no space."""
    return f"all of {rule}"


def _make_counter(connection: Connection, offer: Offer, code: str, at: datetime) -> None:
    """The row that counts; one that is new begins with the uses from before there was a limit."""
    there = select(CODE.c.id).where(CODE.c.code == code)
    if (offer.row is not None and offer.row.code == code) or connection.scalar(there) is not None:
        return
    mine = USE.c.code == code if offer.spec.code else USE.c.rule == offer.spec.rule
    uses = connection.scalar(select(func.count()).where(mine, USE.c.freed_at.is_(None))) or 0
    row = {"code": code, "rule": offer.spec.rule, "uses": uses, "created_at": at}
    connection.execute(insert_ignoring(connection, CODE).values(**row))


def _count_down(connection: Connection, counters: Iterable[str]) -> None:
    for code in counters:
        there = and_(CODE.c.code == code, CODE.c.uses > 0)
        connection.execute(update(CODE).where(there).values(uses=CODE.c.uses - 1))


def _refusal(reason: str, code: str, said: str) -> Refusal:
    return Refusal(reason, f"the code {code!r} {said}")


def _latest(*days: date | None) -> date | None:
    return max((day for day in days if day), default=None)


def _earliest(*days: date | None) -> date | None:
    return min((day for day in days if day), default=None)
