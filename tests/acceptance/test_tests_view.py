"""How a failed test is shown: what was expected and what was got, with what differs made bold."""

from tests.support.shop import Shop, shop
from tidings.tests_view import marked

__all__ = ["shop"]


def bold(expected: str, got: str) -> tuple[list[str], list[str]]:
    texts = marked(expected, got)
    return tuple([text.plain[span.start : span.end] for span in text.spans] for text in texts)  # type: ignore[return-value]


def test_a_word_that_differs_is_bold_on_both_sides() -> None:
    assert bold("sms: “600 bonuses”", "sms: “500 bonuses”") == (["600"], ["500"])


def test_what_stands_around_the_expected_part_is_no_difference() -> None:
    assert bold("sms: “600 bonuses”", "sms: “500 bonuses on your card. Opt out: https://a.example/p/1”") == (
        ["600"],
        ["500"],
    )


def test_texts_that_have_nothing_in_common_are_shown_as_they_are() -> None:
    assert bold("nothing", "sms: “500 bonuses”") == ([], [])


def test_a_failed_test_is_shown_with_its_place(shop: Shop) -> None:
    shop.change("tests/bonus-expiring.yaml", "500 бонусів", "600 бонусів")
    said = shop.run("test", "--run", "bonus-expiring")
    assert said.code == 1
    assert "tests/bonus-expiring.yaml:9:7  at 2026-03-01 10:00, anna" in said.out
    assert "expected  sms: “600 бонусів”" in said.out
