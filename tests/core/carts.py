"""Programs, carts and pasts for the tests of earning and spending, without a database."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.earning.earned import Earned
from core.program import Program
from core.program.check import read_program
from core.purchases.cart import Cart, Item

MONDAY = "2026-03-02 12:00"


def program(rules: str, *, more: str = "", points: str = "", tail: str = "") -> Program:
    """A program in hundredths with these rules (lines of YAML), and more of `earn`, `points` and the file."""
    lines = "".join(f"    - {line.strip()}\n" for line in rules.strip().splitlines())
    text = f"""
program: Corner
currency: UAH
time_zone: Europe/Kyiv
locales: [en]
points:
  name: {{en: [point, points]}}
  scale: 2
{points}
tiers:
  levels:
    - {{name: bronze, from: 0}}
    - {{name: silver, from: 1000, earn: 5%}}
    - {{name: gold, from: 5000, earn: 7%}}
earn:
  rules:
    - {{rule: tier, by: tier}}
{lines}{more}
{tail}
"""
    problems: list[Any] = []
    read = read_program(text, problems)
    assert read is not None, problems
    assert all(it.severity == "warning" for it in problems), problems
    return read


@dataclass
class Before:
    """A buyer's past, as told."""

    tier: str | None = "bronze"
    purchases: int = 0
    spent: int = 0
    goods: Mapping[str, set[str]] = field(default_factory=dict)
    receipts: tuple[datetime, ...] = ()
    gave: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    earned: tuple[tuple[datetime, int], ...] = ()

    def bought(self, kind: str, names: Collection[str]) -> bool:
        """Whether anything of these was bought."""
        return bool(self.goods.get(kind, set()) & set(names))

    def purchases_since(self, since: datetime) -> int:
        """How many receipts."""
        return sum(at >= since for at in self.receipts)

    def times(self, rule: str, since: datetime | None) -> int:
        """How often a rule gave."""
        return sum(since is None or at >= since for at in self.gave.get(rule, ()))

    def points(self, since: datetime, rule: str | None = None) -> int:
        """Points earned."""
        return sum(points for at, points in self.earned if at >= since)


def kyiv(wall: str) -> datetime:
    """A time by the clocks of the program."""
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo("Europe/Kyiv")).astimezone(UTC)


def cart(*totals: int | Item, at: str = MONDAY, **more: Any) -> Cart:
    """A cart with a line for each amount (minor units), one unit each."""
    items = tuple(it if isinstance(it, Item) else Item(f"sku-{n}", 1000, it) for n, it in enumerate(totals))
    return Cart(kyiv(at), items, **more)


def gave(earned: Earned) -> dict[str, int]:
    """Points by rule; each rule's lines add up to them."""
    for share in earned.shares:
        assert sum(share.lines) == share.points > 0
        assert min(share.lines) >= 0
    return {share.rule: share.points for share in earned.shares}


def silent(earned: Earned) -> dict[str, str]:
    """Reasons by rule."""
    assert all(it.detail for it in earned.silences)
    return {it.rule: it.reason for it in earned.silences}
