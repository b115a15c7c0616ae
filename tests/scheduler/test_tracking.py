"""What leaves when a program tracks: links by way of us, a picture, and texts as long as promised."""

import email
import email.policy
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from campaigns.short_links import LINK, as_long
from core.links import SHORT_CHARACTERS, Links
from tests.scheduler.kiosk import PROGRAM, Kiosk

TRACKED = f"{PROGRAM}tracking: {{opens: true, clicks: true}}\n"
SHOP = "https://kavarnia.example/menu?for={{ customer.external_id }}"
MAIL = f"""---
subject: Bonuses
---
<html><body><p><a href="{SHOP}&amp;a=1">Menu</a> <a href="{{{{ links.unsubscribe }}}}">no more</a>
<a href="{{{{ links.card }}}}">card</a> <a href="mailto:a@kavarnia.example">write</a></p></body></html>
"""
SMS = "{{ 'https://kavarnia.example/menu' | tracked }} {{ links.card | tracked }} https://kavarnia.example/plain"
PUSH = f"---\ntitle: Bonuses\nlink: {SHOP}\n---\nhttps://kavarnia.example/plain\n"
TEXTS = {"email.html": MAIL, "sms.txt": SMS, "push.txt": PUSH}
OWN = re.compile(r"https://kiosk\.example/([a-z])/([\w-]+)")


@pytest.fixture
def tracking(kiosk: Kiosk) -> Kiosk:
    """A kiosk that tracks everything, with links in its messages."""
    del kiosk.files["messages/hello/email.txt"]
    kiosk.files |= {f"messages/hello/{name}": text for name, text in TEXTS.items()}
    kiosk.write(program=TRACKED)
    return kiosk


def sent(kiosk: Kiosk, channel: str, **person: str) -> str:
    """What one customer was sent on a channel, as it left."""
    kiosk.scenario(send=f"[{channel}]")
    kiosk.customer("anna", **person)
    kiosk.plan()
    kiosk.deliver()
    return left(kiosk.folder / channel)


def left(folder: Path) -> str:
    [file] = [path for path in folder.rglob("*") if path.suffix in (".eml", ".txt", ".json")]
    return file.read_text("utf-8")


def parts_of(mail: str) -> tuple[str, str]:
    message = email.message_from_string(mail, policy=email.policy.default)
    plain, html = message.get_body(["plain"]), message.get_body(["html"])
    assert plain
    assert html
    return plain.get_content(), html.get_content()


def leads_to(links: Links, text: str) -> list[str]:
    """Where the links of a text that lead by way of us lead to."""
    read = [links.read_redirect(token) for use, token in OWN.findall(text) if use == "r"]
    return [found[1] for found in read if found]


def test_an_emails_links_lead_by_way_of_us_in_both_its_parts(tracking: Kiosk) -> None:
    plain, html = parts_of(sent(tracking, "email", email="anna@example.org"))
    links = tracking.links
    menu, card = "https://kavarnia.example/menu?for=anna&a=1", links.card(tracking.ids["anna"])
    assert leads_to(links, html) == leads_to(links, plain) == [menu, card]
    for text in (plain, html):
        assert links.unsubscribe(tracking.ids["anna"], "email") in text
        assert "kavarnia.example/menu" not in text
    assert links.opened(tracking.message("anna").id) in html
    assert "mailto:a@kavarnia.example" in html


def test_a_push_leads_by_way_of_us_and_its_words_stay(tracking: Kiosk) -> None:
    said = sent(tracking, "push", push="token-of-anna")
    assert leads_to(tracking.links, said) == ["https://kavarnia.example/menu?for=anna"]
    assert "https://kavarnia.example/plain" in said


