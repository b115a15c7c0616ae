"""`tidings card preview`: the card as its customers will see it, before anybody does."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from core.customers.profiles import find
from core.db import Database
from tests.acceptance.test_cli import CUSTOMERS
from tests.support.shop import Shop, shop
from tidings.card_looks import Looks, Wish
from tidings.workspace import Workspace
from wallet import issuing
from wallet.issuing import Deed
from wallet.preview import WalletName, draw
from wallet.tables import PASS

__all__ = ["shop"]

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def drawn(shop: Shop, *words: str) -> list[Path]:
    """The files of a command that went well."""
    said = shop.run("card", "preview", *words)
    assert said.code == 0, said.err
    return [Path(line.removeprefix("wrote ")) for line in said.out.splitlines()]


def says(picture: str) -> str:
    root = ET.fromstring(picture)
    return " | ".join(it.text or "" for it in root.iter("{http://www.w3.org/2000/svg}text"))


def test_without_a_customer_somebody_made_up_is_drawn_and_nothing_else_is_needed(shop: Shop) -> None:
    pictures = drawn(shop, "--side", "front", "--format", "svg")
    assert [it.name for it in pictures] == ["sample-apple-front.svg", "sample-google-front.svg"]
    # The longest month of the year beside as many digits as a balance may have.
    assert "12\u00a0345,67 до 28 листопада" in says(pictures[0].read_text("utf-8"))
    assert not (shop.path / "tidings.db").exists()


@pytest.fixture
def looks(shop: Shop) -> Iterator[tuple[Database, Looks]]:
    """The shop's card and database, with a customer."""
    assert shop.run("import", "customers", str(shop.write("c.csv", CUSTOMERS))).code == 0
    with Workspace(shop.path).closing() as here:
        yield here.database, Looks(here, here.files())


def seen(looks: Looks, wallet: WalletName, wish: Wish) -> str:
    """What both sides of a card say."""
    (one,) = looks.find(wish).subjects
    drawn = (draw(one, wallet, side).svg() for side in ("front", "back"))
    return " | ".join(map(says, drawn))


def test_a_customer_is_drawn_in_another_level_and_language(looks: tuple[Database, Looks]) -> None:
    _, cards = looks
    own = seen(cards, "google", Wish(NOW, "K-1"))
    assert "Рівень | Бронза" in own
    assert "Олена Шевченко" in own
    gold = seen(cards, "google", Wish(NOW, "K-1", tier="gold", locale="en"))
    assert "Level | Gold" in gold
    assert "3-7% of every receipt" in gold
    assert "To the next" not in gold  # there is none above
    # Silver was just reached at 5,000; the next level begins at 20,000.
    assert "15\u00a0000\u00a0₴" in seen(cards, "apple", Wish(NOW, "K-1", tier="silver"))
    colours = [it.face.colours.background for it in cards.find(Wish(NOW, "K-1", every=True)).subjects]
    assert colours == ["#1f3b2d"] * 4 + ["#6b4f1d"] * 2


def issued(database: Database, who: str, **more: object) -> int:
    """The customer has a pass; their id."""
    with database.write() as connection:
        row = find(connection, who)
        assert row is not None
        known = {"customer_id": row.id, "serial": "s", "token": "t", "digest": "d", **more}
        connection.execute(PASS.insert().values(**known, changed_at=NOW, issued_at=NOW))
    return int(row.id)


def test_a_pass_that_was_revoked_is_drawn_as_one(looks: tuple[Database, Looks]) -> None:
    database, cards = looks
    assert "no longer valid" not in seen(cards, "apple", Wish(NOW, "K-2"))
    customer = issued(database, "K-2")
    assert "no longer valid" not in seen(cards, "apple", Wish(NOW, "K-2"))
    with database.write() as connection:
        assert issuing.revoke(connection, customer, Deed("maria", "misused"), NOW)
    assert "This card is no longer valid" in seen(cards, "apple", Wish(NOW, "K-2"))
    assert "no longer valid" not in seen(cards, "apple", Wish(NOW, "K-2", status="active"))


def test_a_message_that_is_tried_takes_the_place_of_the_one_on_the_card(
    looks: tuple[Database, Looks],
) -> None:
    database, cards = looks
    issued(database, "K-2", news="Old offer", news_title="Yesterday", news_link="https://old.example")
    assert "Old offer" in seen(cards, "google", Wish(NOW, "K-2"))
    tried = seen(cards, "google", Wish(NOW, "K-2", message="Coffee tomorrow"))
    assert "Coffee tomorrow" in tried
    assert "Yesterday" not in tried


def test_all_of_them_come_with_one_sheet_and_one_page(shop: Shop, tmp_path: Path) -> None:
    page = tmp_path / "card.html"
    asked = ("--all", "--wallet", "apple", "--format", "svg", "--html", str(page), "--message", "Завтра кава")
    *pictures, sheet, last = drawn(shop, *asked)
    assert last == page
    assert len({it.name for it in pictures}) == 3 * 2 * 2  # levels, languages, themes
    assert "sample-apple-silver-en-dark.svg" in {it.name for it in pictures}
    assert says(sheet.read_text("utf-8")).count("Завтра кава") == 2 * len(
        pictures
    )  # behind the card and on the lock screen
    text = page.read_text("utf-8")
    assert all(f"<h2>{level}</h2>" in text for level in ("bronze", "silver", "gold"))
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text)  # it needs nothing else


def test_what_is_cut_off_or_hard_to_read_is_told_beside_the_pictures(shop: Shop) -> None:
    shop.change("cards/loyalty.yaml", 'label: "#b9d3c2"}', 'label: "#3f6b52"}')
    shop.change(
        "cards/loyalty.yaml", "uk: До наступного", "uk: До наступного рівня нашої програми лояльності"
    )
    said = shop.run("card", "preview", "--format", "svg")
    assert said.code == 0
    assert "colours.label: #3f6b52 on #1f3b2d has a contrast of 2.0:1; WCAG asks for 4.5:1" in said.err
    assert "Apple Wallet: next: 'ДО НАСТУПНОГО РІВНЯ НАШОЇ ПРОГРАМИ ЛОЯЛЬНОСТІ' is cut off" in said.err


BAD = {
    "an unknown level": (
        ("--tier", "golld"),
        "--tier: the program has no level 'golld' (bronze, silver, gold); did you mean 'gold'?",
    ),
    "an unknown language": (
        ("--locale", "pl"),
        "--locale: the program has no locale 'pl' (uk, en); choose one of them",
    ),
    "an unknown customer": (
        ("K-99",),
        "there is no customer 'K-99'; write an external id, card, phone or email",
    ),
}


@pytest.mark.parametrize(("words", "said"), BAD.values(), ids=BAD.keys())
def test_a_mistake_gets_one_sentence(words: tuple[str, ...], said: str, shop: Shop) -> None:
    found = shop.run("card", "preview", *words)
    assert (found.code, found.err.strip()) == (2, f"tidings: {said}")


def test_a_folder_that_cannot_be_written_is_named(shop: Shop) -> None:
    shop.write("outbox/cards", "a file")
    found = shop.run("card", "preview", "--format", "svg")
    assert found.code == 3
    assert "choose another folder with --out" in found.err
