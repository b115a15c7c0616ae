"""What customers do on their pages, in a browser that runs no scripts, on a phone and at a desk."""

from pathlib import Path

import pytest
from selenium.webdriver import Keys
from sqlalchemy import select

from core.customers.consent import in_force
from core.customers.letters import LETTER
from tests.api.shop import Shop
from tests.browser.visitor import Visitor

RULES = (Path(__file__).parent / "rules.js").read_text("utf-8")
SIZES = [(375, False), (375, True), (1280, False), (1280, True)]


@pytest.fixture
def customer(shop: Shop, request: pytest.FixtureRequest) -> int:
    """Somebody of their own for each test, with an email that waits to be confirmed, and SMS."""
    name = f"C-{abs(hash(request.node.name))}"
    shop.register(name, name="Олена Коваль", locale="uk", email="olena@example.com", phone="+380501234567")
    for channel in ("email", "sms"):
        shop.consent(channel, external_id=name)
    return shop.id_of(name)


def newest_letter(shop: Shop) -> str:
    with shop.database.read() as connection:
        newest = connection.execute(select(LETTER).order_by(LETTER.c.id.desc()).limit(1)).one()
    return shop.services.links.confirmation(newest.id, newest.digest)


def granted(shop: Shop, customer: int) -> dict[tuple[str, str], bool]:
    with shop.database.read() as connection:
        return {(it.channel, it.purpose): it.granted for it in in_force(connection, [customer]).values()}


def test_every_page_can_be_read_by_everybody(visitor: Visitor, shop: Shop, customer: int) -> None:
    links = shop.services.links
    opt_in = newest_letter(shop)
    visitor.open(links.preferences(customer))
    visitor.press("Видалити мої дані")
    pages = [
        links.preferences(customer), links.unsubscribe(customer, "email"), opt_in, newest_letter(shop),
        links.card_short(customer), f"{links.public_url}/p/forged",
    ]  # fmt: skip
    for width, dark in SIZES:
        visitor.use(width, dark=dark)
        for page in pages:
            visitor.open(page)
            assert visitor.ask(RULES) == [], (page, width, dark)
            assert visitor.ask("document.documentElement.lang") == ("uk" if page != pages[-1] else "en")
    assert visitor.ask("getComputedStyle(document.body).backgroundColor") == "rgb(19, 19, 18)"


def test_choices_are_made_by_keyboard_alone(visitor: Visitor, shop: Shop, customer: int) -> None:
    visitor.open(shop.services.links.preferences(customer))
    order = [visitor.tab().get_dom_attribute("value") for _ in range(10)]
    channels = ["email", "push", "sms", "wallet"]
    assert order == [*channels, *channels, "save", "none"]
    visitor.open(shop.services.links.preferences(customer))
    for name in order:
        place = visitor.tab()
        assert place.get_dom_attribute("value") == name
        if place.get_dom_attribute("name") == "channel" and name in ("push", "sms"):
            place.send_keys(Keys.SPACE)
        if name == "save":
            visitor.enter(place)
            break
    assert granted(shop, customer) == {("push", "marketing"): True, ("sms", "marketing"): False}
    # Whoever cannot see the page is told first what became of it.
    said = visitor.browser.switch_to.active_element
    assert said.get_dom_attribute("role") == "status"
    assert visitor.browser.title.startswith(said.text)


def test_everything_is_stopped_by_one_button(visitor: Visitor, shop: Shop, customer: int) -> None:
    visitor.open(shop.services.links.preferences(customer))
    visitor.press("Відмовитися від усього")
    assert "Усе зупинено" in visitor.text
    assert not any(granted(shop, customer).values())
    assert not [it for it in visitor.all("input") if it.is_selected()]


def test_a_letters_button_confirms_and_leads_nowhere_else(
    visitor: Visitor, shop: Shop, customer: int
) -> None:
    page = newest_letter(shop)
    visitor.open(page)
    assert "o•••@example.com" in visitor.text
    assert ("email", "marketing") not in granted(shop, customer)
    visitor.press("Так, пишіть мені")
    assert "Дякуємо" in visitor.text
    assert granted(shop, customer)["email", "marketing"] is True
    assert visitor.browser.current_url == page


def test_unsubscribing_takes_one_press_and_shows_all_choices(
    visitor: Visitor, shop: Shop, customer: int
) -> None:
    visitor.open(shop.services.links.unsubscribe(customer, "sms"))
    visitor.press("Відписатися")
    assert granted(shop, customer)["sms", "marketing"] is False
    [all_choices] = visitor.all("main a")
    visitor.follow(all_choices)
    assert visitor.browser.current_url == shop.services.links.preferences(customer)


def test_a_phones_card_page_keeps_the_other_wallet_folded_until_it_is_asked_for(
    visitor: Visitor, shop: Shop, customer: int
) -> None:
    inside = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Instagram 350.0"
    visitor.call_itself(inside)
    visitor.open(shop.services.links.card_short(customer))
    assert visitor.ask(RULES) == []
    assert [it.text for it in visitor.all("a.button") if it.is_displayed()] == [
        "Відкрити в Safari", "Додати в Гаманець Apple",
    ]  # fmt: skip
    visitor.all("summary")[0].click()
    assert visitor.all("details .wallet")[0].text == "Додати в Google Гаманець"
    assert visitor.all("details svg")[0].is_displayed()
    assert visitor.ask(RULES) == []
