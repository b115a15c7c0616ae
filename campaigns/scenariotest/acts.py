"""What may happen to a customer while a test goes on."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from campaigns.scenariotest.people import Bonuses, Bought, Person, Profile, Wallet
from core.source import Model
from core.units import Amount, Series

LAST = "last"
NOBODY = "nobody"


class Transfer(Model):
    """Bonuses that go to another customer of the test."""

    to: str = Field(examples=["ihor"])
    amount: Amount = Field(examples=[50])


class Happened(Model):
    """An event of the shop's own."""

    name: str = Field(min_length=1, examples=["app_opened"])
    attributes: dict[str, Any] = Field(default_factory=dict)


def _happened(value: object) -> object:
    return value if isinstance(value, Mapping) else {"name": value}


_EVENT_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "object"}]}
OwnEvent = Annotated[Happened, BeforeValidator(_happened), WithJsonSchema(_EVENT_SCHEMA)]


class Action(Model):
    """Something that happens to one customer; in the order of these keys, if there are several.

    `return` names a receipt, or `last`. `invite: nobody` takes an invitation back. `lift` ends a suppression,
    `works` a failing channel.
    """

    instead: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("buy", "buys", "receipt", "order"), "purchase"),
        **dict.fromkeys(("spend", "pay", "redemption"), "redeem"),
        **dict.fromkeys(("give", "earn", "bonus", "bonuses"), "grant"),
        **dict.fromkeys(("unsubscribe", "opt_out"), "withdraw"),
        **dict.fromkeys(("subscribe", "opt_in", "agree"), "consent"),
        "delete": "erase",
    }

    register_: Person | None = Field(None, alias="register")
    change: Profile | None = None
    consent: Series[str] = ()
    withdraw: Series[str] = ()
    suppress: Series[str] = ()
    lift: Series[str] = ()
    fails: Series[str] = ()
    works: Series[str] = ()
    purchase: Bought | None = None
    return_: str | None = Field(None, alias="return")
    accrue: Bonuses | None = None
    grant: Amount | None = None
    redeem: Amount | None = None
    transfer: Transfer | None = None
    event: OwnEvent | None = None
    tier: str | None = None
    invite: str | None = None
    add_card: Series[Wallet] = ()
    remove_card: Series[Wallet] = ()
    erase: bool = False
