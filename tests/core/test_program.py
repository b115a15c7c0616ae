"""program.yaml: what may stand there, what it means in integers, and what this release refuses."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.errors import Problem
from core.program import Program
from core.program.check import plural_forms, read_program

EXAMPLE = Path(__file__).parents[2] / "examples" / "kavarnia" / "program.yaml"

SMALLEST = """\
program: Corner
currency: UAH
time_zone: Europe/Kyiv
locales: [en]
points: {name: {en: [point, points]}}
tiers: {levels: [{name: member, from: 0}]}
"""


def findings(text: str) -> list[str]:
    problems: list[Problem] = []
    read_program(text, problems, channels=["email", "sms", "push", "wallet"])
    return [str(problem).removeprefix("program.yaml:") for problem in sorted(problems)]


def program(text: str = SMALLEST) -> Program:
    problems: list[Problem] = []
    found = read_program(text, problems)
    assert not problems
    assert found is not None
    return found


def changed(before: str, after: str) -> str:
    assert before in SMALLEST
    return SMALLEST.replace(before, after)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def kavarnia() -> Program:
    return program(EXAMPLE.read_text(encoding="utf-8"))


def test_the_example_is_right() -> None:
    assert findings(EXAMPLE.read_text(encoding="utf-8")) == []


def test_the_smallest_program_has_sensible_defaults() -> None:
    small = program()
    assert (small.seed, small.max_per_look, small.holdout) == ("Corner", 50_000, 0)
    assert (small.points.scale, small.points.worth, small.quiet_hours) == (0, 1, None)
    assert small.expires_on(date(2026, 3, 1)) is None


def test_a_seed_may_be_kept_when_the_program_is_renamed() -> None:
    assert program(SMALLEST + "seed: Old name\n").seed == "Old name"


# --- what is not right


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (changed("UAH", "UAX"),
         "2:1: currency: expected a currency code of ISO 4217, got 'UAX'; write for example 'UAH'"),
        (changed("Europe/Kyiv", "Europe/Kiyv"),
         "3:1: time_zone: expected a time zone, got 'Europe/Kiyv'; write a name such as 'Europe/Kyiv'"),
        (changed("[en]", "[english]"),
         "4:11: locales[0]: expected a locale, got 'english'; write for example 'uk' or 'pt-BR'"),
        (changed("[en]", "[en, uk]"),
         "5:10: points.name: no name in 'uk'; add 'uk: [one, few, many, other]'"),
        (changed("[point, points]", "[point]"),
         "5:17: points.name.en: 'en' has 2 plural forms, got 1; write them in this order: one, other"),
        (changed("{name: {en", "{worth: 0, name: {en"), "5:10: points.worth: expected more than zero, got 0"),
        (changed("from: 0", "from: 10"),
         "6:33: tiers.levels[0].from: the lowest level must be open to everybody; write 'from: 0'"),
        (changed("{name: member, from: 0}", "{name: a, from: 0}, {name: a, from: 5}"),
         "6:39: tiers.levels[1].name: a second level 'a'; give it its own name"),
        (changed("{name: member, from: 0}", "{name: a, from: 0}, {name: b, from: 0}"),
         "6:48: tiers.levels[1].from: levels must rise; write more than 0"),
        (changed("{name: member, from: 0}", "{name: a, from: 0}, {name: b, from: 0.001}"),
         "6:48: tiers.levels[1].from: more than 2 decimal places; write fewer decimals"),
        (changed("from: 0", "from: 0, earn: 5%"),
         "1:1: earn.rules: the levels have 'earn', but no rule pays by it; add '{rule: base, by: tier}'"),
        (SMALLEST + "chanels: {}\n", "7:1: chanels: no such key; did you mean 'channels'?"),
        (SMALLEST + "channels: {emial: {}}\n",
         "7:12: channels.emial: no such channel; did you mean 'email'?"),
        (SMALLEST + "allowances: {marketing: {sms: 1 per day}}\nchannels: {email: {}}\n",
         "7:26: allowances.marketing.sms: no such channel here; write email or all"),
        (SMALLEST + "spend: {receipt_at_least: 0.001}\n",
         "7:9: spend.receipt_at_least: more than 2 decimal places; write fewer decimals"),
        (SMALLEST + "blackout: [24 August]\n",
         "7:12: blackout[0]: expected a date, got '24 August'; write for example '2026-03-15'"),
        (SMALLEST + "url: kavarnia.example\n",
         ("7:1: url: expected a web address, got 'kavarnia.example'; "
          "write for example 'https://kavarnia.example'")),
        (SMALLEST + "terms: [a]\n",
         "7:1: terms: expected text, or one text a locale, got a list; write for example '{uk: …, en: …}'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(text: str, finding: str) -> None:
    assert findings(text) == [finding]


def test_everything_is_said_at_once() -> None:
    text = changed("UAH", "UAX").replace("Corner", "5") + "holdout: 10\nquiet_hours: night\n"
    assert [finding.split(": ", 2)[1] for finding in findings(text)] == [
        "program",
        "currency",
        "holdout",
        "quiet_hours",
    ]


@pytest.mark.parametrize(
    ("locale", "forms"),
    [
        ("uk", ["one", "few", "many", "other"]),
        ("en", ["one", "other"]),
        ("pl", ["one", "few", "many", "other"]),
        ("ja", ["other"]),
        ("ar", ["zero", "one", "two", "few", "many", "other"]),
    ],
)
def test_the_plural_forms_of_a_language_are_those_of_cldr(locale: str, forms: list[str]) -> None:
    assert plural_forms(locale) == forms


# --- points and money


def test_points_and_money_are_integers_for_the_database_and_decimals_for_people(kavarnia: Program) -> None:
    assert kavarnia.to_points(100) == 10_000
    assert kavarnia.from_points(10_050) == Decimal("100.5")
    assert kavarnia.to_money("0.85") == 85
    assert kavarnia.from_money(500_000) == 5000


def test_a_currency_without_small_change_has_none() -> None:
    yen = program(changed("UAH", "JPY"))
    assert yen.to_money(500) == 500
    with pytest.raises(ValueError, match="more than 0 decimal places"):
        yen.to_money("0.5")


def test_bonuses_may_be_worth_less_than_money() -> None:
    cheap = program(changed("{name: {en", "{worth: 0.10, name: {en"))
    assert cheap.money_in_points(Decimal(500)) == 50
    assert cheap.points_in_money(50) == 500


def test_the_welcome_grant_has_its_own_lifetime(kavarnia: Program) -> None:
    (welcome,) = kavarnia.grants("registered")
    start = utc("2026-03-01T10:00")
    assert (welcome.rule, welcome.points) == ("welcome", 5_000)
    assert welcome.lasts is not None
    assert welcome.lasts.last_day(kavarnia.day_of(start)) == date(2026, 3, 31)
    assert kavarnia.expires_on(start) == date(2026, 8, 28)


def test_days_of_the_ledger_are_the_programs(kavarnia: Program) -> None:
    late_evening = utc("2026-03-01T23:30")
    assert kavarnia.day_of(late_evening) == date(2026, 3, 2)
    assert kavarnia.expires_on(late_evening) == date(2026, 8, 29)


def test_a_day_ends_at_midnight_also_on_the_night_of_the_change(kavarnia: Program) -> None:
    assert kavarnia.end_of(date(2026, 3, 28)) == utc("2026-03-28T22:00")
    assert kavarnia.end_of(date(2026, 3, 29)) == utc("2026-03-29T21:00")
    assert kavarnia.end_of(None) is None


def test_bonuses_start_at_once_or_at_the_beginning_of_a_later_day(kavarnia: Program) -> None:
    at = utc("2026-03-01T10:00")
    assert kavarnia.starts_at(at) == at
    later = program(changed("{name: {en", "{starts: after 14 days, name: {en"))
    assert later.starts_at(at) == datetime(2026, 3, 15, tzinfo=ZoneInfo("Europe/Kyiv"))


# --- tiers


@pytest.mark.parametrize(
    ("spend", "tier"),
    [(-1, "bronze"), (0, "bronze"), (499_999, "bronze"), (500_000, "silver"), (9_000_000, "gold")],
)
def test_spend_reaches_a_level(kavarnia: Program, spend: int, tier: str) -> None:
    assert kavarnia.tier_for(spend).name == tier


def test_levels_stand_in_order(kavarnia: Program) -> None:
    assert kavarnia.tier_names == ("bronze", "silver", "gold")
    assert [kavarnia.rank(name) for name in ("bronze", "gold", "platinum")] == [0, 2, -1]
    above = kavarnia.next_level("silver")
    assert above is not None
    assert (above.name, above.from_, above.earn) == ("gold", 20_000, Decimal("0.07"))
    assert kavarnia.next_level("gold") is None


def test_a_level_that_the_program_no_longer_has_counts_as_the_lowest(kavarnia: Program) -> None:
    assert kavarnia.level("platinum").name == "bronze"
    assert kavarnia.level(None).name == "bronze"


def test_terms_are_told_in_the_readers_language(kavarnia: Program) -> None:
    assert kavarnia.terms_in("en").startswith("3-7% of every receipt")
    assert kavarnia.terms_in("pl") == kavarnia.terms_in("uk")


@pytest.mark.parametrize("locale", ["en-GB", "en", "en-US", "en_gb", "EN"])
def test_what_customers_agree_to_is_told_in_the_english_that_there_is(locale: str) -> None:
    words = "{uk: Умови., en-GB: The terms.}"
    more = f"terms: {words}\nconsent: {{version: '1', text: {words}}}\n"
    small = SMALLEST.replace("locales: [en]", "locales: [uk, en-GB]").replace("en: [", "en-GB: [")
    found = read_program(f"{small.replace('name: {', 'name: {uk: [бал, бали, балів, бала], ')}{more}", [])
    assert found is not None
    assert (found.terms_in(locale), found.consent_in(locale)) == ("The terms.", "The terms.")
    assert found.consent_in("pl") == "Умови."
