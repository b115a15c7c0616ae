"""`/till/holds`: bonuses set aside for a cart, changed, committed, cancelled; and the customer's code."""

from collections.abc import Mapping
from dataclasses import asdict
from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic_core import to_json
from sqlalchemy import Connection

from core.ledger.lots import Refusal
from core.purchases.confirmations import Confirmer, Drawn, Waiting, status
from core.purchases.holds import Basket, Held, cancel, change, commit, hold, new_code, row_of, state_of
from tidings.api.access import Here, Who, asks
from tidings.api.answers import ReceiptOut
from tidings.api.bodies import Identifier
from tidings.api.carts import FIELDS, REFUSALS, check_currency, check_store, lines_of, points_of
from tidings.api.idempotency import Once, answered
from tidings.api.keys import Caller
from tidings.api.problems import refuse, refused, tell
from tidings.api.services import Services
from tidings.api.till import examples
from tidings.api.till.models import CancelOut, CommitIn, ConfirmationOut, HeldCartIn, HoldIn, HoldOut
from tidings.api.till.sending import send_code

routes = APIRouter(prefix="/holds")
HoldPath = Annotated[
    Identifier, Path(description="The receipt's number.", examples=[examples.HOLD["receipt"]])
]
ONCE = ("idempotency_conflict", "idempotency_running")
OVER = ("committed", "hold_cancelled")
PHONE = ("no_phone", "number_suppressed")
CODES = ("code_required", "code_wrong", "code_expired", "too_many_tries")


@routes.post("", **asks("checkout:write", *REFUSALS, *OVER, *PHONE, *ONCE, answer=HoldOut, created=True))
def post(here: Here, who: Who, once: Once, body: HoldIn) -> Response:
    """Set bonuses aside for a receipt: 201. The same again: 200 with the same answer.

    Nobody else can spend them until `expires_at`. If so many bonuses need the customer's code, it is sent at
    once, and `confirmation` says to which phone.
    """
    basket = _basket(here, who, body, body.id)
    with once.recording() as done:
        held = hold(done.connection, here.program, basket, here.now(), _confirmer(here))
        answer = _out(here, done.connection, body.id, held)
        response = done(200 if answer.repeated else 201, answer.out)
    return _with_code(here, body.id, answer.drawn, response)


@routes.get("/{id}", **asks("checkout:write", "unknown_hold", "wrong_store"))
def show(here: Here, who: Who, id: HoldPath) -> HoldOut:  # noqa: A002 - its name in the address
    """A hold as it stands."""
    with here.database.read() as connection:
        _own(who, connection, id)
        return _shown(here, connection, id)


@routes.put(
    "/{id}", **asks("checkout:write", "unknown_hold", *REFUSALS, *OVER, *PHONE, *ONCE, answer=HoldOut)
)
def put(
    here: Here,
    who: Who,
    once: Once,
    id: HoldPath,  # noqa: A002 - its name in the address
    body: HeldCartIn,
) -> Response:
    """Hold for another cart of the same customer; the same cart is held longer."""
    basket = _basket(here, who, body, id)
    with once.recording() as done:
        _own(who, done.connection, id)
        held = change(done.connection, here.program, basket, here.now(), _confirmer(here))
        answer = _out(here, done.connection, id, held)
        response = done(200, answer.out)
    return _with_code(here, id, answer.drawn, response)


@routes.post(
    "/{id}/code",
    **asks(
        "checkout:write", "unknown_hold", "wrong_store", *OVER, *PHONE, "no_code_needed", "code_too_soon",
        "busy", *ONCE, answer=ConfirmationOut,
    ),
)  # fmt: skip
def send_another(
    here: Here,
    who: Who,
    once: Once,
    request: Request,
    id: HoldPath,  # noqa: A002 - its name in the address
) -> Response:
    """Send the customer another code; the one before is good no more."""
    with once.recording() as done:
        row = _own(who, done.connection, id)
        drawn = new_code(done.connection, id, here.now(), _confirmer(here))
        if isinstance(drawn, Refusal):
            raise refused(drawn)
        if isinstance(drawn, Waiting):
            seconds = ceil((drawn.until - here.now()).total_seconds())
            tell(request.scope, {"Retry-After": str(max(1, seconds))})
            raise refuse("code_too_soon", f"a code was just sent; ask again in {seconds} seconds")
        response = done(200, _shown(here, done.connection, id).confirmation, row.buyer_id)
    send_code(here, drawn)
    with here.database.read() as connection:
        return answered(response.status_code, _shown(here, connection, id).confirmation)


