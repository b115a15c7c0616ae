"""A scenario in plain sentences: everything the language knows has a phrase, and the phrases read well."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from campaigns.audience import Names, Segment, Test, read_audience
from campaigns.bundle import Bundle, check
from campaigns.explaining import LANGUAGES, explain, speech_of
from campaigns.explaining.what import UNTOLD
from campaigns.explaining.when import trigger
from campaigns.explaining.who import clause, who
from campaigns.explaining.words import Speech, phrasebook
from campaigns.fields import ATTRIBUTE, FIELDS, NARROWING, Field
from campaigns.gates import NAMES
from campaigns.scenario import Scenario
from channels import discover as discover_channels
from core.customers.profiles import GENDERS
from core.source import load
from core.units import Duration
from tests.support.world import bundle_of, scenario
from triggers import discover

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples" / "kavarnia"
# A segment is a node of its own.
ALL = [*(field for field in FIELDS.values() if field.kind != "segment"), ATTRIBUTE]
ALL += [field.part(it.name) for field in FIELDS.values() for it in field.parts]


def explained(text: str, language: str, program: dict[str, Any] | None = None) -> str:
    bundle = bundle_of({"one": text}, program)
    checked = check(bundle, discover(), discover_channels())
    assert not checked.errors, [str(problem) for problem in checked.errors]
    return explain(checked.scenarios["one"], checked.program, language)


def said_of(audience: str, language: str) -> str:
    problems: list[Any] = []
    document = load(f"audience: {audience}", "x.yaml", problems)
    assert document is not None
    node = read_audience(document, ("audience",), Names(), problems)
    assert not problems, [str(problem) for problem in problems]
    return who(Speech(language, "UAH"), node)


# --- everything has a phrase


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(discover()))
def test_every_trigger_has_a_phrase_for_each_of_its_parameters(name: str, language: str) -> None:
    phrases = phrasebook(language)["triggers"][name]
    fields = discover()[name].Parameters.model_fields
    parameters = {field.alias or key for key, field in fields.items()}
    assert parameters == set(phrases) - {"says"}
    assert all(f"{{{parameter}}}" in phrases["says"] for parameter in parameters)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("field", ALL, ids=lambda field: field.name)
def test_every_field_has_a_phrase_for_each_of_its_operators(field: Field, language: str) -> None:
    speech = speech_of(language, None)
    name = field.name.replace("*", "pet")
    operators = [*field.operators, *(["one_of"] if field.equality or field.kind == "messages" else [])]
    assert operators or field.parts
    for op in operators:
        for value in _values(field, op):
            said = clause(speech, Test(name, op, value, _within(field)))
            other = speech.say(speech.phrase("fields", "other"), name=name, op=op, value=value)
            assert said != other, f"{name}.{op} has no phrase"
            assert "None" not in said
            assert "  " not in said


def _within(field: Field) -> Duration | None:
    return Duration(days=5) if "within" in field.narrowing else None


def _values(field: Field, op: str) -> list[Any]:
    if op == "between":
        low, high = (Decimal(1), Decimal(2)) if field.kind != "moment" else _days()
        return [(low, high)]
    if op in ("within", "before"):
        return [Duration(days=5), *(_days() if op == "before" else ())]
    if op == "contains":
        return ["text"]
    if op != "one_of":
        return ["gold"] if field.kind == "text" else [Decimal(0), Decimal(1), Decimal(2)]
    return [_equals(field)] if not field.choices else [(choice,) for choice in field.choices]


def _equals(field: Field) -> tuple[Any, ...]:
    kinds: dict[str, Any] = {"flag": True, "percent": Decimal("0.1"), "number": Decimal(3)}
    return (kinds.get(field.kind, "push"),)


def _days() -> tuple[Any, Any]:
    from datetime import date

    return date(2026, 3, 1), date(2026, 4, 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_gate_channel_and_narrowing_has_a_phrase(language: str) -> None:
    book = phrasebook(language)
    assert set(book["gates"]) == set(UNTOLD) <= set(NAMES)
    assert set(book["genders"]) == set(GENDERS)
    assert set(discover_channels()) <= set(book["channels"])
    assert set(NARROWING) == set(book["who"]["fragments"])


def _shape(value: Any, path: str = "") -> set[str]:
    if path.count(".") > 1 and ("nouns" in path or "units" in path):
        return {path}  # languages differ in cases and plurals
    if isinstance(value, dict):
        return {deep for key, each in value.items() for deep in _shape(each, f"{path}.{key}")} - {".at.11"}
    return {path}


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_the_phrasebooks_say_the_same_things(language: str) -> None:
    assert _shape(phrasebook(language)) == _shape(phrasebook("en"))


def test_a_trigger_of_ones_own_is_explained_by_its_documentation() -> None:
    import triggers.birthday as module

    speech = Speech("en")
    speech.__dict__["book"] = {**speech.book, "triggers": {"other": "{about} {parameters}"}}
    said = trigger(speech, "birthday", module.TRIGGER.Parameters.model_validate({"days": -3}))
    assert said.endswith("(days: -3)")


# --- and reads well


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_example_is_explained_as_it_was_read_aloud(language: str) -> None:
    checked = check(Bundle.read(EXAMPLE), discover(), discover_channels())
    said = "\n".join(explain(it, checked.program, language) for it in checked.scenarios.values())
    assert said == (HERE / "explained" / f"{language}.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("days", "uk", "ru", "en"),
    [
        (1, "протягом 1 дня", "в течение 1 дня", "within 1 day"),
        (3, "протягом 3 днів", "в течение 3 дней", "within 3 days"),
        (5, "протягом 5 днів", "в течение 5 дней", "within 5 days"),
        (21, "протягом 21 дня", "в течение 21 дня", "within 21 days"),
    ],
)
def test_lengths_of_time_stand_in_the_case_that_their_word_asks_for(
    days: int, uk: str, ru: str, en: str
) -> None:
    text = scenario("{registered: {}}", schedule="", goal=f"{{purchase: {{within: {days} days}}}}")
    assert uk in explained(text, "uk")
    assert ru in explained(text, "ru")
    assert en in explained(text, "en")


@pytest.mark.parametrize(
    ("count", "uk", "ru"),
    [
        (1, "щонайменше 1 бонус ", "не менее 1 бонуса "),
        (2, "щонайменше 2 бонуси ", "не менее 2 бонусов "),
        (5, "щонайменше 5 бонусів ", "не менее 5 бонусов "),
        (21, "щонайменше 21 бонус ", "не менее 21 бонуса "),
    ],
)  # fmt: skip
def test_bonuses_are_counted_in_the_right_form(count: int, uk: str, ru: str) -> None:
    text = scenario(f"{{bonus_accrued: {{at_least: {count}}}}}", schedule="")
    assert uk in explained(text, "uk")
    assert ru in explained(text, "ru")


@pytest.mark.parametrize(
    ("audience", "en"),
    [
        ("{tier: gold}", "Only customers whose tier is gold."),
        ("{not: {segment: staff}}", "All customers, except those who are in the segment “staff”."),
        ("{spent: {at_least: 5000, within: 90 days}}",
         "Only customers who spent at least 5,000 UAH in the last 90 days."),
        ("{age: {between: [25, 45]}}", "Only customers who are 25 to 45 years old."),
        ("{bought: {category: tea, within: 60 days, at_least: 3}}",
         "Only customers who have at least 3 receipts with goods of the category tea in the last 60 days."),
        ("{bought: {category: coffee}}", "Only customers who bought goods of the category coffee."),
        ("{any: [{tier: gold}, {debt: {more_than: 0}}], city: Kyiv}",
         "Only customers (whose tier is gold or who owe bonuses) and who live in Kyiv."),
        ("{any: [{tier: gold}, {not: {city: Kyiv}}]}",
         "Only customers whose tier is gold or who are not among those who live in Kyiv."),
        ("{has_card: false}", "Only customers who have no card in a wallet."),
        ("{attributes.vip: true}", "Only customers whose attribute “vip” is true."),
        ("{attributes.since: [2024, 2025]}", "Only customers whose attribute “since” is 2024 or 2025."),
    ],
)  # fmt: skip
def test_an_audience_is_said_in_one_sentence(audience: str, en: str) -> None:
    assert said_of(audience, "en") == en


@pytest.mark.parametrize(
    ("audience", "said"),
    [
        ("{balance: {more_than: 0}}",
         ("who have bonuses to spend", "у яких є доступні бонуси", "у которых есть доступные бонусы")),
        ("{balance: {at_most: 0}}",
         ("who have no bonuses to spend", "у яких немає доступних бонусів",
          "у которых нет доступных бонусов")),
        ("{expiring: {within: 14 days}}",
         ("who lose bonuses within 14 days", "у яких протягом 14 днів згорають бонуси",
          "у которых в течение 14 дней сгорают бонусы")),
        ("{purchases: {at_least: 1, within: 30 days}}",
         ("who bought something in the last 30 days", "які за останні 30 днів щось купували",
          "которые за последние 30 дней что-то покупали")),
        ("{purchases: 0}",
         ("who bought nothing", "які нічого не купували", "которые ничего не покупали")),
        ("{bought: {category: tea, less_than: 1}}",
         ("who bought no goods of the category tea", "які не купували товарів категорії tea",
          "которые не покупали товаров категории tea")),
        ("{friends: {more_than: 0}}",
         ("who brought a friend", "які запросили друга", "которые пригласили друга")),
    ],
)  # fmt: skip
def test_any_and_none_are_said_as_people_say_them(audience: str, said: tuple[str, ...]) -> None:
    for language, words in zip(LANGUAGES, said, strict=True):
        assert said_of(audience, language).endswith(f" {words}.")


@pytest.mark.parametrize(
    ("audience", "uk"),
    [
        ("{purchases: {at_least: 2, within: 5 days}}",
         "Лише клієнти, які за останні 5 днів мають щонайменше 2 чеки."),
        ("{age: {between: [25, 41]}}", "Лише клієнти, яким від 25 до 41 року."),
        ("{last_purchase: {before: 30 days}}",
         "Лише клієнти, які востаннє щось купували понад 30 днів тому."),
        ("{birthday: {month: [6, 7]}}", "Лише клієнти, у яких місяць народження – червень або липень."),
        ("{locale: [uk, en]}", "Лише клієнти, у яких мова – українська або англійська."),
        ("{gender: female}", "Лише клієнти, у яких вказано стать: жіноча."),
        ("{registered: {before: 2026-03-01}}",
         "Лише клієнти, які вступили до програми до 1 березня 2026 року."),
    ],
)  # fmt: skip
def test_an_audience_is_said_in_ukrainian(audience: str, uk: str) -> None:
    assert said_of(audience, "uk") == uk


@pytest.mark.parametrize(
    ("when", "uk"),
    [
        ("{bonus_accrued: {reason: [purchase, welcome]}}",
         "Щойно клієнт отримує бонуси (підстава: покупка або «welcome»)."),
        ("{bonus_accrued: {reason: [adjustment, transfer]}}",
         "Щойно клієнт отримує бонуси (підстава: коригування вручну або переказ від іншого клієнта)."),
        ("{registered: {source: referral}}", "Щойно клієнт вступає до програми (на запрошення друга)."),
    ],
)  # fmt: skip
def test_words_of_the_language_are_said_in_the_readers(when: str, uk: str) -> None:
    rules = [{"rule": "base", "by": "tier"}, {"rule": "welcome", "give": 50, "on": "registered"}]
    assert uk in explained(scenario(when, schedule=""), "uk", {"earn": {"rules": rules}})


def test_schedules_are_said_as_people_say_them() -> None:
    text = scenario("{schedule: {every: monday and friday at 11:00}}", schedule="")
    assert "щопонеділка і щоп’ятниці об 11:00" in explained(text, "uk").lower()
    assert "каждый понедельник и каждую пятницу в 11:00" in explained(text, "ru").lower()
    assert "every Monday and every Friday at 11:00" in explained(text, "en").replace("Every", "every", 1)


def test_steps_say_what_they_ask_and_variants_their_shares() -> None:
    steps = (
        "[{id: hello, send: [sms], variants: [{message: a, weight: 3}, {message: b, weight: 1}]}, "
        "{id: again, wait: 2 hours, message: c, send: [sms], only_if: {tier: gold}, unless: [purchase]}]"
    )
    said = explained(scenario("{registered: {}}", schedule="", steps=steps), "en")
    assert "one of the messages “a” (75%) or “b” (25%), drawn once for each customer, by SMS" in said
    asked = "unless the customer has bought something since entering, only to those whose tier is gold"
    assert f"2 hours after the previous message, {asked}: the message “c” by SMS." in said


def test_a_limit_is_said_only_where_it_holds() -> None:
    text = scenario("{birthday: {}}", limits="{at_most: 1 per 30 days}")
    assert "A customer gets at most 1 message of this scenario in 30 days." in explained(text, "en")
    assert "at most 1 message" not in explained(text + "purpose: service\n", "en")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "only to those who have bought something since entering or whose tier is gold:"),
        ("uk", "лише тим, які щось купили від початку сценарію або у яких рівень gold:"),
        ("ru", "только тем, которые что-то купили с начала сценария или у которых уровень gold:"),
    ],
)
def test_of_a_list_that_lets_a_step_go_out_one_is_enough(language: str, said: str) -> None:
    steps = (
        "[{id: hello, message: a, send: [sms]}, "
        "{id: again, wait: 2 hours, message: b, send: [sms], only_if: [purchase, {tier: gold}]}]"
    )
    assert said in explained(scenario("{registered: {}}", schedule="", steps=steps), language)


def test_what_each_of_a_list_asks_is_kept_apart() -> None:
    asked = "[{tier: gold, city: Kyiv}, {tier: silver}]"
    steps = f"[{{id: hello, message: a, send: [sms], only_if: {asked}}}]"
    said = explained(scenario("{registered: {}}", schedule="", steps=steps), "en")
    assert "only to those (whose tier is gold and who live in Kyiv) or whose tier is silver:" in said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "No marketing is sent on 24 August 2026 and 1 January 2027 by the customer's own calendar;"),
        ("uk", "24 серпня 2026 року і 1 січня 2027 року за календарем клієнта реклама не надсилається;"),
        ("ru", "24 августа 2026 года и 1 января 2027 года по календарю клиента реклама не отправляется;"),
    ],
)
def test_days_without_marketing_are_told_of_marketing(language: str, said: str) -> None:
    days = {"blackout": ["2027-01-01", "2026-08-24"]}
    assert said in explained(scenario("{registered: {}}", schedule=""), language, days)
    service = scenario("{registered: {}}", schedule="", purpose="service")
    assert said not in explained(service, language, days)


def test_a_segment_is_called_by_its_name() -> None:
    assert clause(Speech("ru"), Segment("staff")) == "которые входят в сегмент «staff»"


def test_every_example_scenario_is_read(tmp_path: Path) -> None:
    checked = check(Bundle.read(EXAMPLE), discover(), discover_channels())
    assert all(isinstance(it, Scenario) for it in checked.scenarios.values())
    assert len(checked.scenarios) == len(list((EXAMPLE / "scenarios").glob("*.yaml")))
