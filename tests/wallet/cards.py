"""Cards for tests: the example's design, filled in by a small renderer of their own."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import FileSystemLoader, PrefixLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from ruamel.yaml import YAML

from wallet.artwork import Artwork
from wallet.design import Card, Face, Place, resolve

EXAMPLE = Path(__file__).parents[2] / "examples" / "kavarnia"
MONTHS = {"uk": "березня", "en": "March"}


def number(value: Decimal) -> str:
    return f"{value:,}".replace(",", "\u00a0")


@cache
def load_card(text: str | None = None) -> Card:
    source = text or (EXAMPLE / "cards" / "loyalty.yaml").read_text(encoding="utf-8")
    return Card.model_validate(YAML(typ="safe", pure=True).load(source))


def designed(**parts: Any) -> Card:
    """The example's card with some parts of its file written otherwise."""
    file = YAML(typ="safe", pure=True).load((EXAMPLE / "cards" / "loyalty.yaml").read_text(encoding="utf-8"))
    return Card.model_validate({**file, **parts})


def artwork(card: Card | None = None) -> Artwork:
    return Artwork.of(card or load_card(), lambda path: (EXAMPLE / path).read_bytes())


@dataclass
class Guest:
    """A customer's facts under the names that cards use."""

    balance: Decimal = Decimal(1250)
    tier: str = "silver"
    missing: Decimal | None = Decimal(7400)
    expiring: Decimal = Decimal(500)
    card: str = "KV20261234"
    name: str = "Олена Коваль"
    terms: str = "1 бонус = 1 грн."
    locale: str = "uk"
    places: list[Place] = field(default_factory=list)

    def context(self) -> dict[str, Any]:
        return {
            "balance": self.balance,
            "customer": SimpleNamespace(card=self.card, name=self.name),
            "program": SimpleNamespace(name="Kavarnia", terms=self.terms, url="https://kavarnia.example"),
            "tier": SimpleNamespace(name=self.tier, missing=self.missing),
            "expiring": SimpleNamespace(
                amount=self.expiring, on=date(2026, 3, 15) if self.expiring else None
            ),
            "links": SimpleNamespace(preferences="https://kavarnia.example/p/abc"),
        }

    def render(self, source: str, locale: str) -> str:
        parts = FileSystemLoader(EXAMPLE / "messages" / "_parts" / locale)
        environment = SandboxedEnvironment(
            undefined=StrictUndefined, loader=PrefixLoader({"_parts": parts}), trim_blocks=True
        )
        environment.filters["number"] = number
        environment.filters["money"] = lambda value: f"{number(value)}\u00a0₴"
        environment.filters["day"] = lambda value: f"{value.day} {MONTHS[locale]}"
        return environment.from_string(source).render(self.context())

    def near(self, source: str, locale: str, stores: tuple[Place, ...]) -> tuple[Place, ...]:
        template = SandboxedEnvironment(undefined=StrictUndefined).from_string(source)
        return tuple(store._replace(text=template.render(store={"name": store.text})) for store in stores)

    def day(self, source: str) -> date | None:
        if "{" not in source:
            return date.fromisoformat(source)
        given = SandboxedEnvironment().compile_expression(source.strip("{} "))(**self.context())
        return given if isinstance(given, date) else None

    def truthy(self, expression: str) -> bool:
        return bool(SandboxedEnvironment().compile_expression(expression)(**self.context()))

    def face(self, card: Card | None = None, digest: str = "") -> Face:
        return resolve(card or load_card(), self, self.tier, self.locale, self.places, digest)
