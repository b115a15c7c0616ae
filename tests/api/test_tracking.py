"""Opens and clicks: links lead on whatever happens, and what is kept of them tells people from programs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import delete, event, select, update

from campaigns.running import Running
from campaigns.short_links import LINK
from campaigns.short_links import keep as keep_link
from core.links import Links
from core.program.tracking import Tracking
from scheduler.reactions import FEEDBACK, MOST_OF_A_MESSAGE, Reaction, keep
from tests.api.shop import PUBLIC_URL, SECRET, CompiledLive, Shop
from tests.api.test_twilio import ENROLMENT, MESSAGE, a_message
from tidings.api.machines import is_machine
from tidings.api.tracking import PICTURE, location
from tidings.customer_view import read

PERSON = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
GMAIL_PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
MENU = "https://kavarnia.example/menu?for=10042&x=%D1%8F#top"


def switch(shop: Shop, **tracking: bool) -> None:
    """Let the live program track so much."""
    live = shop.services.workspace.live
    assert isinstance(live, CompiledLive)
    program = live.compiled.program.model_copy(update={"tracking": Tracking(**tracking)})
    live.compiled = Running(replace(live.compiled.loaded, program=program), 1)
    live._ready = {}


@pytest.fixture
def tracking(shop: Shop) -> Shop:
    """A shop that tracks, with a customer who was sent an email an hour ago."""
    shop.register(email="olena@example.com")
    mailed(shop)
    switch(shop, opens=True, clicks=True)
    return shop


def mailed(shop: Shop, ago: timedelta = timedelta(hours=1)) -> int:
    message = a_message(shop)
    values = {"channel": "email", "accepted_at": shop.clock.now() - ago}
    with shop.database.write() as connection:
        connection.execute(update(MESSAGE).where(MESSAGE.c.id == message).values(values))
    return message


def message_of(shop: Shop) -> int:
    with shop.database.read() as connection:
        return int(connection.scalar(select(MESSAGE.c.id)) or 0)


def click(shop: Shop, url: str = MENU, agent: str = PERSON, method: str = "GET", **headers: str) -> Response:
    path = shop.services.links.redirect(message_of(shop), url).removeprefix(PUBLIC_URL)
    answer: Response = shop.stranger.request(
        method, path, headers={"User-Agent": agent, **headers}, follow_redirects=False
    )
    return answer


def look(shop: Shop, agent: str = PERSON, method: str = "GET", **headers: str) -> Response:
    path = shop.services.links.opened(message_of(shop)).removeprefix(PUBLIC_URL)
    answer: Response = shop.stranger.request(method, path, headers={"User-Agent": agent, **headers})
    return answer


def kept(shop: Shop) -> list[tuple[str, str | None, bool]]:
    """What was kept: what, of which link, by a machine."""
    with shop.database.read() as connection:
        rows = connection.execute(select(FEEDBACK).order_by(FEEDBACK.c.at, FEEDBACK.c.id)).all()
    return [(row.kind, row.detail, row.machine) for row in rows]


def test_a_link_leads_exactly_where_the_message_said_and_is_counted(tracking: Shop) -> None:
    answer = click(tracking)
    assert (answer.status_code, answer.headers["location"], answer.content) == (302, MENU, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert kept(tracking) == [("clicked", "kavarnia.example/menu", False)]
    with tracking.database.read() as connection:
        row = connection.execute(select(FEEDBACK)).one()
    assert (row.customer_id, row.scenario, row.at) == (tracking.id_of(), "win-back", tracking.clock.now())
    here = tracking.services
    with tracking.database.read() as connection:
        page = read(connection, here.program, "10042", here.now(), here.links)
    [message] = page.as_json()["messages"]
    assert [(it["kind"], it["link"], it["machine"]) for it in message["reactions"]] == kept(tracking)


@pytest.mark.parametrize(
    ("url", "leads_to"),
    [
        ("https://kavarnia.example/меню?q=кава", "/%D0%BC%D0%B5%D0%BD%D1%8E?q=%D0%BA%D0%B0%D0%B2%D0%B0"),
        ("https://кава.example:8443/я", "https://xn--80aaf4a.example:8443/%D1%8F"),
        ("https://straße.example/", "//stra%C3%9Fe.example/"),
        ("https://k.example/a b\r\nSet-Cookie: x=1", "https://k.example/a%20b%0D%0ASet-Cookie:%20x=1"),
        ("https://k.example/%2e%2e/?a[]=%&b='\"", "https://k.example/%2e%2e/?a[]=%&b='%22"),
    ],
)
def test_an_address_is_written_so_that_a_header_can_carry_it(url: str, leads_to: str) -> None:
    assert location(url).isascii()
    assert location(url).endswith(leads_to)


def test_a_link_that_nobody_can_take_apart_leads_on_all_the_same(tracking: Shop) -> None:
    for url in ("https://[kavarnia/menu", "https://[кава/menu"):
        assert click(tracking, url).status_code == 302
        tracking.clock.move_by(timedelta(minutes=1))
    assert [link for _, link, _ in kept(tracking)] == ["unreadable address"] * 2


def test_an_opened_mail_shows_one_point_and_is_counted_once_a_minute(tracking: Shop) -> None:
    answer = look(tracking)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert (answer.content, len(answer.content)) == (PICTURE, 43)
    assert answer.headers["cache-control"] == "no-store"
    look(tracking)
    assert kept(tracking) == [("opened", None, False)]
    tracking.clock.move_by(timedelta(seconds=60))
    look(tracking)
    assert len(kept(tracking)) == 2


def test_a_tap_that_several_processes_hear_at_one_moment_is_kept_once(tracking: Shop) -> None:
    def hear(tap: Reaction) -> int:
        with tracking.database.write() as connection:
            return keep(connection, [tap])

    with ThreadPoolExecutor(4) as processes:
        for number in range(5):
            tap = Reaction(message_of(tracking), "clicked", tracking.clock.now(), f"page {number}")
            assert sum(processes.map(hear, [tap] * 4)) == 1
            tracking.clock.move_by(timedelta(minutes=2))


def test_a_link_is_called_by_its_page_without_what_is_the_customers_own(tracking: Shop) -> None:
    click(tracking, tracking.services.links.card(tracking.id_of()))
    tracking.clock.move_by(timedelta(seconds=30))
    click(tracking, "https://kavarnia.example/u?email=olena@example.com")
    # Whoever asks for the head alone looks whether the link is there.
    assert click(tracking, method="HEAD").headers["location"] == MENU
    assert look(tracking, method="HEAD").status_code == 200
    assert kept(tracking) == [("clicked", "card", False), ("clicked", "kavarnia.example/u", False)]


def test_programs_are_told_apart_by_when_they_come(tracking: Shop) -> None:
    with tracking.database.write() as connection:
        soon = {"accepted_at": tracking.clock.now() - timedelta(seconds=4)}
        connection.execute(update(MESSAGE).values(soon))
    look(tracking)
    tracking.clock.move_by(timedelta(seconds=30))
    look(tracking)
    assert [it[2] for it in kept(tracking)] == [True, False]
    # All the links at once: the first was no person's either.
    for page in ("a", "b", "c"):
        click(tracking, f"https://kavarnia.example/{page}")
    tracking.clock.move_by(timedelta(seconds=20))
    click(tracking, "https://kavarnia.example/a")
    assert [it[2] for it in kept(tracking)] == [True, False, True, True, True, False]
    # One link played over and over does not fill the table.
    for _ in range(MOST_OF_A_MESSAGE):
        tracking.services.reactions.note(Reaction(message_of(tracking), "opened", tracking.clock.now()))
        tracking.clock.move_by(timedelta(minutes=2))
    tracking.services.reactions.write()
    assert len(kept(tracking)) == MOST_OF_A_MESSAGE


@pytest.mark.parametrize(
    ("agent", "more", "machine"),
    [
        (PERSON, {}, False), (GMAIL, {}, False), ("YahooMailProxy; https://help.yahoo.com/", {}, False),
        ("Mozilla/5.0", {}, True), (GMAIL_PREFETCH, {}, True), ("Barracuda Sentinel (EE)", {}, True),
        ("Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20) AppleWebKit/537.36 Chrome/120", {}, False),
        ("", {}, True), ("TelegramBot (like TwitterBot)", {}, True), ("python-requests/2.32", {}, True),
        (f"{PERSON} Telegram-Android/11.1", {}, False), (f"{PERSON} BingPreview/1.0b", {}, True),
        (PERSON, {"sec-purpose": "prefetch;anonymous"}, True), (PERSON, {"purpose": "preview"}, True),
    ],
)  # fmt: skip
def test_programs_are_told_apart_by_what_they_say(agent: str, more: dict[str, str], machine: bool) -> None:
    assert is_machine({"user-agent": agent, **more}) is machine


def test_once_tracking_is_switched_off_links_lead_on_and_nothing_is_kept(tracking: Shop) -> None:
    switch(tracking, opens=True)
    assert click(tracking).headers["location"] == MENU
    assert look(tracking).status_code == 200
    assert [it[0] for it in kept(tracking)] == ["opened"]


def test_a_link_outlives_its_message(tracking: Shop) -> None:
    message = message_of(tracking)
    with tracking.database.write() as connection:
        connection.execute(delete(MESSAGE))
        connection.execute(delete(ENROLMENT))
    path = tracking.services.links.redirect(message, MENU).removeprefix(PUBLIC_URL)
    assert tracking.stranger.get(path, follow_redirects=False).headers["location"] == MENU
    assert kept(tracking) == []


def test_a_link_of_an_earlier_key_still_leads_on(tracking: Shop) -> None:
    path = click_path(Links(PUBLIC_URL, b"the key before the change"), message_of(tracking))
    assert tracking.stranger.get(path, follow_redirects=False).status_code == 404
    keys = (SECRET.encode(), b"the key before the change")
    tracking.services.workspace.__dict__["link_keys"] = keys
    del tracking.services.__dict__["reader"]
    assert tracking.stranger.get(path, follow_redirects=False).headers["location"] == MENU


def click_path(links: Links, message: int) -> str:
    return links.redirect(message, MENU).removeprefix(PUBLIC_URL)


def test_a_link_leads_on_while_the_database_is_away_and_is_counted_later(tracking: Shop) -> None:
    links, message = tracking.services.links, message_of(tracking)
    first, second = click_path(links, message), links.opened(message).removeprefix(PUBLIC_URL)
    person = {"User-Agent": PERSON}
    with away(tracking):
        answer = tracking.stranger.get(first, follow_redirects=False, headers=person)
        assert answer.headers["location"] == MENU
    assert kept(tracking) == []
    tracking.clock.move_by(timedelta(seconds=90))
    tracking.stranger.get(second, headers=person)
    assert [it[0] for it in kept(tracking)] == ["clicked", "opened"]


@contextmanager
def away(shop: Shop) -> Iterator[None]:
    """The database answers nothing."""
    engine = shop.database.engine
    driver: Any = engine.dialect.dbapi

    def fail(*_: object) -> None:
        raise driver.OperationalError("server closed the connection unexpectedly")

    event.listen(engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", fail)


def test_an_erased_customer_leaves_no_clicks_and_no_links_of_their_own(tracking: Shop) -> None:
    own = tracking.services.links.card(tracking.id_of())
    with tracking.database.write() as connection:
        link = keep_link(connection, own, tracking.id_of())
    path = tracking.services.links.short(message_of(tracking), link.id).removeprefix(PUBLIC_URL)
    answer = tracking.stranger.get(path, follow_redirects=False, headers={"User-Agent": PERSON})
    assert answer.headers["location"] == own
    assert kept(tracking) == [("clicked", "card", False)]
    assert tracking.till.request("DELETE", "/api/v1/customers/10042").status_code < 300
    with tracking.database.read() as connection:
        assert connection.execute(select(LINK)).all() == []
    assert kept(tracking) == []
    assert tracking.stranger.get(path, follow_redirects=False).status_code == 404
    assert click(tracking).headers["location"] == MENU
    assert kept(tracking) == []
