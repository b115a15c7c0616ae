"""Promo codes over the API: made, listed, looked at, taken out of use, and used without a purchase."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from core.customers.holders import people, unknown
from core.grants.activations import Activation, activate
from core.grants.coupons import (
    LENGTH,
    Look,
    Made,
    Request,
    coupons,
    disable,
    look,
    make_coupons,
    state_of,
    uses_of,
)
from core.ledger.lots import Refusal
from tidings.api.access import Here, asks
from tidings.api.acts import GivenOut, NothingOut
from tidings.api.bodies import Body, Identifier, Whole
from tidings.api.idempotency import Once
from tidings.api.lookup import CustomerPath
from tidings.api.paging import Page, Paged
from tidings.api.problems import Refused, refuse
from tidings.api.services import Services

routes = APIRouter(tags=["Promo codes"])

FIELDS = {
    "unknown_customer": "customer", "unknown_rule": "rule", "bad_amount": "count", "bad_code": "code",
    "bad_dates": "last_day", "conflict": "id",
}  # fmt: skip
MAKING = ("unknown_customer", "unknown_rule", "bad_amount", "bad_code", "bad_dates", "conflict")
MOST_AT_ONCE = 10_000
Text = Annotated[str, Field(min_length=1, max_length=100)]
CodePath = Annotated[
    Text, Path(description="The code; neither case nor dashes matter.", examples=["HK7WQ3NA4D"])
]


class _Terms(Body):
    """For whom and when."""

    id: Identifier = Field(description="Of the request; the same again makes nothing new.")
    rule: Text = Field(description="A rule of program.yaml with `codes: coupons`.")
    customer: Identifier | None = Field(None, description="Whose they are; anybody's if left out.")
    first_day: date | None = Field(None, description="In the program's zone; at once if left out.")
    last_day: date | None = Field(None, description="This day included; without end if left out.")
    uses_at_most: Whole = Field(1, ge=1, le=1_000_000_000)


class CodeIn(_Terms):
    """One code, of your own or drawn."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "id": "apology-771", "rule": "apology", "customer": "10042", "last_day": "2026-04-30",
            "code": "HK7W-Q3NA-4D",
        }]}
    )  # fmt: skip

    code: Text | None = Field(None, description="Your own text; drawn if left out.")


class CodesIn(_Terms):
    """Many coupons at once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "id": "letters-march", "rule": "apology", "count": 20, "length": 10, "last_day": "2026-05-31",
        }]}
    )  # fmt: skip

    count: Whole = Field(ge=1, le=MOST_AT_ONCE)
    length: Whole = Field(LENGTH, description="Letters and digits of a code, 8 to 32.")


class ActivationIn(Body):
    """A code that the customer gives without a purchase."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "HK7W-Q3NA-4D"}]})

    code: Text
    id: Identifier | None = Field(None, description="Of the request; one for each code if left out.")


class UseOut(BaseModel):
    """One use; `freed_at` if a return freed the code again."""

    customer: str
    receipt: str | None
    rule: str
    at: datetime
    freed_at: datetime | None


class CodeOut(BaseModel):
    """A code. Of one in program.yaml the rule says the dates and limits; `rule` is null once it is gone."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "code": "HK7WQ3NA4D", "rule": "apology", "source": "coupon", "batch": "apology-771",
            "customer": "10042", "state": "open", "first_day": None, "last_day": "2026-04-30",
            "uses": 0, "uses_at_most": 1,
        }]}
    )  # fmt: skip

    code: str
    rule: str
    source: Literal["coupon", "program"]
    batch: str | None
    customer: str | None
    state: Literal["open", "used", "disabled"]
    first_day: date | None
    last_day: date | None
    uses: int
    uses_at_most: int | None


class CodeWithUses(CodeOut):
    """A code and its uses, the first ones first, a page at a time."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "code": "HK7WQ3NA4D", "rule": "apology", "source": "coupon", "batch": "apology-771",
            "customer": "10042", "state": "used", "first_day": None, "last_day": "2026-04-30",
            "uses": 1, "uses_at_most": 1,
            "used": {
                "items": [{"customer": "10042", "receipt": None, "rule": "apology",
                           "at": "2026-03-01T08:15:00Z", "freed_at": None}],
                "next": None,
            },
        }]}
    )  # fmt: skip

    used: Page[UseOut]


class MadeOut(BaseModel):
    """The codes of a request."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "id": "letters-march", "rule": "apology", "codes": ["7YQ4HD2KXN", "M2X9T6RBPC"],
        }]}
    )  # fmt: skip

    id: str
    rule: str
    codes: list[str]


class ActivatedOut(BaseModel):
    """What a code brought."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "customer": "10042", "code": "HK7W-Q3NA-4D",
            "given": [{"rule": "apology", "points": "25", "account": "base",
                       "starts_at": "2026-03-01T08:15:00Z", "expires_on": "2026-08-28"}],
            "nothing": [], "balance": "75", "available": "75",
        }]}
    )  # fmt: skip

    customer: str
    code: str
    given: list[GivenOut]
    nothing: list[NothingOut]
    balance: str
    available: str


@routes.post("/promo-codes", **asks(
    "codes:write", *MAKING, "code_taken", answer=CodeOut, created=True
))  # fmt: skip
def create(here: Here, once: Once, body: CodeIn) -> Response:
    """Make one coupon: 201. The same request again: 200 with the same code."""
    with once.recording() as done:
        made = _make(here, done.connection, body, text=body.code)
        shown = _shown(_found(look(done.connection, here.program, made.codes[0])))
        return done(200 if made.repeated else 201, shown)


