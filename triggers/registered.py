"""A new customer."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from sqlalchemy import ColumnElement, func, literal, true

from core.db import json_text
from core.units import Series
from triggers.base import EVENT, EventTrigger, Fact, Look, Parameters, utc_text

DOOR = "api"


class RegisteredParameters(Parameters):
    """Which registrations are meant."""

    source: Series[Literal["api", "import", "referral"]] = Field(
        default=(),
        description="how they came: `api` (till, site or app), `import` (with --live), `referral` (a friend "
        "brought them); all if left out",
    )


class Registered(EventTrigger[RegisteredParameters]):
    """The customer joined the program, and is in it still: neither erased nor merged into another."""

    name: ClassVar[str] = "registered"
    event: ClassVar[str] = "registered"
    Parameters = RegisteredParameters
    facts = {
        "registered_on": Fact("local_date", "the day on which they joined"),
        "source": Fact("text", "how they came: api, import or referral"),
    }

    def condition(self, parameters: RegisteredParameters, look: Look) -> ColumnElement[bool]:
        """From where it is meant."""
        return _source().in_(parameters.source) if parameters.source else true()

    def stored_facts(self, look: Look) -> Mapping[str, ColumnElement[Any]]:
        """From the event itself."""
        return {"registered_on": utc_text(EVENT.c.at), "source": _source()}


def _source() -> ColumnElement[str]:
    return func.coalesce(json_text(EVENT.c.data, "source"), literal(DOOR))


TRIGGER = Registered()
