"""What the shop's system tells of customers besides purchases, and the codes by which they bring friends."""

from datetime import date, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from core.customers.holders import people, unknown
from core.grants.acts import ACTS, Told, tell
from core.grants.referrals import friends, referral_code
from core.ledger.lots import Refusal
from tidings.api.access import Here, asks
from tidings.api.bodies import Body, Identifier, Moment, Name, Scalar
from tidings.api.idempotency import Once
from tidings.api.lookup import CustomerPath, known
from tidings.api.paging import Page, Paged
from tidings.api.problems import refused

routes = APIRouter(tags=["Grants"])

FIELDS = {
    "unknown_customer": "customer", "unknown_act": "act", "in_the_future": "at", "conflict": "id",
    "unknown_friend": "friend", "self_referral": "friend", "circular_referral": "friend",
    "already_referred": "friend", "already_bought": "friend",
}  # fmt: skip


class ActIn(Body):
    """Something a customer did. Told again with the same `id` and content it changes nothing."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "id": "review-88121", "customer": "10042", "act": "review", "at": "2026-03-01T10:15:00+02:00",
            "data": {"product": "flat-white", "stars": 5},
        }]}
    )  # fmt: skip

    id: Identifier = Field(description="Of the act, in your system.")
    customer: Identifier = Field(description="The customer's external id.")
    act: str = Field(max_length=50, description=f"{', '.join(ACTS)}, or one of the program's own `events`.")
    at: Moment | None = Field(None, description="When it was done; now if left out.")
    friend: Identifier | None = Field(None, description="Of a referral: the external id of who was brought.")
    data: dict[Name, Scalar] = Field(
        default_factory=dict, max_length=50, description="What else you know; scenarios may use it."
    )


class GivenOut(BaseModel):
    """What a rule gave, in whole bonuses."""

    rule: str
    points: str
    account: str
    starts_at: datetime
    expires_on: date | None


class NothingOut(BaseModel):
    """A rule that gave nothing. `reason`: again, not_yet, over, limit, incomplete, gone."""

    rule: str
    reason: str
    detail: str


class ActOut(BaseModel):
    """What an act brought."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "id": "review-88121", "customer": "10042", "act": "review",
            "given": [{"rule": "review", "points": "10", "account": "base",
                       "starts_at": "2026-03-01T08:15:00Z", "expires_on": "2026-08-28"}],
            "nothing": [], "balance": "60", "available": "60",
        }]}
    )  # fmt: skip

    id: str
    customer: str
    act: str
    given: list[GivenOut]
    nothing: list[NothingOut]
    balance: str
    available: str


class ReferralCodeOut(BaseModel):
    """The code that a customer gives to friends, who name it in `referred_by`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer": "10042", "code": "HK7WQ3NA"}]})

    customer: str
    code: str


class FriendOut(BaseModel):
    """Somebody whom a customer has brought; `purchases` are those that were not brought back."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "customer": "10043", "registered_at": "2026-03-01T08:00:00Z", "purchases": 2,
        }]}
    )  # fmt: skip

    customer: str
    registered_at: datetime
    purchases: int


@routes.post("/events", **asks(
    "acts:write", "unknown_customer", "unknown_act", "unknown_friend", "in_the_future", "conflict",
    "self_referral", "circular_referral", "already_referred", "already_bought", answer=ActOut,
    created=True,
))  # fmt: skip
def post(here: Here, once: Once, body: ActIn) -> Response:
    """Tell an act: 201. The same again: 200 with the same answer. Other content under its id: 409.

    The answer says which rules gave what, and which gave nothing and why. What a friend's coming brings
    is given when the friend first buys, or as the rule says.
    """
    told = Told(body.id, body.customer, body.act, body.at, body.friend, body.data)
    with once.recording() as done:
        outcome = tell(done.connection, here.program, told, here.now(), live=True)
        if isinstance(outcome, Refusal):
            raise refused(outcome, FIELDS)
        return done(200 if outcome.repeated else 201, ActOut.model_validate(outcome.answer))


@routes.post("/customers/{external_id}/referral-code", **asks(
    "customers:write", "unknown_customer", answer=ReferralCodeOut
))  # fmt: skip
def own_code(once: Once, external_id: CustomerPath) -> Response:
    """The customer's own code for friends; made when it is first asked for, the same ever after."""
    with once.recording() as done:
        person = people(done.connection, [external_id]).get(external_id)
        if person is None:
            raise refused(unknown(external_id))
        code = referral_code(done.connection, person.id)
        return done(200, ReferralCodeOut(customer=external_id, code=code))


@routes.get(
    "/customers/{external_id}/friends", **asks("customers:read", "unknown_customer", "wrong_cursor")
)  # fmt: skip
def brought(here: Here, external_id: CustomerPath, paged: Paged) -> Page[FriendOut]:
    """Whom the customer has brought, the latest to register first."""
    after = paged.place("friends")
    with here.database.read() as connection:
        inviter = known(connection, external_id)
        rows = friends(connection, inviter.id, after[0] if after else None, paged.most)
    return paged.page("friends", rows, lambda row: [row.id], _friend)


def _friend(row: Any) -> FriendOut:
    return FriendOut(customer=row.external_id, registered_at=row.registered_at, purchases=row.purchases)
