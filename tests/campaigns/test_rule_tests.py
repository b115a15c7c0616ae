"""The runner of tests of rules: the real ledger, one receipt or act a case, each mismatch with its place."""

import pytest

from campaigns.ruletest import RuleTest, is_rule_test, read_rule_test, untested
from core.errors import Problem, Problems
from core.source import load
from tests.core.carts import program
from tests.support.databases import load_tables
from tidings.ruletests import read_all, run_one

HEAD = "rule: gift\ncases:\n"
RULES = """
{rule: gift, give: 20, when: {lines: {at_least: 2}}, account: gift}
{rule: third, give: 3, when: {purchase: 3}}
{rule: letter, give: 7, codes: coupons}
{rule: film, give: 2, when: {partner: cinema}}
{rule: wish, give: 100, on: birthday, lasts: 7 days}
"""
PROGRAM = program(
    RULES,
    points="  accounts: {gift: {lasts: 30 days}}",
    tail="partners: {cinema: {stores: c1}}\nspend: {share_at_most: 50%}",
)
TWO_LINES = "{at: 2026-03-02 12:00, lines: [{total: 10}, {total: 90}]}"


@pytest.fixture(autouse=True)
def tables() -> None:
    load_tables()


def run(cases: str, head: str = HEAD) -> list[str]:
    [test] = read_all(PROGRAM, {"tests/gift.yaml": head + cases})
    result = run_one(PROGRAM, test)
    assert result.passed is not bool(result.mismatches)
    return [" ".join(str(it).split()) for it in result.mismatches]


def findings(text: str) -> list[str]:
    problems: list[Problem] = []
    read_rule_test("gift", text, "tests/gift.yaml", PROGRAM, problems)
    return [str(it).removeprefix("tests/gift.yaml:") for it in sorted(problems)]


def test_what_is_as_expected_passes() -> None:
    given = "{tier: silver, purchases: 2, spent: 500, bonuses: 50}"
    assert (
        run(f"""
  - case: everything at once
    given: {given}
    receipt:
      at: 2026-03-02 12:00
      store: c1
      lines: [{{total: 10}}, {{total: 90}}]
      pay: 20
      coupons: letter
    expect: {{tier: 4, gift: 20, third: 3, letter: 7, film: 2}}
    in_all: 36
    expires: {{gift: 2026-04-01}}
""")
        == []
    )


def test_what_is_not_as_expected_is_told_with_its_place() -> None:
    said = run(f"""  - case: too much was hoped for
    receipt: {TWO_LINES}
    expect: {{gift: 21, third: 3}}
    in_all: 24
    silent: {{letter: hours, film: partner, gift: limit}}
    expires: {{gift: 2026-03-31, third: 2026-03-31}}
""")
    assert said == [
        "tests/gift.yaml:5:14: too much was hoped for: expected gift: 21 got gift: 20",
        "tests/gift.yaml:5:24: too much was hoped for: expected third: 3 got third: history",
        "tests/gift.yaml:7:14: too much was hoped for: expected letter: hours got letter: code",
        "tests/gift.yaml:7:44: too much was hoped for: expected gift: limit got gift: 20",
        "tests/gift.yaml:8:15: too much was hoped for: expected gift: 2026-03-31 got gift: 2026-04-01",
        "tests/gift.yaml:8:33: too much was hoped for: expected third: 2026-03-31 got third: nothing",
        "tests/gift.yaml:6:5: too much was hoped for: expected 24 got 20 (gift 20)",
    ]


def test_a_receipt_that_is_refused_is_told() -> None:
    said = run("""  - case: paid with what is not there
    receipt: {at: 2026-03-02 12:00, total: 100, pay: 20}
    expect: {gift: 0}
""")
    place, _, got = said[0].partition(" expected to be recorded got ")
    assert place == "tests/gift.yaml:3:5: paid with what is not there:"
    assert got == "insufficient_balance: 0 bonuses are available for this"


def test_an_act_is_given_what_its_rule_says() -> None:
    cases = """  - case: a birthday
    act: {on: birthday, at: 2026-03-02 12:00}
    expect: {wish: 100}
    in_all: 100
    expires: {wish: 2026-03-09}
"""
    assert run(cases, "rules: [wish]\ncases:\n") == []


