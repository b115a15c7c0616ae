"""What tills and shops send. Amounts are decimals in whole units, better as text than as numbers."""

import math
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
)

from core.clock import possible
from core.customers.profiles import LOCALE, email_address, phone_number
from core.imports.values import compared
from core.letters import is_seen, one_line
from tidings.api import examples
from tidings.api.plain import DECIMAL, TIME, WHOLE

NO_GOODS = "is empty; name the goods that came back, or leave `lines` out to return all that is left"
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DIGITS = re.compile(r"-?[0-9]+")
_ONE_LINE = "One line: tabs and line ends become spaces, control characters are taken out."
_NUMERIC = re.compile(r"\s*[+-]?\d*\.?\d*\s*")


def _amount(value: object) -> object:
    # Python reads more than people write: "1_000", "1e1", digits of other scripts.
    if isinstance(value, bool) or (isinstance(value, str) and not _PLAIN.fullmatch(value)):
        raise ValueError(DECIMAL)
    return value


def _whole(value: object) -> object:
    # Python counts with True, and reads "+5", "1_000" and digits of other scripts.
    if isinstance(value, bool) or (isinstance(value, str) and not _DIGITS.fullmatch(value)):
        raise ValueError(WHOLE)
    return value


def _time(value: object) -> object:
    # A bare number would be taken for seconds since 1970, and nobody would see by how much it is wrong.
    if not isinstance(value, str | datetime) or (isinstance(value, str) and _NUMERIC.fullmatch(value)):
        raise ValueError(TIME)
    return value


Amount = Annotated[Decimal, BeforeValidator(_amount), Field(max_digits=15, decimal_places=6)]
Whole = Annotated[int, BeforeValidator(_whole)]
Name = Annotated[str, Field(max_length=200)]
Line = Annotated[Name, AfterValidator(one_line)]
Identifier = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^/\s\x00]([^/\x00]*[^/\s\x00])?$")
]
Sku = Annotated[str, Field(min_length=1, max_length=100)]
Label = Annotated[str, Field(min_length=1, max_length=100)]
Currency = Annotated[str, Field(min_length=3, max_length=3, description="ISO 4217, such as UAH.")]


def _scalar(value: object) -> object:
    # Said at once: each part of the union would say what it had rather been.
    if isinstance(value, (dict, list)):
        raise ValueError("must be text, a number, true, false or null")
    # JSON knows no NaN and no infinity, though Python's reader does.
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a number, neither NaN nor infinity")
    return compared(value)


Scalar = Annotated[
    str | int | Annotated[float, Field(allow_inf_nan=False)] | bool | None, BeforeValidator(_scalar)
]
Moment = Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(possible)]


def _phone(value: str | None) -> str | None:
    return phone_number(value) if value else value


def _email(value: str | None) -> str | None:
    return email_address(value) if value else value


def _locale(value: str | None) -> str | None:
    if value and not LOCALE.fullmatch(value):
        raise ValueError("the locale must look like uk or uk-UA")
    return value


def _seen(value: str | None) -> str | None:
    if value and not is_seen(value):
        raise ValueError("has nothing in it that can be seen")
    return value


class Body(BaseModel):
    """A request: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)

    @field_validator("*")
    @classmethod
    def _no_nul(cls, value: object) -> object:
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        texts = parts if isinstance(parts, list) else [parts]
        if any("\0" in text for text in texts if isinstance(text, str)):
            raise ValueError("a NUL character cannot be kept")
        return value


class CustomerIn(Body):
    """A customer to register or to change. What is left out stays as it is; null or "" empties it."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CUSTOMER_IN, examples.SISTER_IN]})

    external_id: Annotated[Identifier, AfterValidator(_seen)] = Field(
        description="The customer's number in your system; it never changes."
    )
    card: Annotated[Annotated[str, Field(max_length=100)] | None, AfterValidator(_seen)] = Field(
        None, description="The number on their card."
    )
    name: Line | None = Field(None, description=_ONE_LINE)
    phone: Annotated[Name | None, AfterValidator(_phone)] = Field(None, description="In international form.")
    email: Annotated[str | None, AfterValidator(_email)] = None
    birthday: date | None = Field(None, description="The whole date; null empties it.")
    gender: Literal["female", "male", "other", ""] | None = None
    city: Line | None = Field(None, description=_ONE_LINE)
    locale: Annotated[str | None, AfterValidator(_locale)] = Field(None, description="uk or uk-UA.")
    time_zone: Name | None = Field(None, description="Of the IANA database; the program's if unknown.")
    registered_at: Moment | None = Field(None, description="Only for a new customer; now if left out.")
    attributes: dict[Name, Scalar] = Field(
        default_factory=dict, max_length=100, description="What else you know; added to what is there."
    )
    referred_by: Identifier | None = Field(
        None, description="Who brought them: an external id, a card, or that customer's own code for friends."
    )