def test_an_sms_has_short_links_where_it_asks_for_them(tracking: Kiosk) -> None:
    said = sent(tracking, "sms", phone="+380501234567")
    found = [token for use, token in OWN.findall(said) if use == "h"]
    assert [len(token) for token in found] == [SHORT_CHARACTERS] * 2
    assert said.rstrip().endswith("https://kavarnia.example/plain")
    with tracking.database.read() as connection:
        kept: dict[int, str] = dict(connection.execute(select(LINK.c.id, LINK.c.url)).all())
    read = [tracking.links.read_short(token) for token in found]
    card = tracking.links.card(tracking.ids["anna"])
    assert [kept[it[1]] for it in read if it] == ["https://kavarnia.example/menu", card]
    assert [it[0] for it in read if it] == [tracking.message("anna").id] * 2


def test_the_way_out_is_that_of_the_channel_and_is_never_tracked(tracking: Kiosk) -> None:
    tracking.files["messages/hello/sms.txt"] = "No more: {{ links.unsubscribe | tracked }}"
    said = sent(tracking, "sms", phone="+380501234567")
    assert f"No more: {tracking.links.unsubscribe(tracking.ids['anna'], 'sms')}" in said


def test_the_link_that_opens_the_bot_opens_it_directly(tracking: Kiosk) -> None:
    program = tracking.files["program.yaml"].replace("push: {}", "push: {}\n  telegram: {bot: KavarniaBot}")
    tracking.write(program=program)
    body = "{{ links.telegram | tracked }} {{ 'https://t.me/other?start=news' | tracked }}"
    tracking.files["messages/hello/sms.txt"] = body
    link, other = sent(tracking, "sms", phone="+380501234567").splitlines()[-1].split()
    assert link.startswith("https://t.me/KavarniaBot?start=")
    assert OWN.fullmatch(other), "a bot that is not ours is a page like others"


def test_a_text_that_is_only_looked_at_has_each_link_as_long_as_it_leaves(tracking: Kiosk) -> None:
    links = tracking.links
    follow = as_long(tracking.live.running().program, "sms", links)["track"]
    assert follow("https://kavarnia.example/menu") == links.sample()
    assert follow(links.unsubscribe(1, "sms")) is None
    assert follow(links.telegram("KavarniaBot", 1, 0)) is None


def test_a_link_that_many_are_sent_is_kept_once_and_is_nobodys(tracking: Kiosk) -> None:
    tracking.scenario(send="[sms]")
    tracking.customers({f"c{number}": {"phone": f"+38050123456{number}"} for number in range(5)})
    tracking.plan()
    tracking.deliver()
    with tracking.database.read() as connection:
        rows = connection.execute(select(LINK.c.url, LINK.c.customer_id).order_by(LINK.c.id)).all()
    owners: dict[str, int | None] = {row.url: row.customer_id for row in rows}
    assert len(rows) == 6
    assert owners.pop("https://kavarnia.example/menu") is None
    assert owners == {tracking.links.card(number): number for number in tracking.ids.values()}


def test_nothing_is_tracked_unless_the_program_says_so(tracking: Kiosk) -> None:
    tracking.write(program=PROGRAM)
    plain, html = parts_of(sent(tracking, "email", email="anna@example.org"))
    assert not leads_to(tracking.links, plain + html)
    assert "/o/" not in html
    with tracking.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(LINK)) == 0


def test_a_link_that_cannot_be_kept_is_sent_as_it_is(tracking: Kiosk) -> None:
    broken = failing_on(tracking, "tracked_link")
    try:
        said = sent(tracking, "sms", phone="+380501234567")
    finally:
        broken()
    assert "https://kavarnia.example/menu https://kiosk.example/c/" in said
    assert tracking.state("anna")[0] == "sent"


def failing_on(kiosk: Kiosk, table: str) -> Callable[[], None]:
    """Whatever writes to this table finds the database away; returns how to end that."""
    driver = kiosk.database.engine.dialect.dbapi

    def fail(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith(f"INSERT INTO {table}"):
            raise driver.OperationalError("server closed the connection")  # type: ignore[union-attr]

    event.listen(kiosk.database.engine, "before_cursor_execute", fail)
    return lambda: event.remove(kiosk.database.engine, "before_cursor_execute", fail)
