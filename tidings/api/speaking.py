"""Short sentences for cashiers and customers, in the languages that we speak ourselves.

Facts come as the database has them: points and money are integers. A program in another language gets
English sentences with its own words for points and its own way to write amounts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

from core.program import Program
from core.program.goods import Goods
from core.program.when import EachNth, When
from core.purchases.hints import Hint
from core.purchases.offers import Offer
from templates.filters import Conventions, Filter, cldr, filters
from tidings.api.till_words import COUNTED, DAYS, SENTENCES, Words
from tidings.api.words import language

_PLURALS = ("one", "few", "many", "other")
_COUNTS = ("lines", "units", "purchases")


@dataclass(frozen=True)
class Speaker:
    """Speaks the first of some locales that we know, with the program's words for points."""

    program: Program
    language: str
    today: date

    @cached_property
    def _filters(self) -> Mapping[str, Filter]:
        return _filters_of(self.program, self.language)

    @property
    def _words(self) -> Words:
        return SENTENCES[self.language]

    def points(self, points: int) -> str:
        """`20 bonuses`."""
        return self._filters["points"](self.program.from_points(points))

    def money(self, minor: int) -> str:
        """`340 UAH`, as the locale writes it."""
        return self._filters["money"](self.program.from_money(minor))

    def day(self, day: date) -> str:
        """`March 15`; with the year when it is another one."""
        return self._filters["day" if day.year == self.today.year else "date"](day)

    def percent(self, fraction: Decimal) -> str:
        """`5%`."""
        return self._filters["percent"](fraction * 100)

    def count(self, noun: str, number: Decimal | int, kind: str = "counted") -> str:
        """`2 items`; with `more_counted`, `2 more items`."""
        forms = COUNTED[self.language][noun]
        amount = Decimal(number)
        form = cldr(self.language).plural_form(abs(amount))
        named = dict(zip(_PLURALS, forms, strict=False)).get(form, forms[-1])
        return self._words[kind].format(number=self._filters["number"](amount), noun=named)

    def knows(self, kind: str) -> bool:
        """Whether there is such a sentence."""
        return kind in self._words

    def say(self, kind: str, facts: Mapping[str, Any]) -> str:
        """The sentence of this kind."""
        return self._words[kind].format(**{name: self._written(name, it) for name, it in facts.items()})

    def hint(self, hint: Hint) -> str:
        """What would bring more."""
        if not hint.kind.startswith("missing"):
            return self.say(hint.kind, hint.facts)
        facts = hint.facts
        asked = [self.count(it, facts[it], "more_counted") for it in _COUNTS if it in facts]
        asked += [self.say("more_money", {"money": facts["money"]})] if "money" in facts else []
        of_goods = f" ({_names(facts['goods'])})" if "goods" in facts else ""
        joined = self._words["and"].join(asked)
        return self._words[hint.kind].format(asked=f"{joined}{of_goods}", gift=self.gift(facts))

    def offer(self, offer: Offer) -> str:
        """`20 bonuses: coffee; from 3 items; code SPRING; until 15 March`."""
        facts, when = offer.facts, offer.when
        parts = [self.say(f"per_{facts['per']}", {})] if "per" in facts else []
        parts += [_names(offer.goods)] if offer.goods else []
        parts += [self.say("first_in", {"goods": _names(when.first_in)})] if when.first_in else []
        parts += self._past(when)
        parts += (
            [self.say("at", {"places": ", ".join(places)})] if (places := when.store or when.partner) else []
        )
        parts += [self.say("from", {"amount": self.count(it, facts[it])}) for it in _COUNTS if it in facts]
        parts += [self.say("from", {"amount": self.money(facts["money"])})] if "money" in facts else []
        parts += [", ".join(DAYS[self.language][day] for day in when.weekday)] if when.weekday else []
        parts += [", ".join(f"{it.start:%H:%M}–{it.end:%H:%M}" for it in when.time)] if when.time else []
        parts += [self.say("with_code", {"code": offer.code})] if offer.code else []
        parts += [self.say("until", {"day": offer.until})] if offer.until else []
        gift = self.gift(facts)
        return f"{gift}: {'; '.join(parts)}" if parts else gift

    def _past(self, when: When) -> list[str]:
        """What the customer must have done before."""
        said = []
        if isinstance(when.purchase, EachNth):
            said.append(self.say("every", {"count": self.count("purchases", when.purchase.every)}))
        elif when.purchase:
            said.append(self.say("nth", {"numbers": ", ".join(map(str, when.purchase))}))
        for kind, amount in (
            (("reaching", when.spent.reaches), ("spent_before", when.spent.at_least)) if when.spent else ()
        ):
            said += [self.say(kind, {"money": self.program.to_money(amount)})] if amount is not None else []
        if when.regular:
            count = self.count("purchases", when.regular.purchases)
            days = self.count("days", when.regular.in_.days)
            said.append(self.say("regular", {"count": count, "days": days}))
        return said

    def gift(self, facts: Mapping[str, Any]) -> str:
        """What a rule gives."""
        if "points" in facts:
            return self.points(facts["points"])
        if "percent" in facts:
            return self.say("percent_back", {"percent": facts["percent"]})
        if "times" in facts:
            return self.say("times", {"times": f"{facts['times'].normalize():f}"})
        return self.say("more", {})

    def _written(self, name: str, value: Any) -> str:
        if isinstance(value, date):
            return self.day(value)
        if name in ("points", "earned"):
            return self.points(value)
        if name in ("money", "least"):
            return self.money(value)
        return self.percent(value) if name == "percent" else str(value)


def _names(goods: Goods) -> str:
    """The goods as the shop itself calls them."""
    return ", ".join(name for _, names in goods.named() for name in names)


def speaker(program: Program, locales: Sequence[str | None], now: datetime) -> Speaker:
    """Speaks the first of these locales that we know; the program's own comes after them."""
    return Speaker(program, language([*locales, program.locale]), program.day_of(now))


@lru_cache(maxsize=32)
def _conventions(
    locale: str, names: tuple[str, ...], currency: str, scale: int, zone: Any
) -> Mapping[str, Filter]:
    return filters(Conventions(locale, names, currency, scale, zone, plain=True))


def _filters_of(program: Program, locale: str) -> Mapping[str, Filter]:
    names = program.points.name.get(locale) or program.points.name.get(program.locale) or ()
    return _conventions(locale, tuple(names), program.currency, program.points.scale, program.zone)
