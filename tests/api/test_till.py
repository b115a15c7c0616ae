"""The till's conversation over the API: quotes, holds, the customer's code, the seller's view."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from httpx import Response
from sqlalchemy import event

from core.customers.addresses import suppress
from core.customers.consent import Choice, choose
from core.errors import EnvironmentFault
from core.ledger.bonuses import Request, grant
from core.ledger.lots import Refusal
from core.purchases.confirmations import settle
from tests.api.shop import Shop
from tidings.api.till import sending
from tidings.api.till.assistant import birthday_soon

LINES = [
    {"sku": "flat-white", "quantity": "2", "total": "170.00"},
    {"sku": "beans", "quantity": "1", "total": "640"},
]
CART: dict[str, Any] = {"customer": "10042", "store": "kyiv-1", "lines": LINES}
HOLD: dict[str, Any] = {"id": "R1", **CART, "pay_points": "20"}
MUCH: dict[str, Any] = {
    "id": "R1", "customer": "10042", "lines": [{"sku": "machine", "total": "9000"}], "pay_points": "1500",
}  # fmt: skip


@pytest.fixture
def olena(shop: Shop) -> Shop:
    """Olena with the 50 bonuses of the welcome."""
    shop.register(name="Олена Коваль", locale="uk", phone="+380501234567", card="KV1", birthday="1990-03-10")
    return shop


@pytest.fixture
def rich(olena: Shop) -> Shop:
    """Olena with 2050 bonuses."""
    now = olena.clock.now()
    program = olena.services.program
    with olena.database.write() as connection:
        gift = Request("gift", "10042", program.to_points(2000), now)
        assert not isinstance(grant(connection, program, gift, now, live=True), Refusal)
    return olena


def hold(shop: Shop, body: dict[str, Any] = HOLD, **more: Any) -> Response:
    answer: Response = shop.till.post("/api/v1/till/holds", json={**body, **more})
    return answer


def at(shop: Shop, path: str, body: dict[str, Any] | None = None) -> Response:
    """A POST below one hold."""
    answer: Response = shop.till.post(f"/api/v1/till/holds/{path}", json=body)
    return answer


def quoted(shop: Shop, **more: Any) -> dict[str, Any]:
    answer = shop.till.post("/api/v1/till/quote", json={**CART, **more})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def code_sent(shop: Shop) -> str:
    """The code as it stands in the newest SMS in the outbox."""
    messages = sorted(Path(shop.services.workspace.outbox, "sms").glob("*.txt"))
    text = max(messages, key=lambda it: int(it.stem.rpartition(".")[2])).read_text()
    return text.split("\n\n")[1][:6]


# --- quote


def test_a_quote_tells_what_may_be_spent_what_is_earned_and_why(olena: Shop) -> None:
    told = quoted(olena)
    assert (told["total"], told["available"], told["most"]["points"]) == ("810", "50", "50")
    assert (told["without_bonuses"]["earned"], told["most"]["earned"]) == ("24.3", "22.8")
    assert told["most"]["lines"] == ["10.49", "39.51"]
    assert told["why_not_more"][0]["code"] == "spend_balance"
    assert told["without_bonuses"]["rules"] == [
        {"rule": "base", "points": "24.3", "why": "bronze: 3% of 810.00"}
    ]
    assert "five-items" in {it["rule"] for it in told["without_bonuses"]["silent"]}


def test_a_quote_speaks_to_the_customer_in_their_language_and_to_the_cashier_in_theirs(olena: Shop) -> None:
    messages = quoted(olena, locale="en")["messages"]
    assert "3 more items and 20 bonuses more" in messages["cashier"]
    assert "UAH 4,190 till silver" in messages["cashier"]
    assert "За покупку: 24,3 бонуса" in messages["customer"]
    assert "31 березня згорить 50 бонусів" not in messages["cashier"]


def test_the_receipt_brings_what_its_quote_told(olena: Shop) -> None:
    most = quoted(olena)["most"]
    at_ = olena.clock.now().isoformat()
    body = {"id": "R1", **CART, "at": at_, "pay_points": most["points"]}
    answer = olena.till.post("/api/v1/receipts", json=body).json()
    said = (answer["earned"], answer["spent"], answer["balance"], answer["tier"])
    assert said == (most["earned"], most["points"], most["balance"], most["tier"])


def test_nobodys_cart_gets_a_hint_and_no_bonuses(olena: Shop) -> None:
    told = olena.till.post("/api/v1/till/quote", json={"lines": LINES, "locale": "en"}).json()
    assert (told["customer"], told["most"], told["without_bonuses"]["earned"]) == (None, None, "0")
    assert told["messages"]["cashier"] == ["With a card this purchase would bring 24.3 bonuses"]


def test_a_code_that_cannot_be_used_is_told_and_left_out(olena: Shop) -> None:
    told = quoted(olena, codes=["NONESUCH"], locale="en")
    assert (told["codes"][0]["accepted"], told["codes"][0]["reason"]) == (False, "unknown_code")
    assert told["messages"]["cashier"][0] == "Code NONESUCH is not taken"


def test_what_a_till_asks_for_is_worked_out_or_refused(olena: Shop) -> None:
    assert quoted(olena, pay_points="10")["asked"]["earned"] == "24"
    told = quoted(olena, pay_points="60")
    assert (told["asked"], told["asked_problem"]["code"]) == (None, "insufficient_balance")


# --- hold, commit, cancel


def test_a_hold_is_committed_once_however_often_the_till_asks(olena: Shop) -> None:
    made = hold(olena)
    assert (made.status_code, made.json()["state"], made.json()["available"]) == (201, "open", "30")
    again = hold(olena)
    assert (again.status_code, again.json()) == (200, made.json())
    olena.clock.move_by(timedelta(minutes=5))
    first, repeated = at(olena, "R1/commit"), at(olena, "R1/commit")
    assert (first.status_code, repeated.status_code) == (201, 200)
    assert repeated.content == first.content
    assert (first.json()["spent"], first.json()["earned"]) == ("20", "23.7")
    shown = olena.till.get("/api/v1/till/holds/R1").json()
    assert shown["state"] == "committed"
    assert olena.till.get("/api/v1/receipts/R1").json()["at"] == made.json()["at"]


def test_what_is_held_is_seen_in_the_balance_and_free_again_when_cancelled(olena: Shop) -> None:
    hold(olena)
    assert olena.till.get("/api/v1/customers/10042/balance").json()["available"] == "30"
    assert [at(olena, "R1/cancel").json() for _ in range(2)] == [{"receipt": "R1", "state": "cancelled"}] * 2
    assert olena.till.get("/api/v1/customers/10042/balance").json()["available"] == "50"
    refused = at(olena, "R1/commit")
    assert (refused.status_code, refused.json()["code"]) == (409, "hold_cancelled")


def test_a_committed_hold_is_returned_not_cancelled(olena: Shop) -> None:
    hold(olena)
    at(olena, "R1/commit")
    refused = at(olena, "R1/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "committed")
    body = {"lines": [{"sku": "flat-white", "quantity": "1"}]}
    back = olena.till.post("/api/v1/receipts/R1/return", json=body)
    assert (back.status_code, back.json()["given_back"]) == (201, "2.1")


def test_a_hold_says_when_it_ends_and_can_be_held_longer_or_changed(olena: Shop) -> None:
    made = hold(olena).json()
    assert made["expires_at"] == "2026-03-01T08:30:00Z"
    olena.clock.move_by(timedelta(minutes=29))
    cart = {**CART, "pay_points": "20"}
    assert olena.till.put("/api/v1/till/holds/R1", json=cart).json()["expires_at"] == "2026-03-01T08:59:00Z"
    changed = olena.till.put("/api/v1/till/holds/R1", json={**CART, "pay_points": "40"}).json()
    assert (changed["points"], changed["available"]) == ("40", "10")
    olena.clock.move_by(timedelta(hours=1))
    assert olena.till.get("/api/v1/till/holds/R1").json()["state"] == "expired"


@pytest.mark.parametrize(
    ("more", "status", "code", "field"),
    [
        ({"customer": "nobody"}, 404, "unknown_customer", "customer"),
        ({"pay_points": "60"}, 422, "insufficient_balance", "pay_points"),
        ({"pay_points": "500"}, 422, "over_the_limit", "pay_points"),
        ({"pay_points": "-1"}, 422, "invalid", "pay_points"),
        ({"pay_points": "NaN"}, 422, "invalid", "pay_points"),
        ({"pay_points": "Infinity"}, 422, "invalid", "pay_points"),
        ({"pay_points": "1e300"}, 422, "invalid", "pay_points"),
        ({"lines": [{"sku": "a", "total": "-1"}]}, 422, "invalid", "lines[0].total"),
        ({"lines": [{"sku": "a", "total": "999999999999999"}]}, 422, "invalid", "lines[0].total"),
        ({"lines": [{"sku": "a", "total": "1", "quantity": "0"}]}, 422, "invalid", "lines[0].quantity"),
        ({"lines": []}, 422, "invalid", "lines"),
        ({"currency": "EUR"}, 422, "wrong_currency", "currency"),
        ({"at": "2027-03-01T10:00:00Z"}, 422, "in_the_future", "at"),
        ({"at": "2025-03-01T10:00:00Z"}, 422, "too_old", "at"),
        ({"codes": ["NONESUCH"]}, 404, "unknown_code", "codes"),
    ],
)
def test_a_cart_that_cannot_be_is_refused_with_its_field_and_holds_nothing(
    olena: Shop, more: dict[str, Any], status: int, code: str, field: str
) -> None:
    answer = hold(olena, **more)
    assert answer.status_code == status, answer.text
    assert (answer.json()["code"], answer.json()["errors"][0]["field"]) == (code, field)
    assert olena.till.get("/api/v1/till/holds/R1").status_code == 404


def test_the_same_number_or_key_with_another_cart_is_a_conflict(olena: Shop) -> None:
    hold(olena)
    other = hold(olena, pay_points="30")
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    key = {"Idempotency-Key": "one"}
    first = olena.till.post("/api/v1/till/holds", json={**HOLD, "id": "R2"}, headers=key)
    second = olena.till.post("/api/v1/till/holds", json={**HOLD, "id": "R3"}, headers=key)
    assert (first.status_code, second.status_code, second.json()["code"]) == (
        201,
        422,
        "idempotency_conflict",
    )


def test_nothing_is_done_with_a_hold_that_was_never_made(olena: Shop) -> None:
    cart = {**CART, "pay_points": "1"}
    answers = [
        *(at(olena, f"R9/{what}") for what in ("commit", "cancel", "code")),
        olena.till.put("/api/v1/till/holds/R9", json=cart),
        olena.till.get("/api/v1/till/holds/R9"),
    ]
    assert {(it.status_code, it.json()["code"]) for it in answers} == {(404, "unknown_hold")}


def test_tills_that_hold_at_once_share_what_there_is(olena: Shop) -> None:
    with ThreadPoolExecutor(6) as tills:
        answers = list(tills.map(lambda till: hold(olena, id=f"R{till}").status_code, range(6)))
    assert sorted(answers) == [201, 201, 422, 422, 422, 422]


# --- the customer's code


def test_much_is_committed_with_the_code_from_the_sms(rich: Shop) -> None:
    made = hold(rich, MUCH).json()
    confirmation = made["confirmation"]
    assert (confirmation["state"], confirmation["to"], confirmation["tries_left"]) == ("sent", "+380•••67", 5)
    wrong = at(rich, "R1/commit", {"code": "no"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "code_wrong")
    assert rich.till.get("/api/v1/till/holds/R1").json()["confirmation"]["tries_left"] == 4
    missing = at(rich, "R1/commit")
    assert (missing.status_code, missing.json()["errors"][0]["field"]) == (422, "code")
    done = at(rich, "R1/commit", {"code": code_sent(rich)})
    assert (done.status_code, done.json()["spent"]) == (201, "1500")
    assert at(rich, "R1/commit").status_code == 200


def test_the_sms_is_in_the_customers_language_and_leaves_once(rich: Shop) -> None:
    hold(rich, MUCH)
    hold(rich, MUCH)
    [message] = Path(rich.services.workspace.outbox, "sms").glob("*.txt")
    text = message.read_text()
    assert "To: +380501234567" in text
    assert "– код, щоб сплатити 1 500 бонусів у Kavarnia. Діє 5 хв." in text


def test_a_new_code_is_asked_for_after_a_minute_and_replaces_the_old_one(rich: Shop) -> None:
    hold(rich, MUCH)
    first = code_sent(rich)
    soon = at(rich, "R1/code")
    assert (soon.status_code, soon.json()["code"], soon.headers["Retry-After"]) == (
        429,
        "code_too_soon",
        "60",
    )
    rich.clock.move_by(timedelta(minutes=1))
    assert at(rich, "R1/code").json()["state"] == "sent"
    second = code_sent(rich)
    if first != second:
        assert at(rich, "R1/commit", {"code": first}).json()["code"] == "code_wrong"
    assert at(rich, "R1/commit", {"code": second}).status_code == 201


def test_a_wrong_code_says_how_many_tries_are_left(rich: Shop) -> None:
    hold(rich, MUCH)
    wrong = str((int(code_sent(rich)) + 1) % 1_000_000).zfill(6)
    said = [at(rich, "R1/commit", {"code": wrong}).json()["detail"].partition("; ")[2] for _ in range(5)]
    assert said == ["4 more tries", "3 more tries", "2 more tries", "one more try", "ask for a new one"]


def test_a_till_that_did_not_hear_of_a_new_code_and_asks_again_under_its_key_sends_no_second_one(
    rich: Shop,
) -> None:
    hold(rich, MUCH)
    rich.clock.move_by(timedelta(minutes=1))
    key = {"Idempotency-Key": "till-1-0042"}
    first = rich.till.post("/api/v1/till/holds/R1/code", headers=key)
    code = code_sent(rich)
    rich.clock.move_by(timedelta(minutes=2))
    again = rich.till.post("/api/v1/till/holds/R1/code", headers=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert (again.json()["valid_until"], code_sent(rich)) == (first.json()["valid_until"], code)
    other = rich.till.post("/api/v1/till/holds/R2/code", headers=key)
    assert other.json()["code"] == "idempotency_conflict"
    assert at(rich, "R1/commit", {"code": code}).status_code == 201


def test_the_code_stands_in_no_log(rich: Shop) -> None:
    # A command that ran in this process before may have asked for warnings only.
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as logs:
        hold(rich, MUCH)
    assert [it["state"] for it in logs if it["event"] == "confirmation code"] == ["sent"]
    assert code_sent(rich) not in str(logs)
    assert "+380501234567" not in str(logs)


def test_a_code_that_left_is_recorded_though_the_database_is_away_for_a_moment(
    rich: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, naps = [EnvironmentFault("gone"), EnvironmentFault("gone")], list[float]()

    def settle_at_last(*given: Any) -> None:
        if away:
            raise away.pop()
        settle(*given)

    monkeypatch.setattr(sending, "settle", settle_at_last)
    monkeypatch.setattr(sending, "sleep", naps.append, raising=False)
    made = hold(rich, MUCH)
    assert (made.status_code, made.json()["confirmation"]["state"]) == (201, "sent")
    assert naps == [0.1, 0.5]


def test_a_code_that_cannot_leave_is_told_and_may_be_asked_for_again(
    rich: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_SMS_TRANSPORT", "twilio")
    made = hold(rich, MUCH).json()
    assert (made["confirmation"]["state"], made["confirmation"]["ask_again_at"]) == ("failed", None)
    monkeypatch.delenv("TIDINGS_SMS_TRANSPORT")
    assert at(rich, "R1/code").json()["state"] == "sent"


def test_without_a_phone_that_takes_messages_so_much_is_not_spent(rich: Shop) -> None:
    digest = rich.services.workspace.addresses.digest("phone", "+380501234567")
    with rich.database.write() as connection:
        suppress(connection, "sms", digest, "STOP", rich.clock.now())
    refused = hold(rich, MUCH)
    assert (refused.status_code, refused.json()["code"]) == (422, "number_suppressed")
    rich.register(phone="")
    assert hold(rich, MUCH).json()["code"] == "no_phone"
    assert hold(rich, MUCH, pay_points="1000").status_code == 201


def test_the_receipt_does_not_go_round_the_code(rich: Shop) -> None:
    body = {**MUCH, "at": rich.clock.now().isoformat()}
    refused = rich.till.post("/api/v1/receipts", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "confirmation_required")
    assert rich.till.post("/api/v1/receipts", json={**body, "offline": True}).status_code == 201


# --- the seller's view and the customer's page


@pytest.mark.parametrize("by", ["id=10042", "card=KV1", "phone=050 123 45 67", "barcode=KV1"])
def test_a_seller_sees_who_stands_there_however_they_are_named(olena: Shop, by: str) -> None:
    olena.buy(total="470", store="kyiv-1")
    with olena.database.write() as connection:
        now = olena.clock.now()
        said = Choice(olena.id_of(), "email", True, now, "test")
        choose(connection, [said], now, live=True)
    seen = olena.till.get(f"/api/v1/till/customer?{by}&locale=en").json()
    assert (seen["customer"], seen["name"], seen["available"]) == ("10042", "Олена Коваль", "64.1")
    assert (seen["tier"]["name"], seen["tier"]["missing"]) == ("bronze", "4530")
    assert (seen["birthday_in_days"], seen["purchases"]) == (9, 1)
    assert {it["channel"]: it["state"] for it in seen["consents"]}["email"] == "granted"
    assert seen["messages"]["cashier"][:2] == [
        "Birthday on March 10",
        "Ask whether we may write: push, sms, wallet",
    ]
    assert "spring" in {it["rule"] for it in seen["offers"]}


def test_a_seller_names_the_customer_in_one_way(olena: Shop) -> None:
    for query in ("", "?id=10042&card=KV1"):
        answer = olena.till.get(f"/api/v1/till/customer{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert olena.till.get("/api/v1/till/customer?card=NONE").status_code == 404


def test_the_favourite_category_comes_from_the_last_receipts(olena: Shop) -> None:
    for number in range(3):
        olena.clock.move_by(timedelta(days=1))
        kind = "coffee" if number else "tea"
        line = {"sku": "x", "total": "100", "category": kind}
        olena.buy(f"R{number}", lines=[line])
    assert olena.till.get("/api/v1/till/customer?id=10042").json()["favourite_category"] == "coffee"


def test_the_customers_page_shows_bonuses_operations_and_links(olena: Shop) -> None:
    olena.buy(total="470", store="kyiv-1", pay_points="20")
    page = olena.till.get("/api/v1/customers/10042/page").json()
    assert (page["available"], page["expiring"][0]["text"]) == ("43.5", "31 березня згорить 30 бонусів")
    bought, gift = page["operations"]
    assert (bought["text"], bought["points"], bought["total"]) == ("Покупка: kyiv-1", "-6.5", "470")
    assert (gift["text"], gift["points"]) == ("Подарунок", "50")
    assert page["links"]["history"] == "/api/v1/customers/10042/history"
    assert page["links"]["card"].startswith("https://loyalty.example/c/")


def test_the_page_counts_what_a_return_corrected_to_its_purchase(olena: Shop) -> None:
    olena.buy(total="470")
    olena.clock.move_by(timedelta(hours=1))
    olena.till.post("/api/v1/receipts/R1/return")
    operations = olena.till.get("/api/v1/customers/10042/page").json()["operations"]
    assert [(it["kind"], it["points"]) for it in operations[:2]] == [("return", "0"), ("purchase", "0")]


def questions(shop: Shop, path: str) -> int:
    """How many statements one answer takes."""
    asked: list[str] = []
    engine = shop.database.engine

    def note(*arguments: Any) -> None:
        asked.append(arguments[2])

    event.listen(engine, "before_cursor_execute", note)
    try:
        assert shop.till.get(path).status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(asked)


@pytest.mark.parametrize("path", ["/api/v1/till/customer?id=10042", "/api/v1/customers/10042/page"])
def test_a_long_history_asks_no_more_questions(olena: Shop, path: str) -> None:
    olena.buy("R0")
    olena.buy("R1")
    questions(olena, path)
    before = questions(olena, path)
    for number in range(2, 30):
        olena.clock.move_by(timedelta(hours=3))
        olena.buy(f"R{number}")
    assert questions(olena, path) <= before


def test_a_birthday_on_the_leap_day_is_soon_in_other_years_too() -> None:
    leap = date(1992, 2, 29)
    assert [birthday_soon(leap, date(2026, 2, 20)), birthday_soon(leap, date(2028, 2, 20))] == [8, 9]
    assert [birthday_soon(leap, date(2026, 2, 1)), birthday_soon(None, date(2026, 2, 1))] == [None, None]
    assert birthday_soon(date(1990, 1, 3), date(2026, 12, 25)) == 9
