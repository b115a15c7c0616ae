"""An event of the shop's own: what its system told of a customer."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, WrapValidator
from sqlalchemy import ColumnElement, FromClause, String, and_, func, literal, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from core.db import Json, json_is, json_number, json_string
from core.db.members import QUOTE, member
from core.explain import complaint, expected
from core.source import Model
from core.units import Number, Some
from triggers.base import EVENT, EventTrigger, Fact, Look, Parameters, utc_text
from triggers.ledger import to_survivor
from triggers.marks import Named

# Events that a trigger of their own name answers, with what they lead to.
ANSWERED = frozenset({
    "purchase", "return", "registered", "bonus_accrued", "bonus_redeemed", "bonus_expired", "tier_changed",
    "card_added", "card_removed",
})  # fmt: skip
COMPARE: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "at_least": ge, "at_most": le, "more_than": gt, "less_than": lt,
}  # fmt: skip


class as_json(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function that it is
    """A JSON column as a part of a larger JSON value."""

    type = Json
    inherit_cache = True


@compiles(as_json, "sqlite")
def _as_json_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json({compiler.process(element.clauses, **kw)})"


@compiles(as_json, "postgresql")
def _as_json_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))


class Operators(Model):
    """What an attribute must be: every operator that is there must hold."""

    at_least: Number | None = None
    at_most: Number | None = None
    more_than: Number | None = None
    less_than: Number | None = None
    between: Some[Number] | None = Field(default=None, examples=["[1, 5]"])
    contains: Annotated[str, StringConstraints(min_length=1)] | None = None

    def holds(self, name: str) -> ColumnElement[bool]:
        """The condition on the event."""
        key = member(EVENT.c.data, name)
        number = json_number(EVENT.c.data, key)
        asked = {word: getattr(self, word) for word in COMPARE}
        found = [COMPARE[word](number, float(than)) for word, than in asked.items() if than is not None]
        if self.between:
            low, high = self.between
            found.append(number.between(float(low), float(high)))
        if self.contains is not None:
            text = json_string(EVENT.c.data, key)
            # LIKE heeds capitals on one database and not on the other; this does on both.
            found.append(func.replace(text, self.contains, "") != text)
        return and_(*found)


class OneOf(Operators):
    """An attribute that equals one of some values."""

    values: tuple[Any, ...] = ()

    def holds(self, name: str) -> ColumnElement[bool]:
        """The condition on the event."""
        key = member(EVENT.c.data, name)
        same = json_is(EVENT.c.data, key, *(literal(_written(it), String) for it in self.values))
        numbers = [float(it) for it in self.values if _is_number(it)]
        return or_(same, json_number(EVENT.c.data, key).in_(numbers)) if numbers else same


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _read(value: object, read: Callable[[object], Operators]) -> Operators:
    """A value, a list of values, or a mapping of operators."""
    if isinstance(value, (Operators, Mapping)):
        return _checked(read(value)) if value else _nothing()
    values = value if isinstance(value, list) else [value]
    if not values or any(it is None or isinstance(it, (list, Mapping)) for it in values):
        raise expected("a value, a list of values or operators", value, "write for example '{at_least: 4}'")
    return OneOf(values=tuple(values))


def _checked(operators: Operators) -> Operators:
    if operators.between and len(operators.between) != 2:
        raise complaint(f"between needs two numbers, got {len(operators.between)}", "write '[1, 5]'")
    if operators.between and operators.between[0] > operators.between[1]:
        raise complaint("between begins above its end", "write the smaller number first")
    return operators


def _nothing() -> Operators:
    raise complaint("nothing is asked of this attribute", "write a value, or for example '{at_least: 4}'")


def _own(name: str) -> str:
    if name in ANSWERED:
        raise complaint(f"'{name}' has a trigger of its own", f"write 'when: {{{name}: {{}}}}'")
    return name


def _findable(name: str) -> str:
    if QUOTE in name:
        raise complaint(f"an attribute's name holds no {QUOTE}", "tell it by another name")
    return name


_SCALAR = {"type": ["string", "number", "boolean"]}
Attribute = Annotated[
    Operators,
    WrapValidator(_read),
    WithJsonSchema({
        "anyOf": [
            _SCALAR,
            {"type": "array", "items": _SCALAR, "minItems": 1},
            {
                "type": "object", "additionalProperties": False, "minProperties": 1,
                "properties": {
                    **{word: {"type": "number"} for word in COMPARE},
                    "between": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
                    "contains": {"type": "string", "minLength": 1},
                },
            },
        ]
    }),
]  # fmt: skip
Name = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_own), Named("event")]


class EventParameters(Parameters):
    """Which events are meant."""

    name: Name = Field(description="the event's name: `review`, `survey`", examples=["review"])
    where: dict[Annotated[str, AfterValidator(_findable)], Attribute] = Field(
        default={}, description="what its attributes must be: `{rating: {at_least: 4}, product: [tea, mate]}`"
    )


class NamedEvent(EventTrigger[EventParameters]):
    """Something that the shop's system told of the customer (a review, a survey), by its name.

    What the service notes itself has names too: `promo_code`, `household_joined`. A list is *one of*; a
    number is compared as a number, so that an attribute which is none never fits an operator. An attribute
    that is a list is equal to any of its items, and true is no 1.
    """

    name: ClassVar[str] = "event"
    Parameters = EventParameters
    facts = {
        "name": Fact("text", "the event's name"),
        "happened_at": Fact("time", "when it happened"),
        "attributes": Fact("attributes", "what was told of it: `trigger.attributes.product`"),
    }

    def event_of(self, parameters: EventParameters) -> str:
        """The name that stands in the scenario."""
        return parameters.name

    def told(self, events: FromClause) -> FromClause:
        """Whom it was told of; of a duplicate that was merged since, the survivor."""
        return to_survivor(events, EVENT.c.customer_id)

    def condition(self, parameters: EventParameters, look: Look) -> ColumnElement[bool]:
        """Its attributes are as they are meant."""
        return and_(true(), *(wanted.holds(name) for name, wanted in parameters.where.items()))

    def stored_facts(self, look: Look) -> Mapping[str, ColumnElement[Any]]:
        """From the event itself."""
        return {
            "name": EVENT.c.kind,
            "happened_at": utc_text(EVENT.c.at),
            "attributes": as_json(EVENT.c.data),
        }


TRIGGER = NamedEvent()
