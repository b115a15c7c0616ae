"""Receipts over the API: recorded once, whatever the till sends again; and their returns."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path, Response

from core.ledger import Refusal
from core.money import to_units
from core.program import Program
from core.receipts import Line, Outcome, Purchase, record
from core.returns import take_back
from tidings.api.access import Here, problems
from tidings.api.models import Identifier, LineIn, ReceiptIn, ReceiptOut, ReturnIn, ReturnOut
from tidings.api.problems import Refused, refused

routes = APIRouter(prefix="/receipts", tags=["Receipts"])

QUANTITY_SCALE = 3
_FIELDS = {
    "unknown_customer": "customer",
    "conflict": "id",
    "in_the_future": "at",
    "before_the_purchase": "at",
    "over_the_limit": "pay_points",
    "insufficient_balance": "pay_points",
    "unknown_receipt": "id",
}


@routes.post("", status_code=201, responses={200: {"model": ReceiptOut}, **problems(404, 409)})
def post(here: Here, body: ReceiptIn, response: Response) -> ReceiptOut:
    """Record a purchase: 201. The same again: 200 with the same answer. Other content under its id: 409."""
    program = here.program
    purchase = _purchase(program, body)
    with here.recording() as connection:
        [outcome] = record(connection, program, [purchase], here.now(), live=True)
    return ReceiptOut.model_validate(_answer(outcome, response))


@routes.post("/{id}/return", status_code=201, responses={200: {"model": ReturnOut}, **problems(404)})
def give_back(
    here: Here,
    id: Annotated[Identifier, Path(description="The receipt's id.")],  # noqa: A002 - its name in the address
    response: Response,
    body: ReturnIn | None = None,
) -> ReturnOut:
    """Return a whole receipt: 201. Returned already: 200 with the first answer."""
    now = here.now()
    at = (body.at if body else None) or now
    with here.recording() as connection:
        outcome = take_back(connection, here.program, id, at, now, live=True)
    return ReturnOut.model_validate(_answer(outcome, response))


def _answer(outcome: Outcome, response: Response) -> dict[str, object]:
    if isinstance(outcome, Refusal):
        raise refused(outcome, _FIELDS)
    response.status_code = 200 if outcome.repeated else 201
    return outcome.answer


def _purchase(program: Program, body: ReceiptIn) -> Purchase:
    lines = tuple(_line(program, index, line) for index, line in enumerate(body.lines))
    points = _units(body.pay_points, program.points.scale, "pay_points")
    return Purchase(body.id, body.customer, body.at, lines, body.store, points)


def _line(program: Program, index: int, line: LineIn) -> Line:
    quantity = _units(line.quantity, QUANTITY_SCALE, f"lines[{index}].quantity")
    return Line(line.sku, quantity, _units(line.total, program.money_scale, f"lines[{index}].total"))


def _units(amount: Decimal, scale: int, field: str) -> int:
    try:
        return to_units(amount, scale)
    except ValueError as error:
        raise Refused(422, "invalid", f"{field}: {error}", field) from None
