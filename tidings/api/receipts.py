"""Receipts over the API: recorded once, whatever the till sends again; and their returns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from core import tracing
from core.customers.profiles import CUSTOMER
from core.ledger.lots import Refusal
from core.money import from_units
from core.program import Program
from core.purchases.cart import Item, kept_of
from core.purchases.receipts import LINE, RECEIPT, Outcome, Purchase, Recorded, record
from core.purchases.returns import Back, Return, take_back
from tidings.api import examples, following
from tidings.api.access import Here, Who, asks
from tidings.api.answers import ReceiptOut, ReturnOut
from tidings.api.bodies import BackIn, Identifier, ReceiptIn, ReturnIn
from tidings.api.carts import (
    FIELDS,
    QUANTITY_SCALE,
    REFUSALS,
    check_currency,
    check_store,
    lines_of,
    points_of,
    units,
)  # fmt: skip
from tidings.api.idempotency import Once, OnceFor, answered
from tidings.api.problems import refuse, refused
from tidings.api.services import Services

routes = APIRouter(prefix="/receipts", tags=["Receipts"])

ReceiptPath = Annotated[Identifier, Path(description="The receipt's id.", examples=["R-2026-000173"])]


class LineShown(BaseModel):
    """A line: `quantity`, `total` and `paid_points` as bought, in whole units; `returned` units came back.

    `kept_total`, `kept_paid_points` and `earned` are what is left of it. They add up to the receipt's.
    """

    line: int
    sku: str
    quantity: str
    total: str
    category: str | None
    brand: str | None
    discounted: bool
    earned: str
    paid_points: str
    returned: str
    kept_total: str
    kept_paid_points: str


class ReceiptShown(BaseModel):
    """A receipt as it stands: `total`, `paid_points` and `earned` are less what was returned since.

    `rules_by_code` are the rules that its promo codes opened; the codes themselves are not kept here.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RECEIPT_SHOWN]})

    receipt: str
    customer: str
    at: datetime
    recorded_at: datetime
    store: str | None
    partner: str | None
    total: str
    paid_points: str
    earned: str
    rules_by_code: list[str]
    returned_at: datetime | None
    lines: list[LineShown]


@routes.post("", **asks(
    "receipts:write", *REFUSALS, "confirmation_required", "idempotency_conflict", "idempotency_running",
    answer=ReceiptOut, created=True,
))  # fmt: skip
def post(here: Here, who: Who, once: Once, body: ReceiptIn) -> Response:
    """Record a purchase: 201. The same again: 200 with the same answer. Other content under its id: 409.

    It may come late and out of order: the ledger comes out as if it had come in its own time.
    """
    program = here.program
    check_store(who, body.store)
    check_currency(program, body.currency)
    purchase = _purchase(program, body)
    with tracing.span("receipt", receipt=body.id):
        answer = _sold(here, once, program, purchase)
    following.receipt(here.database, purchase)
    return answer


def _sold(here: Services, once: OnceFor, program: Program, purchase: Purchase) -> Response:
    if once.key is None:
        return _answer(_recorded(here.sell(program, purchase)))
    with once.recording() as done:
        [outcome] = record(done.connection, program, [purchase], here.now(), live=True)
        recorded = _recorded(outcome)
        return done(_status(recorded), ReceiptOut.model_validate(recorded.answer))


@routes.get("/{id}", **asks("receipts:read", "unknown_receipt"))
def show(here: Here, id: ReceiptPath) -> ReceiptShown:  # noqa: A002 - its name in the address
    """A receipt as it stands, line by line: what each earned, was paid with, and what came back."""
    with here.database.read() as connection:
        statement = select(RECEIPT, CUSTOMER.c.external_id.label("customer"))
        joined = statement.join(CUSTOMER, CUSTOMER.c.id == RECEIPT.c.customer_id)
        row = connection.execute(joined.where(RECEIPT.c.external_id == id)).first()
        if row is None:
            raise refuse("unknown_receipt", "there is no such receipt", "id")
        lines = connection.execute(select(LINE).where(LINE.c.receipt_id == row.id).order_by(LINE.c.line))
        return _shown(here.program, row, lines.all())


@routes.post("/{id}/return", **asks(
    "returns:write", "unknown_receipt", "unknown_line", "more_than_bought", "returned_already",
    "before_the_purchase", "in_the_future", "conflict", "busy",
    answer=ReturnOut, created=True,
))  # fmt: skip
def give_back(
    here: Here,
    once: Once,
    id: ReceiptPath,  # noqa: A002 - its name in the address
    body: ReturnIn | None = None,
) -> Response:
    """Return a receipt, or some lines or units of it: 201. The same again: 200 with the same answer."""
    now = here.now()
    wanted = body or ReturnIn()
    back = tuple(_back(index, line) for index, line in enumerate(wanted.lines))
    returned = Return(id, wanted.at or now, back, wanted.id)
    with once.recording() as done:
        outcome = take_back(done.connection, here.program, returned, now, live=True)
        recorded = _recorded(outcome)
        return done(_status(recorded), ReturnOut.model_validate(recorded.answer))


def _recorded(outcome: Outcome) -> Recorded:
    if isinstance(outcome, Refusal):
        raise refused(outcome, FIELDS)
    return outcome


def _answer(recorded: Recorded) -> Response:
    return answered(_status(recorded), ReceiptOut.model_validate(recorded.answer))


def _status(recorded: Recorded) -> int:
    return 200 if recorded.repeated else 201


def _purchase(program: Program, body: ReceiptIn) -> Purchase:
    lines, points = lines_of(program, body.lines), points_of(program, body.pay_points)
    return Purchase(
        body.id, body.customer, body.at, lines, body.store, points, tuple(body.codes), offline=body.offline
    )


def _back(index: int, line: BackIn) -> Back:
    if (line.line is None) == (line.sku is None):
        field = f"lines[{index}]"
        raise refuse("invalid", f"{field}: name the goods by `line` or by `sku`, one of them", field)
    if line.quantity is None:
        return Back(line.line, line.sku)
    return Back(line.line, line.sku, units(line.quantity, QUANTITY_SCALE, f"lines[{index}].quantity"))


def _shown(program: Program, row: Any, lines: Sequence[Any]) -> ReceiptShown:
    gone = row.returned_at is not None
    return ReceiptShown(
        receipt=row.external_id, customer=row.customer, at=row.at, recorded_at=row.recorded_at,
        store=row.store, partner=row.partner, total=str(program.from_money(row.total)),
        paid_points=str(program.from_points(row.paid_points)),
        earned=str(program.from_points(row.earned_points)), rules_by_code=(row.codes or "").split(),
        returned_at=row.returned_at,
        lines=[LineShown.model_validate(_shown_line(program, line, gone)) for line in lines],
    )  # fmt: skip


def _shown_line(program: Program, line: Any, gone: bool) -> Mapping[str, Any]:
    item = Item(line.sku, line.quantity, line.total)
    kept = [0 if gone else kept_of(it, item, line.returned) for it in (line.total, line.paid_points)]
    return {
        "line": line.line, "sku": line.sku, "quantity": str(from_units(line.quantity, QUANTITY_SCALE)),
        "total": str(program.from_money(line.total)), "category": line.category, "brand": line.brand,
        "discounted": line.discounted, "earned": str(program.from_points(line.earned_points)),
        "paid_points": str(program.from_points(line.paid_points)),
        "returned": str(from_units(line.returned, QUANTITY_SCALE)),
        "kept_total": str(program.from_money(kept[0])),
        "kept_paid_points": str(program.from_points(kept[1])),
    }  # fmt: skip
