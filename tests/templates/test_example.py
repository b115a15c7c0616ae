"""The example's messages say what they should, in both of its languages."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from campaigns.running import text_kinds
from templates.check import check, layout, missing_locales
from templates.context import NAMES, CustomerView, ExpiringView, LinksView, ProgramView, TierView
from templates.library import Library
from templates.sms import segments
from tests.templates.support import POINT_NAMES, Context

EXAMPLE = Path(__file__).parents[2] / "examples" / "kavarnia"
FACTS: dict[str, dict[str, Any]] = {
    "bonus-expiring": {"expiring": Decimal(1500), "expires_on": date(2026, 9, 15), "days_left": 3},
    "bonus-accrued": {
        "amount": Decimal("127.5"),
        "reason": "purchase",
        "starts_on": date(2026, 3, 15),
        "expires_on": date(2026, 9, 11),
    },
    "tier-changed": {"tier": "gold", "previous": "silver", "direction": "up"},
    "birthday": {"birthday": date(2026, 9, 27), "age": 34},
    "card-added": {"wallet": "apple", "since": date(2026, 3, 1)},
    "win-back": {"days_silent": 61, "last_purchase_on": date(2026, 1, 4)},
    "win-back-gift": {"days_silent": 66, "last_purchase_on": date(2026, 1, 4)},
}
# A fact that changes what a message says, and the fact's other value.
OTHERWISE: dict[str, dict[str, Any]] = {
    "bonus-expiring": {"days_left": 1},
    "bonus-accrued": {"starts_on": None, "expires_on": None},
    "tier-changed": {"tier": "bronze", "previous": "silver", "direction": "down"},
}
# The channels of the messages that are not written in all of them.
WRITTEN = {"win-back-gift": ["email", "sms"], "card-added": ["wallet"]}
CASES = [(name, locale) for name in FACTS for locale in ("uk", "en")]
LETTERS = [case for case in CASES if WRITTEN.get(case[0]) != ["wallet"]]


@pytest.fixture(scope="module")
def kavarnia() -> Library:
    files = {
        path.relative_to(EXAMPLE).as_posix(): path.read_bytes()
        for path in EXAMPLE.joinpath("messages").rglob("*")
        if path.is_file()
    }
    return Library(
        files, kinds=text_kinds(), default_locale="uk", locales=["uk", "en"], point_names=POINT_NAMES,
        currency="UAH", scale=2,
    )  # fmt: skip


def facts(name: str, **trigger: Any) -> Context:
    """A silver customer with everything that a message may mention, and links as long as real ones."""
    return {
        "customer": CustomerView("c-1", name="Анна Коваль", first_name="Анна"),
        "program": ProgramView("Kavarnia", "UAH", url="https://kavarnia.example"),
        "balance": Decimal(1912),
        "tier": TierView("silver", Decimal(7), "gold", Decimal(4200)),
        "expiring": ExpiringView(Decimal(1500), date(2026, 9, 15)),
        "trigger": {**FACTS[name], **trigger},
        "links": LinksView(
            "https://kavarnia.example/u/email/AAGGoLkT0Yb3qVn2xRwZcA",
            "https://kavarnia.example/p/AAGGoLkT0Yb3qVn2xRwZcA",
            "https://kavarnia.example/c/AAGGoLkT0Yb3qVn2xRwZcA",
        ),
    }


def bare(name: str) -> Context:
    """A customer of whom next to nothing is known."""
    return {
        **facts(name, **OTHERWISE.get(name, {})),
        "customer": CustomerView("c-2"),
        "program": ProgramView("Kavarnia", "UAH"),
        "balance": Decimal(0),
        "tier": TierView("gold"),
        "expiring": ExpiringView(),
    }


def test_nothing_is_wrong_with_the_examples_messages(kavarnia: Library) -> None:
    problems = layout(kavarnia)
    for name in kavarnia.messages():
        problems += missing_locales(kavarnia, name)
        problems += check(kavarnia, name, {**NAMES, "trigger": tuple(FACTS[name])}, name)
    assert [str(problem) for problem in problems] == []


@pytest.mark.parametrize(("name", "locale"), CASES)
def test_every_channel_speaks_the_customers_language(kavarnia: Library, name: str, locale: str) -> None:
    expected = WRITTEN.get(name, ["email", "push", "sms"])
    assert kavarnia.channels(name) == expected
    for channel in expected:
        rendered = kavarnia.render(name, channel, locale, facts(name))
        assert rendered.locale == rendered.wanted == locale
        words = " ".join(text for part, text in rendered.parts.items() if part not in ("html", "link"))
        letters = re.findall(r"[А-Яа-яЄІЇҐєіїґ]", re.sub(r"https?:\S+", "", words.replace("Анна", "")))
        assert bool(letters) == (locale == "uk")


@pytest.mark.parametrize(("name", "locale"), LETTERS)
def test_an_email_is_complete(kavarnia: Library, name: str, locale: str) -> None:
    for context in (facts(name), bare(name)):
        parts = kavarnia.render(name, "email", locale, context).parts
        assert sorted(parts) == ["html", "preheader", "subject", "text"]
        assert all(parts.values())
        for text in (parts["html"], parts["text"]):
            assert context["links"].unsubscribe in text
            assert context["links"].preferences in text
            assert context["links"].card in text
            assert "None" not in text
            assert not re.search(r"\{[{%#]|[%#}]\}|qz[ebc]\d", text)
        assert "<" not in parts["text"]


@pytest.mark.parametrize(("name", "locale"), LETTERS)
def test_an_sms_fits_two_segments(kavarnia: Library, name: str, locale: str) -> None:
    for context in (facts(name), bare(name)):
        text = kavarnia.render(name, "sms", locale, context).parts["text"]
        cost = segments(text)
        assert cost.count <= 2, f"{cost}: {text}"
        assert cost.encoding == ("UCS-2" if locale == "uk" else "GSM-7")


def test_the_reminder_says_how_much_and_until_when(kavarnia: Library) -> None:
    context = facts("bonus-expiring")
    assert (
        kavarnia.render("bonus-expiring", "sms", "uk", context)
        .parts["text"]
        .startswith("1 500 бонусів на вашій картці – до 15 вересня.")
    )
    email = kavarnia.render("bonus-expiring", "email", "en", context).parts
    assert email["subject"] == "Still time: 1,500 bonuses until September 15"
    assert "UAH\u00a04,200 more in purchases and you are Gold." in email["text"]


@pytest.mark.parametrize("locale", ["uk", "en"])
def test_a_large_balance_does_not_break_the_level_in_two(kavarnia: Library, locale: str) -> None:
    """On a phone both stand in one row, and mail programs break within words where it is narrow."""
    page = kavarnia.render("birthday", "email", locale, facts("birthday")).parts["html"]
    level = page[: page.index("Рівень" if locale == "uk" else "Level")]
    assert "white-space:nowrap" in level[level.rindex("<td") :]


def test_a_lower_level_is_not_congratulated_on(kavarnia: Library) -> None:
    up = kavarnia.render("tier-changed", "sms", "uk", facts("tier-changed")).parts["text"]
    down = kavarnia.render("tier-changed", "sms", "uk", bare("tier-changed")).parts["text"]
    assert up.startswith("Вітаємо! Ваш рівень – Золото: 7%")
    assert down.startswith("Ваш рівень – Бронза")