@routes.post("/promo-codes/generate", **asks(
    "codes:write", *MAKING, answer=MadeOut, created=True
))  # fmt: skip
def generate(here: Here, once: Once, body: CodesIn) -> Response:
    """Make many coupons: 201. The same request again: 200 with the same codes."""
    with once.recording() as done:
        made = _make(here, done.connection, body, count=body.count, length=body.length)
        answer = MadeOut(id=body.id, rule=body.rule, codes=list(made.codes))
        return done(200 if made.repeated else 201, answer)


@routes.get("/promo-codes", **asks("codes:read", "unknown_customer", "wrong_cursor"))
def list_(
    here: Here, paged: Paged, rule: Text | None = None, batch: Text | None = None,
    customer: Identifier | None = None, state: Literal["open", "used", "disabled"] | None = None,
) -> Page[CodeOut]:  # fmt: skip
    """Coupons, in the order in which they were made."""
    [after] = paged.place("promo-codes") or [0]
    with here.database.read() as connection:
        whose = _customer(connection, customer)
        rows = coupons(
            connection, rule=rule, batch=batch, customer_id=whose, state=state, after=after,
            limit=paged.most,
        )  # fmt: skip
    return paged.page("promo-codes", rows, lambda row: [row.id], _row)


@routes.get("/promo-codes/{code}", **asks("codes:read", "unknown_code", "wrong_cursor"))
def show(here: Here, paged: Paged, code: CodePath) -> CodeWithUses:
    """One code with its uses."""
    [after] = paged.place("uses") or [0]
    with here.database.read() as connection:
        found = _shown(_found(look(connection, here.program, code)))
        rows = uses_of(connection, code, after=after, limit=paged.most)
    return CodeWithUses(**found.model_dump(), used=paged.page("uses", rows, lambda row: [row.id], _used))


@routes.post("/promo-codes/{code}/disable", **asks("codes:write", "unknown_code", answer=CodeOut))
def take_out(here: Here, once: Once, code: CodePath) -> Response:
    """Take a code out of use; what was given with it stays. Once more changes nothing."""
    with once.recording() as done:
        return done(200, _shown(_found(disable(done.connection, here.program, code, here.now()))))


@routes.post("/customers/{external_id}/promo-codes", **asks(
    "acts:write", "unknown_customer", "unknown_code", "code_used", "code_not_yet", "code_over",
    "code_not_yours", "code_limit", "code_not_here", "limit", "conflict", answer=ActivatedOut,
    created=True,
))  # fmt: skip
def use(here: Here, once: Once, external_id: CustomerPath, body: ActivationIn) -> Response:
    """Use a code of a rule `on: promo_code`: its bonuses are given at once, 201. Again: 200."""
    request = Activation(external_id, body.code, body.id)
    with once.recording() as done:
        outcome = activate(done.connection, here.program, request, here.now(), live=True)
        if isinstance(outcome, Refusal):
            raise _problem(outcome, "code")
        return done(200 if outcome.repeated else 201, ActivatedOut.model_validate(outcome.answer))


def _problem(refusal: Refusal, field: str) -> Refused:
    """The answer to a refusal; `field` is the part that it is about, if no other is."""
    return refuse(refusal.reason, refusal.detail, FIELDS.get(refusal.reason, field))


def _make(
    here: Services, connection: Connection, body: _Terms, *, text: str | None = None, count: int = 1,
    length: int = LENGTH,
) -> Made:  # fmt: skip
    request = Request(
        body.id, body.rule, count, length, text, _customer(connection, body.customer), body.first_day,
        body.last_day, body.uses_at_most,
    )  # fmt: skip
    made = make_coupons(connection, here.program, request, here.now())
    if isinstance(made, Refusal):
        raise _problem(made, "code")
    return made


def _customer(connection: Connection, external_id: str | None) -> int | None:
    if external_id is None:
        return None
    person = people(connection, [external_id]).get(external_id)
    if person is None:
        raise _problem(unknown(external_id), "customer")
    return person.id


def _found(found: Look | Refusal) -> Look:
    if isinstance(found, Refusal):
        raise _problem(found, "code")
    return found


def _used(row: Any) -> UseOut:
    return UseOut(
        customer=row.external_id, receipt=row.receipt, rule=row.rule, at=row.at, freed_at=row.freed_at
    )


def _shown(found: Look) -> CodeOut:
    if found.row is not None and found.row.batch is not None:
        return _row(found.row, found.uses)
    spec, row = found.spec, found.row
    disabled = row is not None and row.disabled_at is not None
    full = spec is not None and spec.uses_at_most is not None and found.uses >= spec.uses_at_most
    return CodeOut(
        code=found.code, rule=spec.rule if spec else row.rule if row else "", source="program", batch=None,
        customer=None, state="disabled" if disabled else "used" if full else "open",
        first_day=spec and spec.from_, last_day=spec and spec.until, uses=found.uses,
        uses_at_most=spec and spec.uses_at_most,
    )  # fmt: skip


def _row(row: Any, uses: int | None = None) -> CodeOut:
    return CodeOut(
        code=row.code, rule=row.rule, source="coupon", batch=row.batch, customer=row.external_id,
        state=state_of(row), first_day=row.first_day, last_day=row.last_day,
        uses=row.uses if uses is None else uses, uses_at_most=row.uses_at_most,
    )  # fmt: skip
