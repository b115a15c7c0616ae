"""Households over the API."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from core.customers.holders import Person, people, unknown
from core.customers.households import Change, dissolve, household, join, leave, pass_on
from core.purchases.receipts import Outcome
from tidings.api.access import Here, asks
from tidings.api.bodies import Body, Identifier
from tidings.api.idempotency import Once
from tidings.api.people.common import Author, done_or_refused, number_of
from tidings.api.problems import refused
from tidings.api.services import Services

routes = APIRouter(prefix="/households", tags=["Households"])
ABOUT = "The external id of the household's head."
Head = Annotated[Identifier, Path(description=ABOUT, examples=["10042"])]
# Once the examples have made the member the head.
NewHead = Annotated[Identifier, Path(description=ABOUT, examples=["10077"])]
Member = Annotated[Identifier, Path(description="The member's external id.", examples=["10042"])]
Act = Callable[..., Outcome]


class MemberIn(Body):
    """Who joins, or becomes the head."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer": "10077"}]})

    customer: Identifier = Field(description="The customer's external id.")
    author: Author | None = None


class HouseholdOut(BaseModel):
    """Who shares the head's bonuses, and how many more may join."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"head": "10042", "members": ["10077"], "places": 4}]}
    )

    head: str
    members: list[str]
    places: int


@routes.get("/{head}", **asks("households:write", "unknown_customer"))
def show(here: Here, head: Head) -> HouseholdOut:
    """The household that a customer belongs to, as head or as member."""
    with here.database.read() as connection:
        person = _person(connection, head)
        return HouseholdOut.model_validate(household(connection, here.program, person.holder))


@routes.post(
    "/{head}/members",
    **asks(
        "households:write", "unknown_customer", "same_customer", "in_a_household", "household_full", "busy",
        answer=HouseholdOut,
    ),
)  # fmt: skip
def add(here: Here, once: Once, head: Head, body: MemberIn) -> Response:
    """Let a customer share the head's bonuses; their own go there. A member already: nothing changes."""
    change = Change(head, body.customer, body.author)
    with once.recording() as done:
        outcome = done_or_refused(join(done.connection, here.program, change, here.now(), live=True))
        answer = HouseholdOut.model_validate(outcome.answer)
        return done(200, answer, number_of(done.connection, head))


@routes.delete(
    "/{head}/members/{customer}",
    **asks("households:write", "unknown_customer", "is_the_head", "in_a_household", "busy"),
)
def remove(here: Here, head: NewHead, customer: Member) -> HouseholdOut:
    """Let a member leave; the bonuses stay with the household. Left already: nothing changes."""
    return _change(here, leave, Change(head, customer))


@routes.put("/{head}/head", **asks("households:write", "unknown_customer", "not_a_member", "busy"))
def name_head(here: Here, head: Head, body: MemberIn) -> HouseholdOut:
    """Make a member the head: the shared bonuses go to their account. The head already: nothing changes."""
    return _change(here, pass_on, Change(head, body.customer, body.author))


@routes.delete("/{head}", **asks("households:write", "unknown_customer", "not_the_head", "busy"))
def end(here: Here, head: NewHead) -> HouseholdOut:
    """Dissolve the household: the bonuses stay with the head. There is none: nothing changes."""
    with here.recording() as connection:
        outcome = done_or_refused(dissolve(connection, here.program, head, here.now(), live=True))
    return HouseholdOut.model_validate(outcome.answer)


def _change(here: Services, act: Act, change: Change) -> HouseholdOut:
    with here.recording() as connection:
        outcome = done_or_refused(act(connection, here.program, change, here.now(), live=True))
    return HouseholdOut.model_validate(outcome.answer)


def _person(connection: Connection, external_id: str) -> Person:
    person = people(connection, [external_id]).get(external_id)
    if person is None:
        raise refused(unknown(external_id))
    return person
