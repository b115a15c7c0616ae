"""program.yaml: what is wrong with points, accounts, earning, spending and partners, with its place."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import Problem
from core.program import BONUS_RULES, Program
from core.program.check import read_program
from core.program.earn import ONCE

EVERY_KEY = Path(__file__).parents[1] / "campaigns" / "files" / "program.rules.yaml"
HEAD = """\
program: Corner
currency: UAH
time_zone: Europe/Kyiv
locales: [en]
"""
POINTS = "points: {name: {en: [point, points]}}\n"
LEVELS = "tiers: {levels: [{name: member, from: 0, earn: 5%}, {name: gold, from: 100, earn: 7%}]}\n"
BASE = "{rule: base, by: tier}"
START = datetime(2026, 3, 1, 10, tzinfo=UTC)


def read(*parts: str, points: str = POINTS) -> tuple[Program | None, list[str]]:
    problems: list[Problem] = []
    read = read_program(HEAD + points + LEVELS + "".join(parts), problems)
    said = [("warning: " if it.severity == "warning" else "") + str(it) for it in sorted(problems)]
    return read, [it.replace("program.yaml:", "") for it in said]


def rules(*rules: str, more: str = "") -> str:
    lines = "".join(f"    - {rule}\n" for rule in (BASE, *rules))
    return f"earn:\n  rules:\n{lines}{more}"


def program(*parts: str, points: str = POINTS) -> Program:
    found, said = read(*parts, points=points)
    assert said == []
    assert found is not None
    return found


def test_every_key_may_be_used() -> None:
    problems: list[Problem] = []
    assert read_program(EVERY_KEY.read_text("utf-8"), problems) is not None
    assert problems == []


@pytest.mark.parametrize(
    ("rule", "finding"),
    [
        ("{rule: a}", ": says not what it gives; write 'by: tier', 'earn: 5%', 'give: 20' or 'multiply: 2'"),
        ("{rule: a, give: 5, earn: 5%}", ": gives in two ways: earn and give; make two rules of it"),
        ("{rule: a, by: tier, on: registered}",
         ": 'by: tier' is of purchases; put the grant in a rule of its own, with 'give'"),
        ("{rule: a, give: [{from: 0, points: 5}], on: birthday}",
         ": an act has no receipt: 'on: birthday' needs a number; write for example 'give: 50'"),
        ("{rule: a, give: 5, on: review, goods: {sku: x}}",
         ": an act has no receipt: 'goods' says nothing with 'on: review'; remove it"),
        ("{rule: a, give: 5, on: review, when: {weekday: mon}}",
         ": an act has no receipt: 'when.weekday' says nothing with 'on: review'; remove it"),
        ("{rule: a, give: 5, on: promo_code}",
         ": needs a code; write for example 'code: SPRING26' or 'codes: coupons'"),
        ("{rule: a, give: 5, on: reveiw}",
         (".on: no such choice: 'reveiw'; did you mean 'review'?")),
        ("{rule: a, multiply: 1}",
         ".multiply: expected more than 1, got 1; write for example 'multiply: 2'"),
        ("{rule: a, give: 0.5}", ".give: more than 0 decimal places; write fewer decimals"),
        ("{rule: a, give: 5, at_most: 0.5}", ".at_most: more than 0 decimal places; write fewer decimals"),
        ("{rule: a, give: [{from: 5, points: 5}, {from: 5, points: 6}]}",
         ".give[1].from: bands must rise; write more than 5"),
        ("{rule: a, earn: [{from: 0.001, percent: 5%}]}",
         ".earn[0].from: more than 2 decimal places; write fewer decimals"),
        ("{rule: a, earn: 5}", ".earn: expected a percentage from 0% to 100%, got 5; write '5%'"),
        ("{rule: a, earn: 5%, per: unit}",
         ": 'per: unit' needs a number to give; write for example 'give: 5'"),
        ("{rule: a, give: 5, account: bsae}", ".account: no such account: 'bsae'; did you mean 'base'?"),
        ("{rule: a, give: 5, when: {tier: golden}}",
         ".when.tier: no such level: 'golden'; did you mean 'gold'?"),
        ("{rule: a, give: 5, when: {partner: cinema}}",
         ".when.partner: no such partner: 'cinema'; remove it"),
        ("{rule: a, give: 5, when: {weekday: monday}}",
         (".when.weekday: no such choice: 'monday'; did you mean 'mon'?")),
        ("{rule: a, give: 5, when: {time: morning}}",
         ".when.time: expected a part of the day, got 'morning'; write for example '21:00-09:00'"),
        ("{rule: a, give: 5, when: {lines: {at_least: 5, at_most: 4}}}",
         ".when.lines: nothing fits; correct the numbers"),
        ("{rule: a, give: 5, when: {total: {less_than: 0}}}",
         ".when.total: nothing fits; correct the numbers"),
        ("{rule: a, give: 5, when: {spent: {}}}",
         ".when.spent: says not one thing; write 'reaches' or 'at_least'"),
        ("{rule: a, give: 5, when: {purchase: {every: 1}}}",
         ".when.purchase.every: expected at least 2, got 1; write for example 'every: 10'"),
        ("{rule: a, give: 5, when: {first_in: {sku: a, brand: b}}}",
         ".when.first_in: names more than one kind of goods; write one of category, brand and sku"),
        ("{rule: a, give: 5, goods: {}}", ".goods: names no goods; write for example '{category: coffee}'"),
        ("{rule: a, give: 5, goods: {catgory: x}}", ".goods.catgory: no such key; did you mean 'category'?"),
        ("{rule: a, give: 5, from: 2026-03-02, until: 2026-03-01}",
         ": ends on 2026-03-01, before it begins on 2026-03-02; correct one of them"),
        ("{rule: a, give: 5, limit: 3 per 2 hours}",
         ".limit: expected whole days, got '2 hours'; write for example '3 per 30 days'"),
        ("{rule: a, give: 5, code: SPRING, codes: coupons, per_customer: 1}",
         ": 'code' is one text for many, 'codes: coupons' are of one use each; keep one of them"),
        ("{rule: a, give: 5, per_customer: 1}",
         ": 'per_customer' counts the uses of a code, and there is none; add 'code', or write 'limit'"),
        ("{rule: a, give: 5, excludes: bse}",
         ".excludes: no such rule of purchases: 'bse'; did you mean 'base'?"),
        ("{rule: a, give: 5, fields: email}",
         ": 'fields' are those of a profile; write 'on: profile', or remove it"),
    ],
)  # fmt: skip
def test_a_rule_that_is_wrong_is_told(rule: str, finding: str) -> None:
    _, said = read(rules(rule))
    assert [it.partition("earn.rules[1]")[2] for it in said] == [finding]


@pytest.mark.parametrize(
    ("rule", "finding"),
    [
        ("{rule: a, give: 0}", "gives nothing; write more than 0, or remove the rule"),
        ("{rule: a, earn: [{from: 5, percent: 0%}]}", "gives nothing; write more than 0, or remove the rule"),
        ("{rule: a, give: 5, when: {regular: {purchases: 4, in: 4 weeks}}}",
         ("gives at every purchase as long as they come so often; "
          "add 'limit: 1 per 28 days' if it is a reward")),
        ("{rule: a, give: 5, code: SPRING}",
         "anybody may use the code again and again; add 'per_customer: 1' if once is enough"),
        ("{rule: a, give: 5, group: solo}", "no other rule is in 'solo'; remove it"),
    ],
)  # fmt: skip
def test_what_is_only_odd_is_a_warning(rule: str, finding: str) -> None:
    found, said = read(rules(rule))
    assert found is not None
    assert [it.split(": ", 3)[3] for it in said] == [finding]
    assert said[0].startswith("warning: ")


@pytest.mark.parametrize(
    ("earn", "finding"),
    [
        ("earn: {rules: [{rule: a, give: 5}]}\n",
         "7:8: earn.rules: the levels have 'earn', but no rule pays by it; add '{rule: base, by: tier}'"),
        (rules("{rule: base, give: 5}"),
         "10:8: earn.rules[1].rule: a second rule 'base'; give it its own name"),
        (rules("{rule: a, give: 5, code: SPRING-1, per_customer: 1}",
               "{rule: b, give: 5, code: spring 1, per_customer: 1}"),
         "11:26: earn.rules[2].code: the rule 'a' has this code; take another code"),
        (rules("{rule: a, give: 5, group: g}", "{rule: b, multiply: 2, group: g}"),
         ("10:26: earn.rules[1].group: 'g' has multiples and others: "
          "they cannot be compared; make two groups")),
        (rules("{rule: a, give: 5, excludes: b}", "{rule: b, give: 6, excludes: a}"),
         "8:3: earn.rules: rules exclude one another: 'a' → 'b' → 'a'; let one of them stand"),
        (rules("{rule: a, give: 5, goods: {category: tobacco}}",
               more="  exclude: {category: [tobacco, gifts]}\n"),
         "10:26: earn.rules[1].goods: earn.exclude leaves all of it out; remove it from one of them"),
        (rules(more="  at_most: {receipt: 0}\n"),
         "10:13: earn.at_most.receipt: nothing could be earned; write more than 0, or remove it"),
        (rules(more="  at_most: {receipt: a lot}\n"),
         "10:13: earn.at_most.receipt: expected a percentage from 0% to 100%, got 'a lot'; write '10%'"),
    ],
)  # fmt: skip
def test_rules_that_do_not_fit_together_are_told(earn: str, finding: str) -> None:
    _, said = read(earn)
    assert finding in said


def test_a_rule_that_another_always_excludes_gives_nothing() -> None:
    _, said = read("earn: {rules: [{rule: base, by: tier, excludes: a}, {rule: a, give: 5}]}\n")
    place, _, what = said[0].partition(" gives nothing: ")
    assert place == "warning: 7:53: earn.rules[1]:"
    assert what == "'base' always gives, and excludes it; remove it from 'excludes'"


@pytest.mark.parametrize(
    ("points", "more", "finding"),
    [
        ("points: {name: {en: [point, points]}, accounts: {base: {lasts: 5 days}}}\n", "",
         ("5:57: points.accounts.base.lasts: 'lasts' of the base account stands in 'points'; "
          "write 'points.lasts'")),
        ("points: {name: {en: [point, points]}, accounts: {gift: {share_at_most: 0%}}}\n", "",
         "5:57: points.accounts.gift.share_at_most: nobody could spend it; write more than 0%"),
        (POINTS, "spend: {only: {category: tobacco}, exclude: {category: tobacco}}\n",
         ("11:9: spend.only: 'exclude' leaves all of it out: nothing could be paid with bonuses; "
          "remove it from one of them")),
        (POINTS, "spend: {confirm_above: 0.5}\n",
         "11:9: spend.confirm_above: more than 0 decimal places; write fewer decimals"),
        (POINTS, "spend: {partners: {cinema: {share_at_most: 10%}}}\n",
         "11:20: spend.partners.cinema: no such partner: 'cinema'; remove it"),
        (POINTS, "partners: {a: {stores: s}, b: {stores: [s, t]}}\n",
         "11:32: partners.b.stores: the store 's' is a's; name it once"),
        (POINTS, "partners: {a: {stores: s, earn: [bsae]}}\n",
         "11:27: partners.a.earn: no such rule of purchases: 'bsae'; did you mean 'base'?"),
        (POINTS, "partners: {a: {stores: s, earn: 5}}\n",
         ("11:27: partners.a.earn: expected true, false or the names of rules, got 5; "
          "write for example 'earn: [base]'")),
        (POINTS, "products: {unknown: ask}\n",
         "11:12: products.unknown: no such choice: 'ask'; write accept or refuse"),
        (POINTS, "receipts: {late_at_most: soon}\n",
         "11:12: receipts.late_at_most: expected a length of time, got 'soon'; write for example '14 days'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_accounts_spending_and_partners_is_told(
    points: str, more: str, finding: str
) -> None:
    _, said = read(rules("{rule: more, give: 1}"), more, points=points)
    assert said == [finding]


def test_accounts_are_spent_in_the_order_of_the_file_and_base_comes_last() -> None:
    points = "points: {name: {en: [p, ps]}, lasts: 180 days, accounts: {gift: {lasts: 30 days}, promo: {}}}\n"
    found = program(rules(), points=points)
    assert [it.name for it in found.accounts] == ["gift", "promo", "base"]
    assert [found.spend_rank(name) for name in ("gift", "base", "gone")] == [0, 2, 3]
    other = program(
        rules(),
        points=points.replace("gift: {lasts: 30 days}, promo: {}", "promo: {}, gift: {lasts: 30 days}"),
    )
    assert found.digest != other.digest


def test_a_lot_lives_as_its_rule_says_else_as_its_account_else_as_the_program() -> None:
    gift = "{lasts: 30 days, starts: after 1 day}"
    points = f"points: {{name: {{en: [p, ps]}}, lasts: 180 days, accounts: {{gift: {gift}}}}}\n"
    found = program(rules("{rule: hi, give: 5, on: registered, account: gift, lasts: 7 days}"), points=points)
    assert found.life(START).expires_on == date(2026, 8, 28)
    assert found.life(START, account="gift").expires_on == date(2026, 4, 1)
    assert found.life(START, account="gone").expires_on == date(2026, 8, 28)
    [grant] = found.grants("registered")
    life = found.life(START, account=grant.account, starts=grant.starts, lasts=grant.lasts)
    assert (life.active_from, life.expires_on) == (found.start_of(date(2026, 3, 2)), date(2026, 3, 9))


def test_what_a_return_gives_back_too_late_lives_for_the_grace() -> None:
    assert program(rules()).grace_life(START).expires_on == date(2026, 3, 15)
    found = program(rules(), points="points: {name: {en: [p, ps]}, return_grace: 0 days}\n")
    assert found.grace_life(START).expires_at == found.end_of(date(2026, 3, 1))


def test_accounts_that_activity_extends_are_named_with_how_long() -> None:
    points = (
        "points: {name: {en: [p, ps]}, extend: 90 days, accounts: {gift: {extend: 10 days}, still: {}}}\n"
    )
    found = program(rules(), points=points).extended_accounts
    assert [(name, str(lasts)) for name, lasts in found] == [("gift", "10 days"), ("base", "90 days")]


def test_a_store_belongs_to_a_partner_or_to_nobody() -> None:
    found = program(rules(), "partners: {cinema: {stores: [c1, c2]}}\n")
    assert [found.partner_of(store) for store in ("c1", "k1", None)] == ["cinema", None, None]


def test_a_hold_and_a_late_receipt_have_sensible_lengths() -> None:
    found = program(rules())
    assert found.hold_until(START) - START == timedelta(minutes=30)
    assert str(found.receipts.late_at_most) == "30 days"
    assert found.products.unknown == "accept"


def test_grants_and_codes_are_told_with_their_terms() -> None:
    found = program(
        rules(
            "{rule: wish, give: 100, on: birthday, limit: once, from: 2026-01-01, until: 2026-12-31}",
            "{rule: step, give: 5, on: tier_up, when: {tier: gold}}",
            "{rule: spring, give: 5, code: SPRING26, uses_at_most: 100, per_customer: 1, until: 2026-05-31}",
            "{rule: letter, earn: 5%, codes: coupons}",
        )
    )
    [wish], [step] = found.grants("birthday"), found.grants("tier_up")
    assert (wish.points, wish.limit, wish.from_, wish.until) == (
        100,
        ONCE,
        date(2026, 1, 1),
        date(2026, 12, 31),
    )
    assert step.tiers == ("gold",)
    spring, letter = found.codes()
    assert (spring.rule, spring.code, spring.uses_at_most, spring.per_customer) == (
        "spring",
        "SPRING26",
        100,
        1,
    )
    assert (letter.rule, letter.code, letter.until) == ("letter", None, None)


def test_whatever_bonuses_are_booked_by_tells_programs_apart() -> None:
    assert {"points", "earn", "spend", "partners", "products", "receipts", "tiers"} <= BONUS_RULES
    assert set(Program.model_fields) > BONUS_RULES
    before, after = program(rules()), program(rules(), "partners: {a: {stores: s}}\n")
    assert before.digest != after.digest
