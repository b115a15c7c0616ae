"""The page with the card, and the two wallets that it leads to."""

import json
import re
from io import BytesIO
from urllib.parse import urlsplit
from zipfile import ZipFile

import jwt
import pytest
from httpx import Response

from tests.api.shop import PUBLIC_URL, Shop
from tests.wallet.phone import Phone, contents
from tidings.api.words import LANGUAGES
from tidings.samples import sample_context

WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
IPHONE = (
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) {WEBKIT} Version/19.0 Mobile/15E148 Safari/604.1"
)
INSTAGRAM = f"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) {WEBKIT} Mobile/15E148 Instagram 350.0.0"
ANDROID = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"
TELEGRAM = "Mozilla/5.0 (Linux; Android 14; K; wv) AppleWebKit/537.36 Chrome/130.0 Telegram-Android/11.3.3"
DESK = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/19.0 Safari/605.1.15"


@pytest.fixture
def shop_with_olena(shop: Shop) -> Shop:
    shop.register(name="Олена Коваль", locale="uk", card="KV20261234")
    return shop


def path(shop: Shop) -> str:
    return shop.services.links.card(shop.id_of()).removeprefix(PUBLIC_URL)


def open_page(shop: Shop, agent: str) -> Response:
    page: Response = shop.stranger.get(path(shop), headers={"User-Agent": agent})
    return page


def test_each_device_is_offered_the_wallet_that_it_has_first(shop_with_olena: Shop) -> None:
    wanted = {
        IPHONE: ("apple", "google, code"),
        INSTAGRAM: ("safari, apple", "google, code"),
        ANDROID: ("google", "apple, code"),
        TELEGRAM: ("google", "apple, code"),
        DESK: ("code, google", "apple"),
        MAC: ("code, apple, google", ""),
        "": ("code, apple, google", ""),
    }
    for agent, (first, for_others) in wanted.items():
        page = open_page(shop_with_olena, agent)
        assert page.status_code == 200
        above, _, folded = page.text.partition("<details>")
        assert (offered(above), offered(folded)) == (first, for_others), agent


def offered(text: str) -> str:
    """What stands there, in its order."""
    marks = {
        "safari": 'href="x-safari-https://',
        "apple": "card.pkpass",
        "google": '/google"',
        "code": 'class="code"',
    }
    places = {name: text.index(mark) for name, mark in marks.items() if mark in text}
    return ", ".join(sorted(places, key=lambda name: places[name]))


def test_the_link_of_an_sms_is_short_and_leads_to_the_page(shop_with_olena: Shop) -> None:
    link = shop_with_olena.services.links.card_short(shop_with_olena.id_of())
    assert len(link) == len(PUBLIC_URL) + len("/k/") + 12
    answer = shop_with_olena.stranger.get(link.removeprefix(PUBLIC_URL), follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, PUBLIC_URL + path(shop_with_olena))
    assert shop_with_olena.stranger.get("/k/AAAAAAAAAAAA").status_code == 404


def test_check_reckons_with_a_short_link_as_long_as_it_will_be(shop_with_olena: Shop) -> None:
    sample = sample_context(shop_with_olena.services.program)["links"].card_short
    link = shop_with_olena.services.links.card_short(shop_with_olena.id_of())
    assert len(sample.rpartition("/k/")[2]) == len(link.rpartition("/k/")[2])


def test_no_cache_keeps_a_pass_and_whoever_asks_for_the_head_alone_makes_none(shop_with_olena: Shop) -> None:
    address = f"{path(shop_with_olena)}/card.pkpass"
    head = shop_with_olena.stranger.head(address)
    assert head.status_code == 200
    with shop_with_olena.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM wallet_pass").scalar() == 0
    whole = shop_with_olena.stranger.get(address)
    assert head.headers.get("content-length") in (None, whole.headers["content-length"])
    for answer in (head, whole):
        assert answer.headers["content-type"] == "application/vnd.apple.pkpass"
        assert answer.headers["content-disposition"] == 'inline; filename="card.pkpass"'
        assert answer.headers["cache-control"] == "private, no-store"


def test_whoever_asks_for_googles_head_alone_has_no_object_written(shop_with_olena: Shop) -> None:
    head = shop_with_olena.stranger.head(f"{path(shop_with_olena)}/google", follow_redirects=False)
    assert (head.status_code, head.headers["location"]) == (302, PUBLIC_URL + path(shop_with_olena))
    with shop_with_olena.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM wallet_pass").scalar() == 0
    assert not list(shop_with_olena.services.workspace.outbox.rglob("*.json"))


def test_a_card_that_cannot_be_filled_in_is_a_sentence_wherever_its_links_lead(
    shop_with_olena: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = shop_with_olena.services.running.loaded.bundle.files
    broken = files["cards/loyalty.yaml"].replace(b"{{ balance | number }}", b"{{ 1 / (balance - 50) }}")
    monkeypatch.setitem(files, "cards/loyalty.yaml", broken)
    for end in ("", "/card.pkpass", "/google"):
        answer = shop_with_olena.stranger.get(path(shop_with_olena) + end, follow_redirects=False)
        assert (answer.status_code, LANGUAGES["uk"]["card_none"] in answer.text) == (404, True), end


def test_a_shop_may_use_the_official_buttons(shop_with_olena: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    files = shop_with_olena.services.running.loaded.bundle.files
    monkeypatch.setitem(files, "cards/badges/apple-uk.svg", b"<svg/>")
    page = open_page(shop_with_olena, IPHONE).text
    assert '<img src="data:image/svg+xml;base64,PHN2Zy8+" alt="Додати в Гаманець Apple">' in page


def test_the_page_shows_the_card_as_it_is_now(shop_with_olena: Shop) -> None:
    assert ">50<" in open_page(shop_with_olena, IPHONE).text
    shop_with_olena.buy(total="1000")
    page = open_page(shop_with_olena, IPHONE)
    assert ">80<" in page.text
    assert "Бронза" in page.text
    assert "4\u00a0000" in page.text
    assert "<script" not in page.text


def test_a_level_with_a_strip_of_its_own_has_it_on_the_page_too(shop_with_olena: Shop) -> None:
    def strip() -> bytes:
        [address] = re.findall(r'<img class="strip" src="([^"]+)"', open_page(shop_with_olena, IPHONE).text)
        picture: Response = shop_with_olena.stranger.get(str(address).removeprefix(PUBLIC_URL))
        assert picture.status_code == 200
        return picture.content

    bronze = strip()
    shop_with_olena.buy(total="30000")
    assert "Золото" in open_page(shop_with_olena, IPHONE).text
    assert strip() != bronze


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
