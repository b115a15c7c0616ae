"""Who stands at the till: one customer by whatever was read, or all of them page by page."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, or_, select, true

from core.customers.profiles import CUSTOMER
from core.program import Program
from tidings.api import examples
from tidings.api.access import Here, Who, asks, require
from tidings.api.bodies import Body, Moment
from tidings.api.lookup import SURVIVOR, email_in, identified, phone_in
from tidings.api.paging import Page, Paged
from tidings.balances import Balance, balances, holder_of

routes = APIRouter(tags=["Customers"])
Text = Annotated[str | None, Query(min_length=1, max_length=254)]


class IdentifyIn(Body):
    """What was read or said: a card, a wallet's barcode, an external id, a phone, an email."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.IDENTIFY]})

    code: Annotated[str, Field(min_length=1, max_length=254)] = Field(
        description="A phone also in the form of the program's country, such as 050 123 45 67."
    )


class CustomerShort(BaseModel):
    """A customer in short. `balance` is all of their bonuses, `available` what may be spent now."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CUSTOMER_SHORT]})

    external_id: str
    card: str | None
    name: str | None
    tier: str | None
    balance: str
    available: str
    updated_at: datetime


@routes.post(
    "/identify", **asks("customers:identify", "unknown_customer", "ambiguous_customer")
)  # fmt: skip
def identify(here: Here, body: IdentifyIn) -> CustomerShort:
    """One customer by whatever was read at the till. Changes nothing; a number never stands in an address."""
    program = here.program
    with here.database.read() as connection:
        row = identified(connection, program, body.code)
        found = balances(connection, [holder_of(row)], here.now())
    return _short(program, row, found)


@routes.get("/customers", **asks("customers:identify", "wrong_cursor"))
def list_customers(
    here: Here, who: Who, paged: Paged, card: Text = None, phone: Text = None, email: Text = None,
    barcode: Text = None, tier: Text = None, updated_since: Annotated[Moment | None, Query()] = None,
) -> Page[CustomerShort]:  # fmt: skip
    """Customers, page by page; with `card`, `phone`, `email` or `barcode` those whom these mean.

    Without one of these it is a list of everybody, for which a key needs the scope `customers:list`. What
    stands in an address may be logged by proxies: `POST /api/v1/identify` keeps it out.
    """
    if not (card or phone or email or barcode):
        require(who, "customers:list")
    program, after = here.program, paged.place("customers")
    meant = _meant(program, card=card, phone=phone, email=email, barcode=barcode)
    condition = true() if meant is None else CUSTOMER.c.id.in_(select(SURVIVOR).where(meant))
    condition &= CUSTOMER.c.erased_at.is_(None) & CUSTOMER.c.merged_into.is_(None)
    if tier:
        condition &= CUSTOMER.c.tier == tier
    if updated_since:
        condition &= CUSTOMER.c.updated_at >= updated_since
    if after:
        condition &= CUSTOMER.c.id > after[0]
    with here.database.read() as connection:
        chosen = select(CUSTOMER).where(condition).order_by(CUSTOMER.c.id).limit(paged.most)
        rows = connection.execute(chosen).all()
        found = balances(connection, {holder_of(row) for row in rows}, here.now())
    return paged.page("customers", rows, lambda row: [row.id], lambda row: _short(program, row, found))


def _meant(
    program: Program, *, card: str | None, phone: str | None, email: str | None, barcode: str | None
) -> ColumnElement[bool] | None:
    """Who is meant, duplicates that were merged included; None for everybody."""
    conditions: list[ColumnElement[bool]] = []
    if card:
        conditions.append(CUSTOMER.c.card == card)
    if phone:
        conditions.append(CUSTOMER.c.phone == (phone_in(program, phone) or phone))
    if email:
        conditions.append(CUSTOMER.c.email == email_in(email))
    if barcode:
        # A wallet's barcode is the card's number, or the external id of who has none.
        conditions.append(or_(CUSTOMER.c.card == barcode, CUSTOMER.c.external_id == barcode))
    if not conditions:
        return None
    together: ColumnElement[bool] = true()
    for condition in conditions:
        together &= condition
    return together


def _short(program: Program, row: Any, found: Mapping[int, Balance]) -> CustomerShort:
    balance = found.get(holder_of(row)) or Balance()
    return CustomerShort(
        external_id=row.external_id, card=row.card, name=row.name, tier=row.tier,
        balance=str(program.from_points(balance.total)),
        available=str(program.from_points(balance.available)), updated_at=row.updated_at,
    )  # fmt: skip
