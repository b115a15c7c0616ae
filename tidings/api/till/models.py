"""What tills send and get while a customer stands there. Amounts are decimals in whole units, as text."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tidings.api.answers import Expiring, GaveOut, Tier
from tidings.api.bodies import Amount, Body, Currency, Identifier, Label, LineIn, Moment
from tidings.api.till import examples

Locale = Annotated[str, Field(max_length=20, description="The cashier's language, such as uk or en-GB.")]


class CartIn(Body):
    """A cart: a receipt without a number. Without `customer` it is nobody's."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CART]})

    customer: Identifier | None = Field(None, description="The customer's external id.")
    at: Moment | None = Field(None, description="Now if left out.")
    store: Annotated[str, Field(max_length=100)] | None = None
    currency: Currency | None = Field(None, description="The program's own, if it is said at all.")
    lines: list[LineIn] = Field(
        min_length=1, max_length=1000, description="Priced as the till has them, before the level's discount."
    )
    pay_points: Amount | None = Field(None, ge=0, description="So many bonuses are worked out as well.")
    codes: list[Label] = Field(default_factory=list, max_length=20, description="Promo codes.")
    locale: Locale | None = None


class HeldCartIn(Body):
    """A cart to hold bonuses for; its lines as the receipt will have them."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.HELD_CART]})

    customer: Identifier = Field(description="The customer's external id.")
    at: Moment | None = Field(None, description="The receipt's time; when it is first held if left out.")
    store: Annotated[str, Field(max_length=100)] | None = None
    currency: Currency | None = Field(None, description="The program's own, if it is said at all.")
    lines: list[LineIn] = Field(min_length=1, max_length=1000, description="After all discounts.")
    pay_points: Amount = Field(Decimal(0), ge=0, description="Whole bonuses to set aside.")
    codes: list[Label] = Field(default_factory=list, max_length=20, description="Promo codes.")


class HoldIn(HeldCartIn):
    """A hold. `id` is the number of the receipt that it becomes."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.HOLD_IN]})

    id: Identifier


class CommitIn(Body):
    """The end of a hold."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    code: Annotated[str, Field(max_length=20)] | None = Field(
        None, description="What the customer was sent, if the hold asks for it."
    )


class MessageOut(BaseModel):
    """A word for programs, and a sentence in the cashier's language."""

    code: str
    message: str


class QuotedLine(BaseModel):
    """`price` less `discount` is `total`, as the receipt should say; so much of it bonuses may pay."""

    line: int
    sku: str
    price: str
    discount: str
    total: str
    spend_at_most: str


class AccountPoints(BaseModel):
    """So many bonuses of one account."""

    account: str
    points: str


class SilentOut(BaseModel):
    """A rule that gives nothing, and why."""

    rule: str
    reason: str
    why: str


class WayOut(BaseModel):
    """The purchase paid in one way: `points` are spent and worth `paid`, laid on the lines as `lines`;
    `to_pay` is left. `balance` and `tier` are those afterwards. `rules` add up to `earned`
    and `level_bonus`, which is for reaching a new level.
    """

    points: str
    paid: str
    to_pay: str
    lines: list[str]
    accounts: list[AccountPoints]
    needs_code: bool = Field(description="Whether the customer must say a code from an SMS.")
    earned: str
    balance: str
    tier: str | None
    level_bonus: str
    rules: list[GaveOut]
    silent: list[SilentOut]


class CodeOut(BaseModel):
    """A promo code of the cart; a refused one is left out, and `reason` says why."""

    code: str
    accepted: bool
    reason: str | None
    detail: str | None


class Messages(BaseModel):
    """What to show, the most important first: to the cashier and, in their own language, to the customer."""

    cashier: list[str]
    customer: list[str]


class QuoteOut(BaseModel):
    """What a cart costs and brings. The same receipt brings exactly this.

    `most` is paying with all the bonuses that may be spent (null: none), `asked` with `pay_points` of them
    (null if that cannot be; `asked_problem` says why).
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.QUOTE]})

    customer: str | None
    at: datetime
    currency: str
    price: str
    discount: str
    discount_percent: str
    total: str
    lines: list[QuotedLine]
    balance: str
    available: str
    expiring: Expiring
    tier: Tier | None
    without_bonuses: WayOut
    most: WayOut | None
    why_not_more: list[MessageOut]
    asked: WayOut | None
    asked_problem: MessageOut | None
    codes: list[CodeOut]
    messages: Messages


class HeldLine(BaseModel):
    """A line, and the money that bonuses pay of it."""

    line: int
    sku: str
    total: str
    paid: str


class ConfirmationOut(BaseModel):
    """The customer's code. `state`: `none` (not sent yet: ask again at `ask_again_at`), `sending`, `sent`,
    `failed` (it did not leave: ask for another), `unknown`. `to` is their phone, as far as they know it.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CONFIRMATION]})

    required: Literal[True] = True
    state: str
    reason: str | None
    to: str | None
    valid_until: datetime | None
    tries_left: int
    ask_again_at: datetime | None


class HoldOut(BaseModel):
    """Bonuses set aside. `available` is what was left for other carts; `to_pay` the money still to pay.

    `state`: `open`, `expired`, `committed`, `cancelled`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.HOLD]})

    receipt: str
    customer: str
    state: str
    points: str
    paid: str
    to_pay: str
    lines: list[HeldLine]
    earned: str
    available: str
    at: datetime
    expires_at: datetime
    confirmation: ConfirmationOut | None = Field(description="null: no code is needed.")


class CancelOut(BaseModel):
    """A hold that was let go."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CANCELLED]})

    receipt: str
    state: str


class OfferOut(BaseModel):
    """A rule that the customer may use: `now`, or at its own hours. `code` is to be named for it."""

    rule: str
    text: str
    code: str | None
    coupon: bool
    until: date | None
    now: bool


class ConsentAsked(BaseModel):
    """A channel, and whether we may write there: `granted`, `refused`, `unasked`, or `pending` until the
    customer has answered the letter of a double opt-in.
    """

    channel: str
    state: str


class SellerView(BaseModel):
    """Who stands at the till, in one answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SELLER_VIEW]})

    customer: str
    name: str | None
    card: str | None
    locale: str | None
    tier: Tier
    balance: str
    available: str
    pending: str
    expiring: Expiring
    birthday_in_days: int | None = Field(description="Within two weeks, 0 for today; else null.")
    last_visit_at: datetime | None
    purchases: int
    favourite_category: str | None
    offers: list[OfferOut]
    consents: list[ConsentAsked]
    messages: Messages
