"""A card's short texts, filled in with one customer's facts."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from campaigns.bundle import Bundle
from campaigns.running import Running, make_ready
from scheduler.card_texts import CardTexts, Filled, programs
from templates.context import CustomerView, ExpiringView
from templates.environment import RenderError
from templates.facts import Context
from tests.wallet.cards import EXAMPLE
from wallet.design import Place

FILE = "cards/loyalty.yaml"


@pytest.fixture(scope="module")
def running() -> Running:
    return make_ready(Bundle.read(EXAMPLE))


def filled(running: Running, **facts: Any) -> Filled:
    known = programs(running.program, running.library.program_locales)
    context: Context = {
        "customer": CustomerView("10042", name="Олена"), "program": known["uk"],
        "expiring": ExpiringView(Decimal(500), date(2026, 3, 15)), **facts,
    }  # fmt: skip
    return Filled(CardTexts(running.library, FILE), context, "uk", known)


def test_another_language_of_the_card_has_the_programs_words_in_it(running: Running) -> None:
    card = filled(running)
    own, other = (card.render("{{ program.terms }}", locale) for locale in ("uk", "en"))
    assert own.startswith("3-7% від кожного чека")
    assert other.startswith("3-7% of every receipt")
    assert card.render("{{ expiring.on | day }}", "en") == "March 15"


def test_a_template_of_a_day_gives_the_day_itself(running: Running) -> None:
    card = filled(running)
    assert card.day("{{ expiring.on }}") == card.day("2026-03-15") == date(2026, 3, 15)
    assert filled(running, expiring=ExpiringView()).day("{{ expiring.on }}") is None
    assert card.day("{% if false %}2026-03-15{% endif %}") is None


def test_what_is_no_day_is_refused_without_telling_what_it_is(running: Running) -> None:
    with pytest.raises(RenderError) as failed:
        filled(running).day("{{ customer.name }}")
    assert str(failed.value) == f"{FILE}: '{{{{ customer.name }}}}': not a day such as 2026-12-31"


def test_a_condition_of_what_is_not_known_does_not_hold(running: Running) -> None:
    card = filled(running)
    assert card.truthy("expiring.amount > 100")
    assert not card.truthy("customer.attributes.vip")


def test_an_error_names_the_template_and_no_fact(running: Running) -> None:
    with pytest.raises(RenderError) as failed:
        filled(running).render("{{ customer.name | number }}", "uk")
    assert str(failed.value) == f"{FILE}: '{{{{ customer.name | number }}}}': TypeError"


def test_near_a_store_everybody_reads_the_same(running: Running) -> None:
    card, stores = filled(running), (Place(50.46, 30.51, "Поділ"), Place(50.45, 30.52, "Хрещатик"))
    assert [it.text for it in card.near("{{ store.name }}!", "uk", stores)] == ["Поділ!", "Хрещатик!"]
    assert card.near("{{ store.name }}!", "uk", stores) is card.near("{{ store.name }}!", "uk", stores)
    with pytest.raises(RenderError, match="'customer' is undefined"):
        card.near("{{ customer.name }}", "uk", stores)