def test_earlier_receipts_are_the_customers_past() -> None:
    assert (
        run("""  - case: the third
    given: {receipts: [{at: 2026-02-02 12:00, total: 10}, {at: 2026-02-01 12:00, total: 10}]}
    receipt: {at: 2026-03-02 12:00, total: 10}
    expect: {third: 3, gift: 0}
""")
        == []
    )


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("rule: gfit\ncases: [{case: a, act: {on: review, at: 2026-03-02 12:00}, expect: {}, in_all: 0}]\n",
         "1:1: rule: no such rule: 'gfit'; did you mean 'gift'?"),
        (HEAD + f"  - {{case: a, receipt: {TWO_LINES}, expect: {{third: 1}}}}\n",
         "2:1: cases: no case says what 'gift' gives; write for example 'expect: {gift: 5}'"),
        (HEAD + "  - {case: a, expect: {gift: 1}}\n",
         "3:5: cases[0]: says not one thing that happens; write 'receipt' or 'act'"),
        (HEAD + f"  - {{case: a, receipt: {TWO_LINES}, silent: {{gift: hour}}}}\n",
         "3:92: cases[0].silent.gift: no such reason: 'hour'; did you mean 'hours'?"),
        (HEAD + "  - {case: a, receipt: {at: 2026-03-02 12:00}, expect: {gift: 1}}\n",
         "3:15: cases[0].receipt: says not what was bought; write 'total' or 'lines'"),
        (HEAD + f"  - {{case: a, given: {{tier: golden}}, receipt: {TWO_LINES}, expect: {{gift: 1}}}}\n",
         "3:23: cases[0].given.tier: no such level: 'golden'; did you mean 'gold'?"),
        (HEAD + f"  - {{case: a, given: {{spent: 5}}, receipt: {TWO_LINES}, expect: {{gift: 1}}}}\n",
         "3:23: cases[0].given.spent: without purchases; add 'purchases: 1'"),
        (HEAD + f"  - {{case: a, recipt: {TWO_LINES}, expect: {{gift: 1}}}}\n",
         "3:15: cases[0].recipt: no such key; did you mean 'receipt'?"),
        (HEAD + f"  - {{case: a, receipt: {TWO_LINES}, expect: {{gift: 10.255}}}}\n",
         "3:92: cases[0].expect.gift: more than 2 decimal places; write fewer decimals"),
        (HEAD + f"  - {{case: a, receipt: {TWO_LINES}, expect: {{gift: 1}}, in_all: 1.001}}\n",
         "3:102: cases[0].in_all: more than 2 decimal places; write fewer decimals"),
        (HEAD + f"  - {{case: a, given: {{bonuses: 100.555}}, receipt: {TWO_LINES}, expect: {{gift: 1}}}}\n",
         "3:23: cases[0].given.bonuses: more than 2 decimal places; write fewer decimals"),
        (HEAD + "  - {case: a, receipt: {at: 2026-03-02 12:00, lines: [{total: 1.234}]}, "
         "expect: {gift: 1}}\n",
         "3:56: cases[0].receipt.lines[0].total: more than 2 decimal places; write fewer decimals"),
        (HEAD + "  - {case: a, receipt: {at: 2026-03-02 12:00, lines: [{total: 1, quantity: 0.0005}]}, "
         "expect: {gift: 1}}\n",
         "3:66: cases[0].receipt.lines[0].quantity: more than 3 decimal places; write fewer decimals"),
    ],
)  # fmt: skip
def test_a_test_that_is_wrong_is_told(text: str, finding: str) -> None:
    assert findings(text) == [finding]


def test_every_mistake_of_every_file_is_told_at_once() -> None:
    files = {f"tests/{name}.yaml": HEAD for name in ("one", "two")}
    with pytest.raises(Problems) as caught:
        read_all(PROGRAM, files)
    assert [it.file for it in caught.value.problems] == sorted(files)


def test_a_rule_that_no_test_names_is_a_warning() -> None:
    document = load("earn:\n  rules:\n    - {rule: tier}\n    - {rule: gift}\n", "program.yaml", [])
    assert document is not None
    problems: list[Problem] = []
    test = read_rule_test(
        "g", HEAD + f"  - {{case: a, receipt: {TWO_LINES}, expect: {{gift: 1}}}}\n", "", PROGRAM, problems
    )
    assert isinstance(test, RuleTest)
    two = PROGRAM.model_copy(
        update={"earn": PROGRAM.earn.model_copy(update={"rules": PROGRAM.earn.rules[:2]})}
    )
    [warning] = untested(two, document, test.test.tested)
    assert (
        str(warning)
        == "program.yaml:3:8: earn.rules[0].rule: no test names the rule 'tier'; write tests/tier.yaml"
    )
    assert warning.severity == "warning"


def test_files_are_told_apart_by_their_first_key() -> None:
    assert is_rule_test(HEAD)
    assert not is_rule_test("scenario: birthday\n")
    assert not is_rule_test("rule: [")
