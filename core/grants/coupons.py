"""Coupons: codes made for a rule, looked at, and taken out of use."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from core.db import insert_ignoring
from core.db.bulk import insert_rows, rows_of
from core.grants.codes import LONGEST, SHORTEST, drawn, normal
from core.grants.promo_codes import CODE, USE
from core.ledger.lots import Refusal
from core.ledger.operations import again_if_taken
from core.program import Code, Program
from core.tables import Customer

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
COLUMNS = ("code", "rule", "batch", "number", "customer_id", "first_day", "last_day", "uses_at_most", "uses",
           "created_at")  # fmt: skip
AT_MOST, LENGTH = 100_000, 10
STATES = ("open", "used", "disabled")


@dataclass(frozen=True, slots=True)
class Request:
    """Coupons to make for a rule; `batch` names the request: the same again makes nothing new.

    `text` is a code of one's own (then there is one), `customer_id` whose they are; the days are the
    program's, first and last included.
    """

    batch: str
    rule: str
    count: int = 1
    length: int = LENGTH
    text: str | None = None
    customer_id: int | None = None
    first_day: date | None = None
    last_day: date | None = None
    uses_at_most: int = 1


@dataclass(frozen=True, slots=True)
class Made:
    """The codes of a request, in their order; `repeated` if an earlier request made them."""

    codes: tuple[str, ...]
    repeated: bool = False


def make_coupons(connection: Connection, program: Program, request: Request, at: datetime) -> Made | Refusal:
    """Make coupons in the caller's write transaction; nobody guesses the codes that are drawn.

    Refused, and nothing changed: `unknown_rule`, `bad_amount`, `bad_code`, `bad_dates`, `code_taken`,
    `conflict` (the batch was another request).
    """
    return again_if_taken(connection, lambda: _make(connection, program, request, at))


def _make(connection: Connection, program: Program, request: Request, at: datetime) -> Made | Refusal:
    if (known := _known(connection, request)) is not None:
        return known
    if refusal := _refused(program, request, program.day_of(at)):
        return refusal
    codes = _own(connection, program, request) if request.text else _drawn(connection, request)
    if isinstance(codes, Refusal):
        return codes
    rows = [
        (code, request.rule, request.batch, number, request.customer_id, request.first_day, request.last_day,
         request.uses_at_most, 0, at)
        for number, code in enumerate(codes, start=1)
    ]  # fmt: skip
    insert_rows(connection, CODE, COLUMNS, rows)
    return Made(tuple(codes))


def _known(connection: Connection, request: Request) -> Made | Refusal | None:
    """What the batch made before."""
    mine = select(CODE).where(CODE.c.batch == request.batch).order_by(CODE.c.number)
    rows = connection.execute(mine).all()
    if not rows:
        return None
    first = rows[0]
    before = (first.rule, first.customer_id, first.first_day, first.last_day, first.uses_at_most, len(rows))
    same = (
        request.rule, request.customer_id, request.first_day, request.last_day, request.uses_at_most,
        request.count,
    )  # fmt: skip
    if before != same or (request.text and first.code != normal(request.text)):
        return Refusal("conflict", f"the batch {request.batch!r} was another request; take a new name")
    return Made(tuple(row.code for row in rows), repeated=True)


def _refused(program: Program, request: Request, today: date) -> Refusal | None:
    if coupon_rule(program, request.rule) is None:
        return _unknown_rule(program, request.rule)
    if not 1 <= request.count <= (1 if request.text else AT_MOST):
        most = "one code of your own" if request.text else f"1 to {AT_MOST} coupons"
        return Refusal("bad_amount", f"a request makes {most}")
    if request.uses_at_most < 1:
        return Refusal("bad_amount", "a code is used once at least")
    if not request.text and not SHORTEST <= request.length <= LONGEST:
        return Refusal("bad_code", f"a code has {SHORTEST} to {LONGEST} letters and digits")
    if request.last_day and request.last_day < (request.first_day or today):
        return Refusal("bad_dates", f"the last day {request.last_day} is before the first, or over already")
    return None


def coupon_rule(program: Program, rule: str) -> Code | None:
    """The rule of this name, if coupons open it."""
    return next((it for it in program.codes() if it.rule == rule and it.code is None), None)


def _unknown_rule(program: Program, rule: str) -> Refusal:
    known = ", ".join(it.rule for it in program.codes() if it.code is None)
    there = f"there are {known}; a new one" if known else "write 'codes: coupons' in a rule; it"
    detail = f"no rule {rule!r} is opened by coupons; {there} is there once program.yaml is applied"
    return Refusal("unknown_rule", detail)


def _own(connection: Connection, program: Program, request: Request) -> list[str] | Refusal:
    code = normal(request.text or "")
    if not 3 <= len(code) <= LONGEST or not code.isalnum():
        return Refusal("bad_code", f"a code has 3 to {LONGEST} letters and digits; dashes do not count")
    of_program = {normal(it.code) for it in program.codes() if it.code}
    if code in of_program or _taken(connection, [code]):
        return Refusal("code_taken", f"there is a code {code!r} already; choose another")
    return [code]


def _drawn(connection: Connection, request: Request) -> list[str]:
    codes: dict[str, None] = {}
    while len(codes) < request.count:
        more = [drawn(request.length) for _ in range(request.count - len(codes))]
        taken = _taken(connection, more)
        codes |= dict.fromkeys(code for code in more if code not in taken)
    return list(codes)


def _taken(connection: Connection, codes: Sequence[str]) -> set[str]:
    return {row[0] for row in rows_of(connection, CODE, ("code",), "code", list(codes))}


# --- looking, and taking out of use


def coupons(
    connection: Connection, *, rule: str | None = None, batch: str | None = None,
    customer_id: int | None = None, state: str | None = None, after: int = 0, limit: int = 100,
) -> Sequence[Row[Any]]:  # fmt: skip
    """Coupons by their number, from after one on; `state` is `open`, `used` or `disabled`."""
    wanted = [CODE.c.batch.is_not(None), CODE.c.id > after]
    wanted += [] if rule is None else [CODE.c.rule == rule]
    wanted += [] if batch is None else [CODE.c.batch == batch]
    wanted += [] if customer_id is None else [CODE.c.customer_id == customer_id]
    used = CODE.c.uses >= CODE.c.uses_at_most
    disabled = CODE.c.disabled_at.is_not(None)
    states = {"open": ~used & ~disabled, "used": used & ~disabled, "disabled": disabled}
    wanted += [states[state]] if state else []
    statement = select(CODE, CUSTOMER.c.external_id).outerjoin(CUSTOMER, CUSTOMER.c.id == CODE.c.customer_id)
    return connection.execute(statement.where(*wanted).order_by(CODE.c.id).limit(limit)).all()


def state_of(row: Any) -> str:
    """`open`, `used` or `disabled`; the dates are told apart."""
    if row.disabled_at is not None:
        return "disabled"
    return "used" if row.uses_at_most is not None and row.uses >= row.uses_at_most else "open"


@dataclass(frozen=True, slots=True)
class Look:
    """A code: what opens it, its row (None: of program.yaml, never counted), and how often it is in use."""

    code: str
    spec: Code | None
    row: Row[Any] | None
    uses: int


def look(connection: Connection, program: Program, code: str) -> Look | Refusal:
    """One code, of program.yaml or a coupon; `spec` is None when its rule is gone."""
    text = normal(code)
    one = select(CODE, CUSTOMER.c.external_id).outerjoin(CUSTOMER, CUSTOMER.c.id == CODE.c.customer_id)
    row = connection.execute(one.where(CODE.c.code == text)).first()
    spec = next((it for it in program.codes() if it.code and normal(it.code) == text), None)
    if row is None and spec is None:
        return Refusal("unknown_code", f"no code {code!r}")
    if spec is None and row is not None:
        spec = coupon_rule(program, row.rule)
    count = select(func.count()).where(USE.c.code == text, USE.c.freed_at.is_(None))
    return Look(text, spec, row, connection.scalar(count) or 0)


def uses_of(connection: Connection, code: str, *, after: int = 0, limit: int = 100) -> Sequence[Row[Any]]:
    """The uses of a code by their number, those that were freed too, with the customer's external id."""
    statement = select(USE, CUSTOMER.c.external_id).join(CUSTOMER, CUSTOMER.c.id == USE.c.customer_id)
    mine = statement.where(USE.c.code == normal(code), USE.c.id > after)
    return connection.execute(mine.order_by(USE.c.id).limit(limit)).all()


def disable(connection: Connection, program: Program, code: str, at: datetime) -> Look | Refusal:
    """Take a code out of use, in the caller's write transaction; what was given with it stays."""
    found = look(connection, program, code)
    if isinstance(found, Refusal):
        return found
    if found.row is None and found.spec is not None:
        row = {"code": found.code, "rule": found.spec.rule, "uses": 0, "created_at": at}
        connection.execute(insert_ignoring(connection, CODE).values(**row))
    used = (CODE.c.code == found.code) & CODE.c.disabled_at.is_(None)
    connection.execute(update(CODE).where(used).values(disabled_at=at))
    return look(connection, program, code)


def disable_batch(connection: Connection, batch: str, at: datetime) -> int:
    """Take all coupons of a batch out of use; returns how many were in it and in use."""
    mine = (CODE.c.batch == batch) & CODE.c.disabled_at.is_(None)
    return connection.execute(update(CODE).where(mine).values(disabled_at=at)).rowcount
