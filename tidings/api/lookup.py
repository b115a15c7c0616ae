"""Which customer is meant: by external id, card, phone, email, or by whatever a scanner reads at the till.

A merged duplicate's number leads to the survivor; who was erased is nobody.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Path
from sqlalchemy import ColumnElement, Connection, func, select

from core.customers.profiles import CUSTOMER, email_address
from core.program import Program
from tidings.api.bodies import Identifier
from tidings.api.problems import refuse

CustomerPath = Annotated[
    Identifier, Path(description="The customer's number in your system.", examples=["10042"])
]
NOBODY = "there is no such customer; register them first"
# Who a row stands for.
SURVIVOR = func.coalesce(CUSTOMER.c.merged_into, CUSTOMER.c.id)
# Digits and what people write between them: anything else is no phone.
_PHONE_CHARACTERS = frozenset("+0123456789 ().-/")


def known(connection: Connection, external_id: str) -> Any:
    """The customer's row; 404 `unknown_customer`."""
    [row] = _survivors(connection, CUSTOMER.c.external_id == external_id) or [None]
    if row is None:
        raise refuse("unknown_customer", NOBODY)
    return row


def identified(connection: Connection, program: Program, code: str) -> Any:
    """The customer of a code: a card's number, a wallet's barcode, an external id, a phone or an email.

    An external id outranks a card, that a phone or an email. 404 `unknown_customer`; 409
    `ambiguous_customer` if several have this phone or email.
    """
    for condition in _readings(program, code):
        rows = _survivors(connection, condition)
        if len(rows) > 1:
            raise refuse("ambiguous_customer", "several customers have this phone or email; ask for the card")
        if rows:
            return rows[0]
    raise refuse("unknown_customer", NOBODY)


def _readings(program: Program, code: str) -> list[ColumnElement[bool]]:
    readings = [CUSTOMER.c.external_id == code, CUSTOMER.c.card == code]
    if (phone := phone_in(program, code)) is not None:
        readings.append(CUSTOMER.c.phone == phone)
    if "@" in code:
        readings.append(CUSTOMER.c.email == email_in(code))
    return readings


def _survivors(connection: Connection, condition: ColumnElement[bool]) -> Sequence[Any]:
    meant = select(SURVIVOR).where(condition)
    rows = select(CUSTOMER).where(CUSTOMER.c.id.in_(meant), CUSTOMER.c.erased_at.is_(None))
    return connection.execute(rows.order_by(CUSTOMER.c.id).limit(2)).all()


def email_in(text: str) -> str:
    """An address as it is kept; what is none stays as it is, and belongs to nobody."""
    try:
        return email_address(text)
    except ValueError:
        return text


def phone_in(program: Program, text: str) -> str | None:
    """A phone as it is kept (E.164), read in the form of the program's country too; None if it is none."""
    import phonenumbers

    if not set(text) <= _PHONE_CHARACTERS:
        return None
    try:
        number = phonenumbers.parse(text, country_of(program.time_zone))
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=8)
def country_of(time_zone: str) -> str | None:
    """The country of a time zone (CLDR), such as UA; None for one that is no country's."""
    from babel.core import get_global

    name = get_global("zone_aliases").get(time_zone, time_zone)
    return get_global("zone_territories").get(name)
