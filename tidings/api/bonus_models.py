"""What is shown of a customer's bonuses. Amounts are whole bonuses as text."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from tidings.api import examples


class Dated(BaseModel):
    """So much, on a day of the program's zone."""

    amount: str
    on: date


class AccountOut(BaseModel):
    """A bonus account: what may be spent, and what is not active yet."""

    account: str
    active: str
    pending: str


class BalanceOut(BaseModel):
    """What a customer has; members of a household see the bonuses that they share.

    `total` is `active` and `pending` less `debt`; `available` is `active` less `debt` and what is `held` for
    carts at tills. `accounts` stand in the order in which they are spent, `expiring` by day.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.BALANCE]})

    customer: str
    total: str
    available: str
    active: str
    pending: str
    debt: str
    held: str
    accounts: list[AccountOut]
    expiring: list[Dated]


class LotShown(BaseModel):
    """The bonuses of one accrual: `amount` as given, `remaining` of it. A debt is negative.

    `state`: `pending` (not active yet), `active`, `used`, `expired`, `debt`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LOT]})

    lot: int
    account: str
    reason: str
    amount: str
    remaining: str
    state: str
    active_from: datetime
    expires_on: date | None
    operation: str
    receipt: str | None
    partner: str | None


class EntryOut(BaseModel):
    """One row of the ledger: so many bonuses into (+) or out of (-) one lot, and why.

    `rule` says by which rule, `program_version` which version of `tidings history` brought it (`tidings show
    3`); null if it was never applied. `corrects` is set where the entry mends what an earlier operation did,
    when a receipt came late or goods came back.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ENTRY]})

    entry: int
    at: datetime
    recorded_at: datetime
    operation: str
    kind: str
    amount: str
    sentence: str
    receipt: str | None
    account: str
    lot: int
    rule: str | None
    program_version: int | None
    corrects: str | None
    author: str | None
    reason: str | None
