"""A small program in Ukrainian, English and Russian, and one customer of it."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import pytest

from campaigns.running import text_kinds
from templates.context import CustomerView, ExpiringView, LinksView, ProgramView, TierView
from templates.library import Library
from tests.templates.support import POINT_NAMES, Context, MakeLibrary


@pytest.fixture
def library() -> MakeLibrary:
    """Makes a library of the given files: path below messages/ to text."""

    def make(files: Mapping[str, str], locales: Sequence[str] = ("uk", "en", "ru")) -> Library:
        return Library(
            {f"messages/{path}": text.encode() for path, text in files.items()},
            kinds=text_kinds(),
            default_locale="uk",
            locales=locales,
            point_names=POINT_NAMES,
            currency="UAH",
            scale=2,
            time_zone="Europe/Kyiv",
        )

    return make


@pytest.fixture
def context() -> Context:
    """Anna, silver, whose 500 bonuses expire on 15 March."""
    return {
        "customer": CustomerView("c-1", name="Anna & <Co>", first_name="Anna", attributes={"items": "tea"}),
        "program": ProgramView("Kavarnia", "UAH", url="https://kavarnia.example"),
        "balance": Decimal(1912),
        "tier": TierView("silver", Decimal(5), "gold", Decimal(4200)),
        "expiring": ExpiringView(Decimal(500), date(2026, 3, 15)),
        "trigger": {"expiring": Decimal(500), "expires_on": date(2026, 3, 15), "days_left": 3},
        "links": LinksView("https://k.example/u/1?a=1&b=2", "https://k.example/p/1", "https://k.example/c/1"),
    }
