"""Phone numbers and their countries: who sends to one, and what it costs."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from channels.outgoing import Outgoing
from core.explain import complaint

T = TypeVar("T")

E164 = re.compile(r"\+[1-9]\d{6,14}")
"""A phone number with its country, as it is dialled from everywhere."""


def check_country(country: str) -> None:
    """Raise a complaint for a key that is neither a country nor `default`."""
    if country != "default" and not re.fullmatch(r"[A-Z]{2}", country):
        raise complaint(f"'{country}' is no country", "write two capital letters (UA), or default")


def _tariff(prices: dict[str, Decimal]) -> dict[str, Decimal]:
    for country in prices:
        check_country(country)
    return prices


Tariff = Annotated[dict[str, Annotated[Decimal, Field(ge=0)]], AfterValidator(_tariff)]


def country_of(phone: str) -> str | None:
    """The ISO 3166 code of an E.164 number's country; None for a number of no country."""
    import phonenumbers

    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone))
    except phonenumbers.NumberParseException:
        return None


def by_country(values: Mapping[str, T], outgoing: Outgoing) -> T | None:
    """What a mapping of countries has for this message: its country's, else `default`, else None."""
    if not values:
        return None
    country = outgoing.country or country_of(outgoing.to)
    return values.get(country or "default", values.get("default"))