class ProofIn(Body):
    """What shows later that the customer said so; only what you give is kept, and nothing else needs it."""

    form: Annotated[str, Field(max_length=200)] | None = Field(None, description="The form or page, by name.")
    url: Annotated[str, Field(max_length=2000)] | None = Field(None, description="The page's address.")
    locale: Annotated[str, Field(max_length=20)] | None = Field(
        None, description="The language of the words."
    )
    text: Annotated[str, Field(max_length=2000)] | None = Field(
        None, description="The words that were shown, or what the customer wrote."
    )
    ip: Annotated[str, Field(max_length=45)] | None = Field(None, description="Only if you must keep it.")
    user_agent: Annotated[str, Field(max_length=500)] | None = Field(None, description="The browser or app.")
    confirmed_at: Moment | None = Field(
        None, description="When they confirmed it by a letter of yours; then none of ours is sent."
    )


Wording = Annotated[str, Field(max_length=40)]


class ConsentIn(Body):
    """One choice of the customer."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CONSENT_IN]})

    channel: str = Field(description="email, sms, push …")
    granted: bool
    purpose: Annotated[str, Field(min_length=1, max_length=40)] = Field(
        "marketing", description="`marketing`, or a purpose of program.yaml."
    )
    source: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        "api", description="Where they said so."
    )
    at: Moment | None = Field(None, description="When they said so; now if left out.")
    wording: Wording | None = Field(None, description="The version of the words that they were shown.")
    proof: ProofIn | None = None


class ConsentValue(Body):
    """One choice for the channel that the address names."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CONSENT_VALUE]})

    granted: bool
    source: Annotated[str, Field(min_length=1, max_length=100)] = "api"
    at: Moment | None = None
    wording: Wording | None = None
    proof: ProofIn | None = None


class ConsentsIn(Body):
    """Several choices at once."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CONSENTS_IN]})

    consents: list[ConsentIn] = Field(min_length=1, max_length=50)


class AddressIn(Body):
    """A phone with the shop's app. Phone numbers and email addresses belong to the customer's profile."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ADDRESS_IN]})

    kind: Literal["push"]
    value: str = Field(
        min_length=1, max_length=4096, pattern=r"^[A-Za-z0-9_:.-]+$", description="The token from Firebase."
    )


class LineIn(Body):
    """A line of a receipt; `total` in whole money after discounts."""

    sku: Sku
    quantity: Amount = Field(Decimal(1), gt=0, description="Three decimal places at most.")
    total: Amount = Field(ge=0)
    category: Label | None = Field(None, description="If the till knows better than the catalogue.")
    brand: Label | None = None
    discounted: bool = Field(False, description="Whether the price was lowered.")


class ReceiptIn(Body):
    """A purchase. Sent again with the same `id` and content it changes nothing and gets the same answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RECEIPT_IN]})

    id: Identifier
    customer: Identifier = Field(description="The customer's external id.")
    at: Moment = Field(description="When it was paid, with the offset from UTC.")
    store: Annotated[str, Field(max_length=100)] | None = None
    currency: Currency | None = Field(None, description="The program's own, if it is said at all.")
    lines: list[LineIn] = Field(min_length=1, max_length=1000)
    pay_points: Amount = Field(Decimal(0), ge=0, description="Whole bonuses that pay for a part of it.")
    codes: list[Label] = Field(default_factory=list, max_length=20, description="Promo codes.")
    offline: bool = Field(
        False, description="The goods are gone: recorded even if its bonuses were spent elsewhere meanwhile."
    )


class BackIn(Body):
    """Goods that came back: a line by its number (from 1) or its sku."""

    line: Whole | None = Field(None, ge=1, le=1000)
    sku: Sku | None = None
    quantity: Amount | None = Field(None, gt=0, description="All that is left of the line if left out.")


class ReturnIn(Body):
    """A return: of some lines, or of all that is left. Several returns of one receipt each need an `id`."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RETURN_IN]})

    id: Identifier | None = Field(None, description="Tells several returns of one receipt apart.")
    at: Moment | None = Field(None, description="When the goods came back; now if left out.")
    lines: list[BackIn] = Field(
        default_factory=list, min_length=1, max_length=1000, description="All that is left if left out."
    )

    @field_validator("lines", mode="before")
    @classmethod
    def _some(cls, value: object) -> object:
        # A till that lost its lines must not return the whole receipt.
        if value == []:
            raise ValueError(NO_GOODS)
        return value
