"""The page with the card, and the two wallets that it leads to."""

import json
from io import BytesIO
from urllib.parse import urlsplit
from zipfile import ZipFile

import jwt
import pytest
from httpx import Response

from tests.api.shop import PUBLIC_URL, Shop
from tests.wallet.phone import Phone, contents

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile Safari/604.1"
ANDROID = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"
DESK = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"


@pytest.fixture
def shop_with_olena(shop: Shop) -> Shop:
    shop.register(name="Олена Коваль", locale="uk", card="KV20261234")
    return shop


def path(shop: Shop) -> str:
    return shop.services.links.card(shop.id_of()).removeprefix(PUBLIC_URL)


def open_page(shop: Shop, agent: str) -> Response:
    page: Response = shop.stranger.get(path(shop), headers={"User-Agent": agent})
    return page


@pytest.mark.parametrize(
    ("agent", "apple", "google", "code"),
    [
        (IPHONE, True, False, False),
        (ANDROID, False, True, False),
        (DESK, True, True, True),
        ("", True, True, True),
    ],
)
def test_each_device_is_offered_the_wallet_that_it_has(
    shop_with_olena: Shop, agent: str, apple: bool, google: bool, code: bool
) -> None:
    page = open_page(shop_with_olena, agent)
    assert page.status_code == 200
    assert ("card.pkpass" in page.text, '/google"' in page.text, "<svg" in page.text) == (apple, google, code)


def test_the_page_shows_the_card_as_it_is_now(shop_with_olena: Shop) -> None:
    assert ">50<" in open_page(shop_with_olena, IPHONE).text
    shop_with_olena.buy(total="1000")
    page = open_page(shop_with_olena, IPHONE)
    assert ">80<" in page.text
    assert "Bronze" in page.text
    assert "4\u00a0000" in page.text
    assert "<script" not in page.text


def test_opening_the_page_issues_nothing(shop_with_olena: Shop) -> None:
    open_page(shop_with_olena, DESK)
    with shop_with_olena.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM wallet_pass").scalar() == 0


def test_the_apple_pass_is_issued_once_and_tells_the_phone_where_to_ask(shop_with_olena: Shop) -> None:
    first, again = (shop_with_olena.stranger.get(f"{path(shop_with_olena)}/card.pkpass") for _ in range(2))
    assert first.headers["content-type"] == "application/vnd.apple.pkpass"
    content = contents(first.content)
    assert content["serialNumber"] == contents(again.content)["serialNumber"]
    assert content["webServiceURL"] == f"{PUBLIC_URL}/wallet/apple"
    assert content["passTypeIdentifier"] == "pass.example.kavarnia"
    with ZipFile(BytesIO(first.content)) as archive:
        assert {"manifest.json", "signature", "icon@2x.png"} <= set(archive.namelist())


def test_a_phone_registers_and_fetches_the_pass_again_after_a_purchase(shop_with_olena: Shop) -> None:
    phone = Phone(shop_with_olena.stranger)
    assert (
        phone.add(shop_with_olena.stranger.get(f"{path(shop_with_olena)}/card.pkpass").content).status_code
        == 201
    )
    assert "card_added" in shop_with_olena.events()
    shop_with_olena.buy(total="1000")
    [serial] = phone.passes
    assert phone.fetch(serial) == ["Тепер у вас 80"]


def test_a_stranger_gets_no_pass_from_the_web_service(shop_with_olena: Shop) -> None:
    phone = Phone(shop_with_olena.stranger)
    content = contents(shop_with_olena.stranger.get(f"{path(shop_with_olena)}/card.pkpass").content)
    url = f"/wallet/apple/v1/passes/{content['passTypeIdentifier']}/{content['serialNumber']}"
    assert shop_with_olena.stranger.get(url, headers={"Authorization": "ApplePass wrong"}).status_code == 401
    assert phone.passes == {}


def test_the_google_button_leads_to_a_link_whose_object_is_written(shop_with_olena: Shop) -> None:
    answer = shop_with_olena.stranger.get(f"{path(shop_with_olena)}/google", follow_redirects=False)
    assert answer.status_code == 302
    link = urlsplit(answer.headers["location"])
    assert link.netloc == "pay.google.com"
    claims = jwt.decode(link.path.rpartition("/")[2], options={"verify_signature": False})
    [loyalty] = claims["payload"]["loyaltyObjects"]
    written = (
        shop_with_olena.services.workspace.outbox
        / "google-wallet"
        / "loyaltyObject"
        / f"{loyalty['id']}.json"
    )
    body = json.loads(written.read_text("utf-8"))
    assert body["barcode"]["value"] == "KV20261234"
    assert body["loyaltyPoints"]["balance"] == {"string": "50"}


def test_google_finds_the_pictures_where_the_class_says(shop_with_olena: Shop) -> None:
    shop_with_olena.stranger.get(f"{path(shop_with_olena)}/google", follow_redirects=False)
    folder = shop_with_olena.services.workspace.outbox / "google-wallet" / "loyaltyClass"
    [written] = folder.glob("*.json")
    logo = json.loads(written.read_text("utf-8"))["programLogo"]["sourceUri"]["uri"]
    picture = shop_with_olena.stranger.get(logo.removeprefix(PUBLIC_URL))
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")


def test_a_forged_card_link_gives_neither_page_nor_pass(shop_with_olena: Shop) -> None:
    forged = path(shop_with_olena)[:-4] + "AAAA"
    for address in (forged, f"{forged}/card.pkpass", f"{forged}/google"):
        answer = shop_with_olena.stranger.get(address, follow_redirects=False)
        assert answer.status_code == 404
        assert "Олена" not in answer.text
