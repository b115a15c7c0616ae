"""The values of an audience: numbers, days, names, each checked against what its field may hold."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn

from pydantic_core import PydanticCustomError

from campaigns.audience.tree import ADD_EVENT, Names, Scalar, Value
from campaigns.fields import MOMENTS, Field
from core.errors import Problem
from core.explain import describe, one_of, suggest
from core.money import LIMIT
from core.source import Document, KeyPath
from core.units import TOO_LONG, Duration, amount, percent
from core.units import day as read_day

# How people say any, each or none of the channels, and what says it here.
_ANY_WILL_DO = "write those of which any will do, for example '{field}: [email, push, sms]'"
_EACH = "write for example 'all: [{{{field}: email}}, {{{field}: sms}}]'"
_NONE = "write for example 'not: {{{field}: [email, push, sms]}}'"
_MEANT = {
    **dict.fromkeys(("any", "yes", "true"), _ANY_WILL_DO),
    **dict.fromkeys(("all", "every", "each"), _EACH),
    **dict.fromkeys(("none", "no", "false"), _NONE),
}


class Bad(Exception):
    """A signal inside this package: the finding is already kept."""


class Values:
    """Reads single values; a wrong one goes to `problems` and raises Bad."""

    def __init__(self, document: Document, names: Names, problems: list[Problem]) -> None:
        self.document = document
        self.names = names
        self.problems = problems

    # --- findings

    def wrong(self, path: KeyPath, what: str, fix: str) -> None:
        """Keep a finding and go on."""
        self.problems.append(self.document.problem(path, what, fix))

    def fail(self, path: KeyPath, what: str, fix: str) -> NoReturn:
        """Keep a finding and give the field up."""
        self.wrong(path, what, fix)
        raise Bad

    # --- equality

    def equals(self, field: Field, value: Any, path: KeyPath) -> tuple[Scalar, ...]:
        """A value, or one of a list."""
        listed = isinstance(value, list)
        if listed and not value:
            self.fail(path, "an empty list is nobody", f"write for example '{field.example}'")
        values = [
            (each, (*path, index) if listed else path)
            for index, each in enumerate(value if listed else [value])
        ]
        return tuple(self._equal(field, each, place) for each, place in values)

    def _equal(self, field: Field, value: Any, path: KeyPath) -> Scalar:
        match field.kind:
            case "number":
                return self.number(field, value, path)
            case "anything":
                return self._anything(field, value, path)
            case "choice" | "flag":
                return self._choice(field, value, path)
            case "percent":
                return self._percent(value, path)
            case _ if field.choices:
                return self._choice(field, value, path)
            case _:
                if field.refers == "channel":
                    self._no_word_for_all(field, value, path)
                return self.known(field.refers, self.text(value, path), path)

    def _anything(self, field: Field, value: Any, path: KeyPath) -> Scalar:
        if isinstance(value, (dict, list)) or value is None:
            self.fail(
                path, f"expected a value, got {describe(value)}", f"write for example '{field.example}'"
            )
        scalar: Scalar = value
        return scalar

    def _choice(self, field: Field, value: Any, path: KeyPath) -> str | bool:
        choices = field.choices or (True, False)
        if not isinstance(value, (str, bool)) or value not in choices:
            names = [str(it).lower() if isinstance(it, bool) else it for it in choices]
            fix = suggest(value, names) if isinstance(value, str) else f"write {one_of(names)}"
            if isinstance(value, str) and value.lower() in ("true", "false") and value.lower() in names:
                fix = f"write {value.lower()}, without quotes"
            self.fail(path, f"no such choice: {describe(value)}", fix)
        return value

    def _no_word_for_all(self, field: Field, value: Any, path: KeyPath) -> None:
        """Channels are named one by one; who writes `any` or `all` is told how that is said."""
        said = _MEANT.get(str(value).lower()) if isinstance(value, (str, bool)) else None
        if said is None:
            return
        fix = said.format(field=field.name)
        if known := sorted(self.names.channels or ()):
            fix += f"; there are {', '.join(known)}"
        self.fail(path, f"no such channel: {describe(value)}", fix)

    def _percent(self, value: Any, path: KeyPath) -> Decimal:
        try:
            return percent(value)
        except PydanticCustomError as error:
            context = error.context or {}
            self.fail(path, str(context.get("what", "")), str(context.get("fix", "")))

    # --- operators

    def operand(self, field: Field, op: str, value: Any, path: KeyPath) -> Value:
        """What stands beside an operator."""
        if op == "between":
            return self._pair(field, value, path)
        if op in MOMENTS:
            return self._ago_or_day(value, path) if op == "before" else self.length(value, path)
        return self.text(value, path) if op == "contains" else self._bound(field, value, path)

    def _bound(self, field: Field, value: Any, path: KeyPath) -> Scalar:
        if field.refers:
            return self.known(field.refers, self.text(value, path), path)
        return self.number(field, value, path)

    def _pair(self, field: Field, value: Any, path: KeyPath) -> tuple[Scalar, Scalar]:
        days = field.kind == "moment"
        if not isinstance(value, list) or len(value) != 2:
            two, example = ("days", "2026-03-01, 2026-03-31") if days else ("numbers", "25, 45")
            self.fail(path, f"expected two {two}, got {describe(value)}", f"write for example '[{example}]'")
        low, high = (
            self._day(each, (*path, index)) if days else self.number(field, each, (*path, index))
            for index, each in enumerate(value)
        )
        if low > high:  # type: ignore[operator]
            what = "is later than" if days else "is more than"
            self.fail(path, f"{low} {what} {high}", f"write '[{high}, {low}]'")
        return low, high

    def _ago_or_day(self, value: Any, path: KeyPath) -> Duration | date:
        if isinstance(value, str) and value[:1].isdigit() and value.count("-") == 2:
            return self._day(value, path)
        return self.length(value, path, "a length of time or a day", "'30 days' or '2026-03-15'")

    def _day(self, value: Any, path: KeyPath) -> date:
        try:
            return read_day(value)
        except PydanticCustomError:
            self.fail(path, f"expected a day, got {describe(value)}", "write for example '2026-03-15'")

    def number(self, field: Field, value: Any, path: KeyPath) -> Decimal:
        """A number that the field may be."""
        try:
            number = amount(value)
        except PydanticCustomError:
            fix = f"write for example '{field.example}'"
            self.fail(path, f"expected a number, got {describe(value)}", fix)
        if field.unit == "count" and number != number.to_integral_value():
            self.fail(path, f"expected a whole number, got {number}", "")
        if field.bounds is not None and not field.bounds[0] <= number <= field.bounds[1]:
            self.fail(path, "expected a number from {} to {}, got {}".format(*field.bounds, number), "")
        return self.kept(field.unit, number, path)

    def kept(self, unit: str, number: Decimal, path: KeyPath) -> Decimal:
        """An amount with no more decimals than are kept of its unit."""
        scale = self.names.scales.get(unit)
        if scale is not None and number != round(number, scale):
            self.fail(path, f"more than {scale} decimal places", f"write {round(number, scale)}")
        if scale is not None and abs(number.scaleb(scale)) > LIMIT:
            self.fail(path, f"{number} is more than anybody has", "write less")
        return number

    def length(
        self, value: Any, path: KeyPath, thing: str = "a length of time", example: str = "'30 days'"
    ) -> Duration:
        """More than no time."""
        try:
            length = Duration.read(value)
        except PydanticCustomError as error:
            said, length = error.context or {}, Duration()
            if said.get("what") == TOO_LONG:
                self.fail(path, TOO_LONG, said["fix"])
        if not length:
            self.fail(path, f"expected {thing}, got {describe(value)}", f"write for example {example}")
        return length

    def days(self, value: Any, path: KeyPath) -> Duration:
        """Whole days."""
        length = self.length(value, path)
        if length.seconds:
            self.fail(path, f"expected whole days, got '{length}'", "write for example '14 days'")
        return length

    # --- names

    def text(self, value: Any, path: KeyPath) -> str:
        """A text with something in it."""
        if not isinstance(value, str) or not value:
            fix = "put it in quotes" if isinstance(value, (int, Decimal)) else ""
            fix = "write one text, or several conditions under 'any'" if isinstance(value, list) else fix
            self.fail(path, f"expected text, got {describe(value)}", fix)
        return str(value)

    def texts(self, value: Any, path: KeyPath, noun: str) -> tuple[str, ...]:
        """One text or a list of them, each a known name where the names are known."""
        names = value if isinstance(value, list) else [value]
        if not names:
            thing = "goods" if noun in ("category", "brand", "sku") else noun
            self.fail(path, f"an empty list names no {thing}", f"write for example '{noun}: …'")
        return tuple(self.known(noun, self.text(name, path), path) for name in names)

    def known(self, noun: str, name: str, path: KeyPath) -> str:
        """The name; wrong if the workspace has no such thing."""
        known = self._names(noun)
        if known is not None and name not in known:
            # Levels are offered in their own order, everything else by the alphabet.
            choices = list(known) if noun == "tier" else sorted(known)
            otherwise = ADD_EVENT if noun == "event" else ""
            if noun == "reason" and name in self.names.purchase_rules:
                what = f"no such reason: '{name}' is a rule of purchases"
                self.fail(path, what, "write 'purchase': what a receipt brings is told together")
            fix = suggest(name, choices, otherwise) if known else f"there is no {noun} yet"
            self.fail(path, f"no such {noun}: '{name}'", fix)
        return name

    def _names(self, noun: str) -> Collection[str] | None:
        return {
            "tier": self.names.tiers,
            "channel": self.names.channels,
            "segment": self.names.segments,
            "scenario": self.names.scenarios,
            "account": self.names.accounts,
            "event": self.names.events,
            "reason": self.names.reasons,
        }.get(noun)
