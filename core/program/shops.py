"""`partners`, `products` and `receipts` in program.yaml: who sells, and which receipts are taken."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from core.explain import expected
from core.source import Model
from core.units import Duration, Series, Span


def _rules(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise expected("true, false or the names of rules", value, "write for example 'earn: [base]'")


_RULES_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "boolean"}, {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
    ]
}  # fmt: skip


class Partner(Model):
    """Another company in the program: its stores, which rules hold there, whether bonuses may be spent."""

    stores: Series[str] = Field(examples=["[cinema-1, cinema-2]"])
    earn: Annotated[bool | tuple[str, ...], BeforeValidator(_rules), WithJsonSchema(_RULES_SCHEMA)] = True
    spend: bool = True

    def has(self, rule: str) -> bool:
        """Whether a rule of earning holds there."""
        return self.earn if isinstance(self.earn, bool) else rule in self.earn


class Products(Model):
    """What to do with goods that the catalogue does not know."""

    unknown: Literal["accept", "refuse"] = "accept"


class Receipts(Model):
    """A till's receipt that is older than this has a wrong clock; imported history may be of any age."""

    late_at_most: Span = Duration(days=30)


class ShopRules:
    """What a program says about partners; a part of `core.program.Program`."""

    if TYPE_CHECKING:  # the rest of the program
        partners: dict[str, Partner]

    @cached_property
    def _partner_of(self) -> Mapping[str, str]:
        return {store: name for name, partner in self.partners.items() for store in partner.stores}

    def partner_of(self, store: str | None) -> str | None:
        """The partner whose store it is; None for the program's own."""
        return self._partner_of.get(store) if store else None
