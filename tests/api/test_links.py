"""The links in a message: unsubscribe at once, choose, and nothing for strangers."""

import re
from collections import defaultdict
from html.parser import HTMLParser

import pytest
from httpx import Response
from sqlalchemy import select

from core.customers.consent import CONSENT
from tests.api.shop import PUBLIC_URL, Shop
from tidings.api.app import PAGES
from tidings.api.words import LANGUAGES, accepted, language
from wallet.tables import PASS

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def shop_with_olena(shop: Shop) -> Shop:
    shop.register(name="Олена Коваль", locale="uk", email="olena@example.com", phone="+380501234567")
    shop.consent("email")
    shop.consent("sms")
    return shop


def unsubscribe_path(shop: Shop, channel: str = "email") -> str:
    return shop.services.links.unsubscribe(shop.id_of(), channel).removeprefix(PUBLIC_URL)


def preferences_path(shop: Shop) -> str:
    return shop.services.links.preferences(shop.id_of()).removeprefix(PUBLIC_URL)


def assert_private(answer: Response) -> None:
    """A customer's page is kept by nobody, leads nowhere else, and runs no script."""
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "set-cookie" not in answer.headers
    assert "<script" not in answer.text


class Outline(HTMLParser):
    """What a reader's software makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.language = ""
        self.inputs: list[dict[str, str | None]] = []
        self.headings = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "html":
            self.language = found.get("lang") or ""
        if tag == "input":
            self.inputs.append(found)
        self.headings += tag == "h1"


def checked(answer: Response) -> set[str | None]:
    return {it["value"] for it in Outline(answer.text).inputs if "checked" in it}


def test_opening_the_unsubscribe_link_changes_nothing(shop_with_olena: Shop) -> None:
    answer = shop_with_olena.stranger.get(unsubscribe_path(shop_with_olena))
    assert answer.status_code == 200
    assert_private(answer)
    outline = Outline(answer.text)
    assert (outline.language, outline.headings) == ("uk", 1)
    assert "Відписатися" in answer.text
    assert shop_with_olena.agrees("email") is True


@pytest.mark.parametrize("how", ["urlencoded", "multipart", "bare"])
def test_one_click_withdraws_consent_at_once_whatever_the_form(shop_with_olena: Shop, how: str) -> None:
    sent = {
        "urlencoded": {"data": ONE_CLICK},
        "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
        "bare": {},
    }
    answer = shop_with_olena.stranger.post(
        unsubscribe_path(shop_with_olena),
        follow_redirects=False,
        **sent[how],  # type: ignore[arg-type]
    )
    assert answer.status_code == 200
    assert_private(answer)
    assert shop_with_olena.agrees("email") is False
    assert shop_with_olena.agrees("sms") is True
    assert shop_with_olena.events()[-1] == "consent_withdrawn"


def test_scanners_that_ask_for_the_head_of_a_page_are_answered_and_change_nothing(
    shop_with_olena: Shop,
) -> None:
    before = shop_with_olena.events()
    for path in (unsubscribe_path(shop_with_olena), preferences_path(shop_with_olena)):
        head, page = shop_with_olena.stranger.head(path), shop_with_olena.stranger.get(path)
        assert (head.status_code, head.headers["content-type"]) == (200, page.headers["content-type"])
    assert shop_with_olena.stranger.head("/u/email/forged").status_code == 404
    assert shop_with_olena.agrees("email") is True
    assert shop_with_olena.events() == before


def test_every_page_that_can_be_opened_can_be_asked_for_its_head_alone() -> None:
    taken: defaultdict[str, set[str]] = defaultdict(set)
    for module in PAGES:
        for route in module.routes.routes:
            taken[route.path] |= route.methods
    headless = {path for path, methods in taken.items() if "GET" in methods and "HEAD" not in methods}
    # Of machines alone: some aggregators tell a report by GET, and its head would tell nothing.
    called = {f"/hooks/sms/{what}{secret}" for what in ("reports", "inbound") for secret in ("", "/{secret}")}
    assert headless == {"/metrics", *called}


def test_one_click_twice_is_as_good_as_once(shop_with_olena: Shop) -> None:
    path = unsubscribe_path(shop_with_olena)
    assert [shop_with_olena.stranger.post(path, data=ONE_CLICK).status_code for _ in range(2)] == [200, 200]
    assert shop_with_olena.agrees("email") is False


@pytest.mark.parametrize("path", ["/u/email/proof", "/p/proof", "/c/proof", "/k/proof"])
def test_a_proofs_link_leads_to_a_page_that_says_so_and_changes_nothing(
    shop_with_olena: Shop, path: str
) -> None:
    answer = shop_with_olena.stranger.get(path, headers={"accept-language": "uk"})
    assert (answer.status_code, "Це пробне повідомлення" in answer.text) == (200, True)
    assert_private(answer)
    if path.startswith(("/u/", "/p/")):
        assert shop_with_olena.stranger.post(path, data=ONE_CLICK).status_code == 200
    assert shop_with_olena.agrees("email") is True


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_forged_link_shows_a_page_and_changes_nothing(shop_with_olena: Shop, method: str) -> None:
    email = unsubscribe_path(shop_with_olena)
    token = email.rsplit("/", 1)[1]
    forged = [
        email[:-5] + ("A" if email[-5] != "A" else "B") + email[-4:], f"/u/sms/{token}", f"/p/{token}",
        f"/u/pigeon/{token}", "/u/email/",
        "/u/email/%20", f"/u/email/{token}{token}", "/p/%F0%9F%92%A9", "/c/../../etc",
    ]  # fmt: skip
    for path in forged:
        answer = shop_with_olena.stranger.request(method, path)
        assert answer.status_code in (404, 405), path
        assert "olena" not in answer.text
    assert shop_with_olena.agrees("email") is True
    assert shop_with_olena.agrees("sms") is True


def test_the_preference_page_shows_each_channel_and_no_whole_address(shop_with_olena: Shop) -> None:
    answer = shop_with_olena.stranger.get(preferences_path(shop_with_olena))
    assert answer.status_code == 200
    assert_private(answer)
    assert checked(answer) == {"email", "sms"}
    assert "Електронна пошта" in answer.text
    assert "o•••@example.com" in answer.text
    assert "+380 ••• 4567" in answer.text
    assert not re.search(r"olena@|1234567", answer.text)


def test_the_preference_page_says_whether_the_card_is_on_the_phone(shop_with_olena: Shop) -> None:
    shop, at = shop_with_olena, shop_with_olena.clock.now()
    path = preferences_path(shop)
    assert "Ще не на телефоні" in shop.stranger.get(path).text
    card = {"customer_id": shop.id_of(), "serial": "s", "token": "t", "digest": "", "google_saved": True}
    with shop.database.write() as connection:
        connection.execute(PASS.insert().values(**card, changed_at=at, issued_at=at))
    page = shop.stranger.get(path).text
    assert "Картка в гаманці" in page
    assert "Додана на телефон" in page


def test_saving_the_preference_page_keeps_exactly_what_is_checked(shop_with_olena: Shop) -> None:
    path = preferences_path(shop_with_olena)
    answer = shop_with_olena.stranger.post(path, data={"channel": ["push", "sms"], "do": "save"})
    assert answer.status_code == 200
    assert "Ваш вибір збережено" in answer.text
    assert checked(answer) == {"push", "sms"} == checked(shop_with_olena.stranger.get(path))
    assert [shop_with_olena.agrees(it) for it in ("email", "push", "sms")] == [False, True, True]


def test_saving_what_is_already_so_records_nothing(shop_with_olena: Shop) -> None:
    before = shop_with_olena.events()
    shop_with_olena.stranger.post(
        preferences_path(shop_with_olena), data={"channel": ["email", "sms"], "do": "save"}
    )
    assert shop_with_olena.events() == before


def test_one_button_refuses_everything(shop_with_olena: Shop) -> None:
    body = {"channel": ["email", "sms"], "do": "none"}
    answer = shop_with_olena.stranger.post(preferences_path(shop_with_olena), data=body)
    assert checked(answer) == set()
    assert [shop_with_olena.agrees(it) for it in ("email", "sms")] == [False, False]


def test_a_channel_that_the_program_has_not_cannot_be_chosen(shop_with_olena: Shop) -> None:
    body = {"channel": ["email", "sms", "pigeon"], "do": "save"}
    assert shop_with_olena.stranger.post(preferences_path(shop_with_olena), data=body).status_code == 200
    assert shop_with_olena.agrees("pigeon") is None


@pytest.mark.parametrize(
    ("locale", "header", "spoken"),
    [
        ("uk-UA", "en", "uk"),
        ("ru", "", "ru"),
        (None, "ru;q=0.5, en-GB", "en"),
        (None, "", "uk"),
        ("xx", "", "uk"),
    ],
)
def test_a_page_speaks_the_customers_language(
    shop: Shop, locale: str | None, header: str, spoken: str
) -> None:
    shop.register(**({"locale": locale} if locale else {}))
    answer = shop.stranger.get(preferences_path(shop), headers={"Accept-Language": header})
    assert Outline(answer.text).language == spoken
    assert LANGUAGES[spoken]["choices_title"] in answer.text


def test_every_language_has_every_word_with_the_same_gaps() -> None:
    gaps = {
        name: {key: re.findall(r"{\w+}", text) for key, text in words.items()}
        for name, words in LANGUAGES.items()
    }
    assert gaps["uk"] == gaps["en"] == gaps["ru"]


def test_an_accept_language_header_is_read_best_first_and_never_trusted() -> None:
    assert accepted("en;q=0.1, uk, ru;q=0.9") == ["uk", "ru", "en"]
    assert language(accepted("q=;;q=x, *, ;q=-, \x00")) == "en"


def test_names_from_outside_are_text_and_never_markup(shop: Shop) -> None:
    shop.register(name="<script>alert(1)</script>", card="<b>1</b>", locale="en")
    page = shop.stranger.get(shop.services.links.card(shop.id_of()).removeprefix(PUBLIC_URL))
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert "<b>1" not in page.text


def test_the_link_of_an_old_letter_is_good_after_its_reader_was_erased(shop_with_olena: Shop) -> None:
    shop, path = shop_with_olena, unsubscribe_path(shop_with_olena)
    shop.till.delete("/api/v1/customers/10042")
    for answer in (shop.stranger.post(path, data=ONE_CLICK), shop.stranger.get(path)):
        assert answer.status_code == 200
        assert_private(answer)
        assert "Вам нічого не надсилається" in answer.text
    with shop.database.read() as connection:
        assert connection.execute(select(CONSENT)).all() == []
    assert shop.stranger.head(path).status_code == 200
    assert shop.stranger.post(path.replace("/email/", "/sms/"), data=ONE_CLICK).status_code == 404


def test_the_link_of_a_duplicate_of_somebody_erased_is_good_too(shop_with_olena: Shop) -> None:
    shop = shop_with_olena
    shop.register("10077")
    duplicate = shop.services.links.unsubscribe(shop.id_of("10077"), "email").removeprefix(PUBLIC_URL)
    body = {"duplicate": "10077", "author": "maria", "reason": "the same phone"}
    assert shop.till.post("/api/v1/customers/10042/merge", json=body).is_success
    shop.till.delete("/api/v1/customers/10042")
    assert shop.stranger.post(duplicate, data=ONE_CLICK).status_code == 200


def proof_of(shop: Shop, channel: str = "email") -> tuple[str | None, dict[str, str]]:
    """The version of the words that the choice in force was made under, and its proof without the address."""
    own = select(CONSENT.c.wording, CONSENT.c.proof).where(CONSENT.c.channel == channel)
    with shop.database.read() as connection:
        row = connection.execute(own).one()
    return row.wording, {name: value for name, value in row.proof.items() if name != "url"}


def test_one_click_of_a_mail_program_is_kept_without_words_that_nobody_saw(shop_with_olena: Shop) -> None:
    shop_with_olena.stranger.post(unsubscribe_path(shop_with_olena), data=ONE_CLICK)
    assert proof_of(shop_with_olena) == (None, {"form": "unsubscribe link"})


def test_the_button_of_the_unsubscribe_page_is_kept_with_what_the_page_asked(shop_with_olena: Shop) -> None:
    path = unsubscribe_path(shop_with_olena)
    assert 'name="do" value="stop"' in shop_with_olena.stranger.get(path).text
    shop_with_olena.stranger.post(path, data={"do": "stop"})
    wording, proof = proof_of(shop_with_olena)
    assert (wording, proof["form"], proof["locale"]) == (None, "unsubscribe link", "uk")
    assert proof["text"].startswith("Електронна пошта: більше не надсилатимемо пропозицій.")


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"do=evil", b"channel=email", b"a&" * 300])
def test_what_no_button_of_the_page_sends_changes_no_choice(shop_with_olena: Shop, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    page = shop_with_olena.stranger.post(preferences_path(shop_with_olena), content=body, headers=headers)
    assert page.status_code == 200
    assert [shop_with_olena.agrees(channel) for channel in ("email", "sms")] == [True, True]


@pytest.mark.parametrize(("do", "asked"), [("save", "choices_text"), ("none", "choices_none")])
def test_a_no_on_the_preference_page_keeps_no_words_of_a_yes(
    shop_with_olena: Shop, do: str, asked: str
) -> None:
    shop_with_olena.stranger.post(preferences_path(shop_with_olena), data={"channel": "push", "do": do})
    wording, proof = proof_of(shop_with_olena)
    assert (wording, proof["text"]) == (None, LANGUAGES["uk"][asked])
    if do == "save":
        agreed, proof = proof_of(shop_with_olena, "push")
        program = shop_with_olena.services.program
        assert (agreed, proof["text"]) == (program.consent.version, program.consent_in("uk"))
