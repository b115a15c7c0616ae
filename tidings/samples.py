"""Customers who do not exist: at length for what `tidings check` reckons, ordinary for a proof."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from campaigns.short_links import as_long
from core.links import Links
from core.program import Program
from templates.context import CustomerView, ExpiringView, LinksView, ProgramView, TierView
from triggers.base import Fact

# More than nearly everybody has, and as many digits as it takes.
_POINTS = Decimal("12345.67")
_YEAR = 2026


class _Attributes(dict[str, str]):
    """Attributes of an event that nobody has listed: each of them is a word, or its own name."""

    def __init__(self, word: str | None = None) -> None:
        super().__init__()
        self._word = word

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return self._word or name


def longest_contexts(program: Program, facts: Mapping[str, Fact]) -> Iterator[dict[str, Any]]:
    """The facts of a message at their longest: once a month, for the names of months differ in length."""
    for month in range(1, 13):
        day = date(_YEAR, month, 28)
        context = sample_context(program, day)
        context["trigger"] = {name: _fact(program, fact, day) for name, fact in facts.items()}
        yield context


def sample_context(program: Program, day: date = date(_YEAR, 9, 28)) -> dict[str, Any]:
    """A long name, a long link, the longest level: what fits these fits nearly everybody."""
    public_url = program.public_url or "https://bonus.example.org"
    url = f"{public_url}/p/AbCdEfGhIjKlMnOpQr"
    name = _longest(program.tier_names)
    level, points = program.level(name), _points(program)
    return {
        "customer": CustomerView(
            external_id="10042", name="Олександра Коваленко", first_name="Олександра", card="10042",
            phone="+380501234567", email="oleksandra.kovalenko@example.com", birthday=day, gender="female",
            city="Кам'янець-Подільський", locale=program.locale, registered_at=_time(day),
        ),
        "program": _program(program),
        "balance": points,
        "tier": TierView(
            level.name, level.earn * 100, next=name, missing=points, since=day, until=day, to_keep=points,
            keep_by=day, have=points,
        ),
        "expiring": ExpiringView(points, day),
        "links": LinksView(url, url, url, card_short=Links(public_url, b"").card_short(0)),
        **as_long(program, "sms", Links(public_url, b"")),
    }  # fmt: skip


def card_contexts(program: Program) -> Iterator[tuple[str, dict[str, Any]]]:
    """What cards are filled in with, and who it is: every level at length, and who has nothing yet."""
    for month in range(1, 13):
        context = sample_context(program, date(_YEAR, month, 28))
        for name, following in pairwise([*program.tier_names, None]):
            missing = None if following is None else context["tier"].missing
            tier = replace(context["tier"], name=name, next=following, missing=missing)
            yield f"for a customer of the level {name}", {**context, "tier": tier}
    yield "for a customer of whom little is known", _newcomer(program)


def _newcomer(program: Program) -> dict[str, Any]:
    context = sample_context(program)
    following = program.tier_names[1] if len(program.tier_names) > 1 else None
    return {
        **context,
        "customer": CustomerView("10042"),
        "balance": Decimal(0),
        "tier": TierView(program.tier_names[0], next=following),
        "expiring": ExpiringView(),
    }


def _fact(program: Program, fact: Fact, day: date) -> Any:
    values: dict[str, Any] = {
        "points": _points(program),
        "money": _POINTS,
        "number": 365,
        "percent": Decimal("12.5"),
        "date": day,
        "local_date": day,
        "time": _time(day),
        "attributes": _Attributes("Олександра"),
    }
    return values.get(fact.type, _longest(program.tier_names))


def ordinary_facts(program: Program, facts: Mapping[str, Fact], at: datetime) -> dict[str, Any]:
    """What a trigger might find out: a day of what has happened lies as far back as its number says."""
    soon, before = _soon(program, at), (at - timedelta(days=3)).astimezone(program.zone).date()
    values: dict[str, Any] = {
        "points": Decimal(500), "money": Decimal(250), "number": 3, "percent": Decimal(5), "date": soon,
        "local_date": before, "time": at, "attributes": _Attributes(),
    }  # fmt: skip
    return {name: values.get(fact.type, program.tier_names[-1]) for name, fact in facts.items()}


def ordinary_context(program: Program, links: LinksView, at: datetime) -> dict[str, Any]:
    """Somebody of the lowest level, with some bonuses."""
    level = program.level(None)
    return {
        "customer": CustomerView(
            external_id="10042", name="Олена Шевченко", first_name="Олена", card="10042", registered_at=at
        ),
        "program": _program(program),
        "balance": Decimal(1250),
        "tier": TierView(level.name, level.earn * 100),
        "expiring": ExpiringView(Decimal(500), _soon(program, at)),
        "links": links,
    }


def _program(program: Program) -> ProgramView:
    return ProgramView(program.name, program.currency, program.terms_in(program.locale), program.url)


def _soon(program: Program, at: datetime) -> date:
    return (at + timedelta(days=14)).astimezone(program.zone).date()


def _points(program: Program) -> Decimal:
    return round(_POINTS, program.points.scale)


def _time(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 20, tzinfo=UTC)


def _longest(names: Iterable[str]) -> str:
    return max(names, key=len)
