"""Numbers, points, money and dates read as people of each locale write them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from templates.filters import Conventions, Filter, filters, plural_forms

NAMES = {
    "uk": ("бонус", "бонуси", "бонусів", "бонуса"),
    "ru": ("бонус", "бонуса", "бонусов", "бонуса"),
    "en": ("bonus", "bonuses"),
}


def written(locale: str, *, plain: bool = True, currency: str = "UAH") -> Mapping[str, Filter]:
    """The filters of a locale, as for SMS unless said otherwise."""
    zone = ZoneInfo("Europe/Kyiv")
    return filters(Conventions(locale, NAMES.get(locale, ()), currency, 2, zone, plain))


PLURALS = [
    *[("uk", n, "бонус") for n in ("1", "21", "101", "1001", "-1")],
    *[("uk", n, "бонуси") for n in ("2", "3", "4", "22", "104", "1234")],
    *[("uk", n, "бонусів") for n in ("0", "5", "11", "12", "14", "111", "114", "1000000", "5.00", "1E+3")],
    *[("uk", n, "бонуса") for n in ("1.5", "0.01", "100.5")],
    *[("ru", n, "бонус") for n in ("1", "21")],
    *[("ru", n, "бонуса") for n in ("2", "4", "1.5")],
    *[("ru", n, "бонусов") for n in ("0", "5", "11", "14", "25")],
    *[("en", n, "bonus") for n in ("1", "1.00")],
    *[("en", n, "bonuses") for n in ("0", "2", "1.5", "21")],
]


@pytest.mark.parametrize(("locale", "amount", "noun"), PLURALS)
def test_points_take_the_plural_form_of_the_language(locale: str, amount: str, noun: str) -> None:
    assert written(locale)["points"](Decimal(amount)).split(" ")[-1] == noun


@pytest.mark.parametrize(
    ("locale", "expected"), [("uk", "1 234,5 бонуса"), ("ru", "1 234,5 бонуса"), ("en", "1,234.5 bonuses")]
)
def test_points_are_written_with_the_locales_separators(locale: str, expected: str) -> None:
    assert written(locale)["points"](Decimal("1234.50")) == expected


@pytest.mark.parametrize(
    ("locale", "amount", "expected"),
    [
        ("uk", "1234.5", "1\u00a0234,50\u00a0₴"),
        ("uk", "4200.00", "4\u00a0200\u00a0₴"),
        ("ru", "0.05", "0,05\u00a0₴"),
        ("en", "1234.5", "UAH\u00a01,234.50"),
        ("en", "-5", "-UAH\u00a05"),
    ],
)
def test_money_is_whole_where_it_can_be(locale: str, amount: str, expected: str) -> None:
    assert written(locale, plain=False)["money"](Decimal(amount)) == expected


def test_money_in_an_sms_needs_no_unicode_where_the_text_does_not() -> None:
    assert written("en", currency="PLN")["money"](Decimal(5)) == "PLN 5"
    assert written("en", currency="EUR")["money"](Decimal(5)) == "€5"
    assert written("uk")["money"](Decimal(5)) == "5 ₴"


def test_only_sms_gives_up_the_no_break_space() -> None:
    assert written("uk", plain=False)["number"](1234567) == "1\u00a0234\u00a0567"
    assert written("uk")["number"](1234567) == "1 234 567"


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("uk", "7,5%"), ("ru", "7,5 %"), ("en", "7.5%"), ("en-IN", "7.5%"), ("hi", "7.5%"), ("tr", "%7,5")],
)
def test_percents_are_percents_and_not_shares(locale: str, expected: str) -> None:
    assert written(locale)["percent"](Decimal("7.5")) == expected


@pytest.mark.parametrize(
    ("locale", "day", "full"),
    [
        ("uk", "15 березня", "15 березня 2026 р."),
        ("ru", "15 марта", "15 марта 2026 г."),
        ("en", "March 15", "March 15, 2026"),
    ],
)
def test_days_are_words(locale: str, day: str, full: str) -> None:
    assert written(locale)["day"](date(2026, 3, 15)) == day
    assert written(locale)["date"](date(2026, 3, 15)) == full


def test_a_moment_is_shown_in_the_programs_zone() -> None:
    late = datetime(2026, 3, 14, 22, 30, tzinfo=UTC)
    assert written("uk")["time"](late) == "00:30"
    assert written("en")["time"](late) == "12:30 AM"
    assert written("uk")["day"](late) == "15 березня"


@pytest.mark.parametrize("name", ["points", "number", "money", "percent", "day", "date", "time"])
def test_what_is_not_known_is_written_as_nothing(name: str) -> None:
    assert written("uk")[name](None) == ""


@pytest.mark.parametrize(
    ("name", "value"), [("points", "500"), ("money", True), ("day", 15), ("time", "10:00")]
)
def test_a_filter_refuses_what_it_cannot_write(name: str, value: object) -> None:
    with pytest.raises(TypeError, match="is needed"):
        written("uk")[name](value)


def test_each_locale_says_how_many_forms_it_has() -> None:
    assert plural_forms("uk") == plural_forms("ru") == ("one", "few", "many", "other")
    assert plural_forms("en") == plural_forms("de") == ("one", "other")