@routes.post("/{id}/commit", **asks(
    "checkout:write", "unknown_hold", "hold_cancelled", "hold_expired", *CODES, *REFUSALS, *ONCE,
    answer=ReceiptOut, created=True,
))  # fmt: skip
def end(
    here: Here,
    who: Who,
    once: Once,
    id: HoldPath,  # noqa: A002 - its name in the address
    body: CommitIn | None = None,
) -> Response:
    """Make the receipt of a hold, at the time of its cart: 201. The same again: 200 with the same answer."""
    code = body.code if body else None
    with once.recording() as done:
        _own(who, done.connection, id)
        outcome = commit(done.connection, here.program, id, code, here.now(), _confirmer(here))
        # A wrong code is a try less: the transaction is committed though the request is refused.
        if not isinstance(outcome, Refusal):
            answer = ReceiptOut.model_validate(outcome.answer)
            return done(200 if outcome.repeated else 201, answer)
    raise refused(outcome, FIELDS)


@routes.post("/{id}/cancel", **asks(
    "checkout:write", "unknown_hold", "wrong_store", "committed", "busy", *ONCE, answer=CancelOut,
))  # fmt: skip
def let_go(
    here: Here,
    who: Who,
    once: Once,
    id: HoldPath,  # noqa: A002 - its name in the address
) -> Response:
    """Let the bonuses go. The same again gets the same answer; a committed hold is returned instead."""
    with once.recording() as done:
        _own(who, done.connection, id)
        outcome = cancel(done.connection, id, here.now())
        if isinstance(outcome, Refusal):
            raise refused(outcome)
        return done(200, CancelOut.model_validate(outcome.answer))


def _basket(here: Services, who: Caller, body: HeldCartIn, receipt: str) -> Basket:
    program = here.program
    check_store(who, body.store)
    check_currency(program, body.currency)
    return Basket(
        receipt, body.customer, lines_of(program, body.lines), body.store,
        points_of(program, body.pay_points), tuple(body.codes), body.at,
    )  # fmt: skip


def _own(who: Caller, connection: Connection, receipt: str) -> Any:
    """The hold's row; 404 for one that was never made, 403 for one of another store."""
    row = row_of(connection, receipt)
    if row is None or not row.cart:
        raise refuse("unknown_hold", f"nothing is on hold for receipt {receipt!r}", "id")
    check_store(who, row.cart["receipt"]["store"])
    return row


def _confirmer(here: Services) -> Confirmer:
    return Confirmer(here.workspace.secret)


class _Answer:
    """A hold in words; `drawn` is a code that is still to be sent."""

    def __init__(self, out: HoldOut, held: Held) -> None:
        self.out, self.repeated, self.drawn = out, held.repeated, held.drawn


def _out(here: Services, connection: Connection, receipt: str, held: Held | Refusal) -> _Answer:
    if isinstance(held, Refusal):
        raise refused(held, FIELDS)
    return _Answer(_shown(here, connection, receipt), held)


def _shown(here: Services, connection: Connection, receipt: str) -> HoldOut:
    row, now = row_of(connection, receipt), here.now()
    assert row is not None
    answer: Mapping[str, Any] = row.cart["answer"]
    code = asdict(status(connection, row, now)) if row.cart["confirm"] else None
    if code is not None:
        code["to"] = code.pop("phone")
    return HoldOut.model_validate({**answer, "state": state_of(row, now), "confirmation": code})


def _with_code(here: Services, receipt: str, drawn: Drawn | None, response: Response) -> Response:
    """The answer once the code is on its way; what is kept of the request says that it was being sent."""
    if drawn is None:
        return response
    send_code(here, drawn)
    with here.database.read() as connection:
        body = to_json(_shown(here, connection, receipt))
    return Response(body, response.status_code, media_type="application/json")
