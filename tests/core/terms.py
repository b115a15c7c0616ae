"""The numbers of a program: what the reference model reckons with, and the same as program.yaml."""

from dataclasses import dataclass
from fractions import Fraction
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Kyiv")


@dataclass(frozen=True)
class Terms:
    """The numbers of a program: percents, days, whole bonuses and whole money."""

    levels: tuple[tuple[str, int, int], ...] = (("bronze", 0, 10), ("silver", 300, 20), ("gold", 900, 30))
    measure: str = "spend"
    over: int = 30
    grace: int = 5
    worth: Fraction = Fraction(1)
    starts: int = 0
    lasts: int = 40
    extend: int = 0
    gift_lasts: int = 12
    gift_share: int = 30
    gift_goods: str = ""
    share: int = 50
    hold_for: int = 3
    debt: str = "repay"
    return_grace: int = 6
    lines: tuple[int, int] = (3, 7)
    every: tuple[int, int] = (3, 5)
    every_lasts: int = 4
    bands: tuple[tuple[int, int], ...] = ((50, 2), (200, 9))
    step_up: int = 12

    @property
    def yaml(self) -> str:
        """The same as program.yaml."""
        levels = "\n".join(
            f"    - {{name: {name}, from: {low}, earn: {rate}%}}" for name, low, rate in self.levels
        )
        bands = ", ".join(f"{{from: {low}, points: {points}}}" for low, points in self.bands)
        extend = f"  extend: {self.extend} days\n" if self.extend else ""
        goods = f", goods: {{category: {self.gift_goods}}}" if self.gift_goods else ""
        gift = f"starts: at once, lasts: {self.gift_lasts} days, share_at_most: {self.gift_share}%{goods}"
        starts = f"after {self.starts} days" if self.starts else "at once"
        return f"""
program: Kavarnia
currency: UAH
time_zone: {ZONE.key}
locales: [en]
points:
  name: {{en: [bonus, bonuses]}}
  scale: 2
  worth: {float(self.worth):g}
  starts: {starts}
  lasts: {self.lasts} days
{extend}  debt: {self.debt}
  return_grace: {self.return_grace} days
  accounts: {{gift: {{{gift}}}}}
tiers:
  measure: {self.measure}
  over: {self.over} days
  grace: {self.grace} days
  levels:
{levels}
earn:
  rules:
    - {{rule: level, by: tier}}
    - {{rule: lines, give: {self.lines[1]}, when: {{lines: {{at_least: {self.lines[0]}}}}}, account: gift}}
    - {{rule: nth, give: {self.every[1]}, when: {{purchase: {{every: {self.every[0]}}}}},
       lasts: {self.every_lasts} days}}
    - {{rule: band, give: [{bands}]}}
    - {{rule: step, give: {self.step_up}, on: tier_up, account: gift}}
  exclude: {{category: [tobacco]}}
spend:
  share_at_most: {self.share}%
  exclude: {{category: [tobacco]}}
  hold_for: {self.hold_for} days
transfers: {{allowed: true}}
"""
