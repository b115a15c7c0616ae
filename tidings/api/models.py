"""What tills and shops send and get. Amounts are decimals in whole units, better as text than as numbers."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from core.clock import possible
from core.customers import LOCALE, email_address, phone_number

Amount = Annotated[Decimal, Field(max_digits=15, decimal_places=6)]
Name = Annotated[str, Field(max_length=200)]
Identifier = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^/\s\x00]([^/\x00]*[^/\s\x00])?$")
]
# JSON knows no NaN and no infinity, though Python's reader does.
Scalar = str | int | Annotated[float, Field(allow_inf_nan=False)] | bool | None
Moment = Annotated[AwareDatetime, AfterValidator(possible)]


def _phone(value: str | None) -> str | None:
    return phone_number(value) if value else value


def _email(value: str | None) -> str | None:
    return email_address(value) if value else value


def _locale(value: str | None) -> str | None:
    if value and not LOCALE.fullmatch(value):
        raise ValueError("the locale must look like uk or uk-UA")
    return value


class Body(BaseModel):
    """A request: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)

    @field_validator("*")
    @classmethod
    def _no_nul(cls, value: object) -> object:
        pairs = value.items() if isinstance(value, dict) else ((value, None),)
        if any("\0" in text for pair in pairs for text in pair if isinstance(text, str)):
            raise ValueError("a NUL character cannot be kept")
        return value


class CustomerIn(Body):
    """A customer to register or to change. What is left out stays as it is; null or "" empties it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "external_id": "10042", "name": "Олена Коваль", "phone": "+380501234567",
            "email": "olena@example.com", "birthday": "1990-03-14", "locale": "uk", "city": "Kyiv",
            "time_zone": "Europe/Kyiv", "card": "KV20261234", "attributes": {"pet": "cat"},
        }]}
    )  # fmt: skip

    external_id: Identifier = Field(description="The customer's number in your system; it never changes.")
    card: Annotated[str, Field(max_length=100)] | None = Field(None, description="The number on their card.")
    name: Name | None = None
    phone: Annotated[Name | None, AfterValidator(_phone)] = Field(None, description="In international form.")
    email: Annotated[str | None, AfterValidator(_email)] = None
    birthday: date | None = Field(None, description="May be corrected, not emptied.")
    gender: Literal["female", "male", "other", ""] | None = None
    city: Name | None = None
    locale: Annotated[str | None, AfterValidator(_locale)] = Field(None, description="uk or uk-UA.")
    time_zone: Name | None = Field(None, description="Of the IANA database; the program's if unknown.")
    registered_at: Moment | None = Field(None, description="Only for a new customer; now if left out.")
    attributes: dict[Name, Scalar] = Field(
        default_factory=dict, max_length=100, description="What else you know; added to what is there."
    )


class ConsentIn(Body):
    """One choice of the customer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"channel": "email", "granted": True, "source": "checkout"}]}
    )

    channel: str = Field(description="email, sms, push …")
    granted: bool
    purpose: Literal["marketing"] = "marketing"
    source: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        "api", description="Where they said so."
    )
    at: Moment | None = Field(None, description="When they said so; now if left out.")


class ConsentValue(Body):
    """One choice for the channel that the address names."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"granted": False, "source": "account page"}]})

    granted: bool
    source: Annotated[str, Field(min_length=1, max_length=100)] = "api"
    at: Moment | None = None


class ConsentsIn(Body):
    """Several choices at once."""

    consents: list[ConsentIn] = Field(min_length=1, max_length=50)


class AddressIn(Body):
    """A phone with the shop's app. Phone numbers and email addresses belong to the customer's profile."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "push", "value": "dGhpcyBpcyBh:APA91b"}]}
    )

    kind: Literal["push"]
    value: str = Field(
        min_length=1, max_length=4096, pattern=r"^[A-Za-z0-9_:.-]+$", description="The token from Firebase."
    )


class LineIn(Body):
    """A line of a receipt; `total` in whole money after discounts."""

    sku: Annotated[str, Field(min_length=1, max_length=100)]
    quantity: Amount = Field(Decimal(1), gt=0, description="Three decimal places at most.")
    total: Amount = Field(ge=0)


class ReceiptIn(Body):
    """A purchase. Sent again with the same `id` and content it changes nothing and gets the same answer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "id": "R-2026-000173", "customer": "10042", "at": "2026-03-01T10:15:00+02:00", "store": "kyiv-1",
            "lines": [{"sku": "flat-white", "quantity": "2", "total": "170.00"}], "pay_points": "20",
        }]}
    )  # fmt: skip

    id: Identifier
    customer: Identifier = Field(description="The customer's external id.")
    at: Moment = Field(description="When it was paid, with the offset from UTC.")
    store: Annotated[str, Field(max_length=100)] | None = None
    lines: list[LineIn] = Field(min_length=1, max_length=1000)
    pay_points: Amount = Field(Decimal(0), ge=0, description="Whole bonuses that pay for a part of it.")


class ReturnIn(Body):
    """The return of a whole receipt."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"at": "2026-03-02T18:40:00+02:00"}]})

    at: Moment | None = Field(None, description="When the goods came back; now if left out.")


class Tier(BaseModel):
    """The customer's level; `missing` is the money still to be spent to the `next` one."""

    name: str
    earn_percent: str
    since: date | None
    next: str | None
    missing: str | None


class Expiring(BaseModel):
    """What expires on the nearest expiry day."""

    amount: str
    on: date | None


class LotOut(BaseModel):
    """Bonuses of one accrual that are not used up; a debt is negative."""

    reason: str
    amount: str
    remaining: str
    active_from: datetime
    expires_on: date | None


class ConsentOut(BaseModel):
    """A choice in force."""

    channel: str
    purpose: str
    granted: bool
    at: datetime
    source: str | None


class CustomerOut(BaseModel):
    """A customer with their bonuses: `balance` is all of them, `available` what may be spent now."""

    external_id: str
    card: str | None
    name: str | None
    phone: str | None
    email: str | None
    birthday: date | None
    gender: str | None
    city: str | None
    locale: str | None
    time_zone: str | None
    attributes: dict[str, Any]
    registered_at: datetime
    balance: str
    available: str
    tier: Tier
    expiring: Expiring
    lots: list[LotOut]
    consents: list[ConsentOut]
    warnings: list[str] = []


class ReceiptOut(BaseModel):
    """What a receipt brought and cost, in whole bonuses; `tier` is the level after it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "receipt": "R-2026-000173", "customer": "10042", "earned": "5.1", "spent": "20",
            "balance": "485.1", "available": "485.1", "tier": "bronze",
        }]}
    )  # fmt: skip

    receipt: str
    customer: str
    earned: str
    spent: str
    balance: str
    available: str
    tier: str | None


class ReturnOut(BaseModel):
    """What a return took and gave back; `debt` is what was already spent and is owed."""

    receipt: str
    customer: str
    earned: str
    taken_back: str
    debt: str
    given_back: str
    balance: str
    available: str
    tier: str | None


class ProblemOut(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "type": "about:blank", "title": "Some of this is wrong", "status": 422, "code": "invalid",
            "detail": "lines[0].total: input should be greater than or equal to 0",
            "errors": [{"field": "lines[0].total", "message": "input should be greater than or equal to 0"}],
        }]}
    )  # fmt: skip

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[dict[str, str]] = []
