"""What customers do with the bot: they come by a link, stop, block, come back. No one else is believed."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import select

from channels.telegram.updates import is_genuine, webhook_secret
from core.customers.addresses import ADDRESS
from core.customers.chats import NEVER, Chats, marks
from core.errors import EnvironmentFault, UserError
from core.events import EVENT
from core.program import Program
from templates.facts import contexts
from tests.api.shop import PUBLIC_URL, Shop
from tests.channels.providers.base import SECRET
from tests.channels.providers.http import Answer
from tests.channels.providers.telegram import NAME, TOKEN, Server, refusal
from tidings.telegram import Connected, connect
from tidings.workspace import Workspace

CHAT, OTHER_CHAT = 7000000001, 7000000002


@dataclass
class Bot:
    """The bot as people meet it: their taps, brought by Telegram, and what they read afterwards."""

    shop: Shop

    def link(self, customer: str = "10042") -> str:
        """The token in the customer's link of this moment."""
        customer_id = self.shop.id_of(customer)
        with self.shop.database.read() as connection:
            mark = marks(connection, [customer_id]).get(customer_id, 0)
        return self.shop.services.links.telegram(NAME, customer_id, mark).partition("?start=")[2]

    def says(self, text: str, chat: int = CHAT, language: str = "en", **more: Any) -> str:
        """What the bot answers; '' if it keeps quiet."""
        message = {
            "message_id": 1, "date": int(self.shop.clock.now().timestamp()), "text": text,
            "from": {"id": chat, "is_bot": False, "language_code": language},
            "chat": {"id": chat, "type": "private"}, **more,
        }  # fmt: skip
        return self._answered(self.update({"update_id": 1, "message": message}), chat)

    def lets(self, status: str, chat: int = CHAT, **more: Any) -> str:
        """The person blocked the bot (`kicked`) or let it in again (`member`)."""
        change = {
            "date": int(self.shop.clock.now().timestamp()), "from": {"id": chat, "is_bot": False},
            "chat": {"id": chat, "type": "private"}, "new_chat_member": {"status": status}, **more,
        }  # fmt: skip
        return self._answered(self.update({"update_id": 2, "my_chat_member": change}), chat)

    def update(self, content: Any, secret: str | None = None) -> Response:
        shown = {"X-Telegram-Bot-Api-Secret-Token": webhook_secret(TOKEN) if secret is None else secret}
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        answer: Response = self.shop.stranger.post("/hooks/telegram", content=body, headers=shown)
        return answer

    def _answered(self, answer: Response, chat: int) -> str:
        assert answer.status_code == 200
        if not answer.content:
            return ""
        said = answer.json()
        assert (said["method"], said["chat_id"]) == ("sendMessage", chat)
        return str(said["text"])

    def chats(self, customer: str = "10042") -> list[str]:
        """The chats that the customer may be written to."""
        mine = (ADDRESS.c.customer_id == self.shop.id_of(customer)) & (ADDRESS.c.kind == "telegram")
        with self.shop.database.read() as connection:
            return list(connection.scalars(select(ADDRESS.c.value).where(mine, ADDRESS.c.active)))


@pytest.fixture
def bot(shop: Shop) -> Bot:
    env_file = shop.services.workspace.env_file
    env_file.write_text(f"{env_file.read_text()}TIDINGS_TELEGRAM_TOKEN={TOKEN}\n")
    shop.register(locale="uk")
    return Bot(shop)


def test_a_customer_who_comes_by_their_link_is_known_greeted_and_has_agreed(bot: Bot) -> None:
    assert "цей чат тепер пов’язаний" in bot.says(f"/start {bot.link()}")
    assert bot.chats() == [str(CHAT)]
    assert bot.shop.agrees("telegram") is True
    with bot.shop.database.read() as connection:
        given = select(EVENT.c.data).where(EVENT.c.kind == "consent_given", EVENT.c.subject == "telegram")
        (data,) = connection.scalars(given).all()
    assert data["source"] == "telegram: /start"
    assert data["proof"] == {"form": "telegram bot", "text": "/start"}


def test_a_link_serves_one_chat_and_the_next_one_moves_the_customer(bot: Bot) -> None:
    link = bot.link()
    bot.says(f"/start {link}")
    assert "used already" in bot.says(f"/start {link}", chat=OTHER_CHAT)
    assert bot.chats() == [str(CHAT)]
    # The same tap once more is no harm.
    assert "цей чат тепер пов’язаний" in bot.says(f"/start {link}")

    bot.shop.clock.move_by(timedelta(seconds=1))
    newest = bot.link()
    assert "цей чат тепер пов’язаний" in bot.says(f"/start {newest}", chat=OTHER_CHAT)
    assert bot.chats() == [str(OTHER_CHAT)]
    # The chat before has neither its old link nor a way back.
    bot.says(f"/start {link}")
    bot.lets("member")
    bot.says("/start")
    assert bot.chats() == [str(OTHER_CHAT)]


def test_a_chat_belongs_to_whom_it_was_joined_last(bot: Bot) -> None:
    bot.says(f"/start {bot.link()}")
    bot.shop.register("10043", locale="ru")
    bot.shop.clock.move_by(timedelta(seconds=1))
    assert "этот чат теперь связан" in bot.says(f"/start {bot.link('10043')}")
    assert (bot.chats(), bot.chats("10043")) == ([], [str(CHAT)])


def test_a_link_that_we_did_not_make_joins_nobody(bot: Bot) -> None:
    for forged in ("AAAA", "x" * 64, "-", "AQ" + "A" * 16, bot.link()[:-1]):
        assert "used already" in bot.says(f"/start {forged}")
    card = bot.shop.services.links.card(bot.shop.id_of()).rpartition("/")[2]
    assert "used already" in bot.says(f"/start {card}"), "a link for another use"
    assert bot.chats() == []
    assert bot.shop.agrees("telegram") is None


def test_who_was_erased_is_joined_to_nothing(bot: Bot) -> None:
    link = bot.link()
    bot.says(f"/start {link}")
    erased = bot.shop.with_key("admin", "admin").delete("/api/v1/customers/10042")
    assert erased.status_code < 300, erased.text
    assert "used already" in bot.says(f"/start {link}")
    with bot.shop.database.read() as connection:
        assert connection.scalars(select(ADDRESS.c.id).where(ADDRESS.c.kind == "telegram")).all() == []


def test_stop_ends_the_offers_and_start_brings_them_back(bot: Bot) -> None:
    bot.says(f"/start {bot.link()}")
    for word in ("/stop", "/stop@KavarniaBot", "СТОП!", "Відпишіть мене, будь ласка", "unsubscribe"):
        bot.shop.clock.move_by(timedelta(minutes=1))
        assert "пропозицій тут більше не буде" in bot.says(word)
        assert bot.shop.agrees("telegram") is False
        assert bot.chats() == [str(CHAT)], "messages about the account still come"
        bot.shop.clock.move_by(timedelta(minutes=1))
        assert "знову тут" in bot.says("/start")
        assert bot.shop.agrees("telegram") is True


def test_who_asks_for_help_reads_what_comes_here_and_how_to_stop_it(bot: Bot) -> None:
    assert "чия це картка" in bot.says("/help", language="uk"), "nobody's chat yet"
    bot.says(f"/start {bot.link()}")
    for word in ("/help", "/help@KavarniaBot", "Допомога!", "info"):
        said = bot.says(word)
        assert "/stop зупинить пропозиції" in said
        assert said == said.strip()
    assert (bot.shop.agrees("telegram"), bot.chats()) == (True, [str(CHAT)])


def test_what_was_withdrawn_elsewhere_does_not_come_back_by_start(bot: Bot) -> None:
    bot.says(f"/start {bot.link()}")
    bot.shop.clock.move_by(timedelta(minutes=1))
    bot.shop.consent("telegram", granted=False)
    bot.shop.clock.move_by(timedelta(minutes=1))
    bot.says("/start")
    assert bot.shop.agrees("telegram") is False


def test_who_blocks_the_bot_is_not_written_to_until_they_let_it_in_again(bot: Bot) -> None:
    bot.says(f"/start {bot.link()}")
    bot.shop.clock.move_by(timedelta(minutes=1))
    assert bot.lets("kicked") == ""
    assert (bot.chats(), bot.shop.agrees("telegram")) == ([], False)
    bot.shop.clock.move_by(timedelta(minutes=1))
    assert bot.lets("member") == ""
    assert (bot.chats(), bot.shop.agrees("telegram")) == ([str(CHAT)], True)


def test_a_block_that_comes_after_what_ended_it_takes_nothing_away(bot: Bot) -> None:
    bot.says(f"/start {bot.link()}")
    blocked = int(bot.shop.clock.now().timestamp()) + 60
    bot.shop.clock.move_by(timedelta(minutes=2))
    bot.lets("member")
    bot.lets("kicked", date=blocked)
    assert (bot.chats(), bot.shop.agrees("telegram")) == ([str(CHAT)], True)
    bot.shop.clock.move_by(timedelta(minutes=1))
    bot.lets("kicked")
    assert (bot.chats(), bot.shop.agrees("telegram")) == ([], False)


def test_an_update_that_comes_again_later_undoes_nothing(bot: Bot) -> None:
    bot.says(f"/start {bot.link()}")
    early = int(bot.shop.clock.now().timestamp()) + 60
    bot.shop.clock.move_by(timedelta(minutes=2))
    bot.shop.consent("telegram")
    bot.says("/stop", date=early)
    assert bot.shop.agrees("telegram") is True


def test_a_stranger_is_told_where_to_find_the_link_in_their_own_language(bot: Bot) -> None:
    assert "чия це картка" in bot.says("/start", language="uk")
    assert "чия це картка" in bot.says("/stop", language="de"), "else in the program's"
    assert bot.says("What is this?") == ""


def test_of_many_who_come_to_one_chat_at_one_moment_one_has_it(bot: Bot) -> None:
    names = [f"c{number}" for number in range(12)]
    for name in names:
        bot.shop.register(name)
    ids, start = [bot.shop.id_of(name) for name in names], Barrier(len(names))

    def come(customer_id: int) -> None:
        now = bot.shop.clock.now()
        start.wait()
        with bot.shop.database.write() as connection:
            Chats(connection, bot.shop.services.workspace.addresses, now, now).join(
                customer_id, NEVER, str(CHAT)
            )

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(come, ids))
    assert [chat for name in names for chat in bot.chats(name)] == [str(CHAT)]


def test_nobody_but_telegram_is_believed(bot: Bot) -> None:
    body = {"message": {"text": f"/start {bot.link()}"}}
    for secret in ("", "wrong", webhook_secret("1:other"), webhook_secret(TOKEN).upper()):
        assert bot.update(body, secret).status_code == 403
    assert not is_genuine(TOKEN, "ключ")
    assert bot.chats() == []


def test_without_a_bot_there_is_no_door(shop: Shop) -> None:
    assert shop.stranger.post("/hooks/telegram", json={}).status_code == 403


def test_what_cannot_be_read_is_taken_and_forgotten(bot: Bot) -> None:
    for body in (b"", b"{", b"[]", b'{"update_id": 1}', b"\xff", b"[" * 100_000):
        assert bot.update(body).status_code == 200


def test_a_message_may_invite_to_the_bot_only_where_there_is_one(bot: Bot) -> None:
    program, customer_id = bot.shop.services.program, bot.shop.id_of()
    with_bot = with_bot_named(bot.shop, NAME)
    for its, expected in ((program, None), (with_bot, f"https://t.me/{NAME}?start={bot.link()}")):
        with bot.shop.database.read() as connection:
            found = contexts(connection, its, [customer_id], bot.shop.clock.now(), bot.shop.services.links)
        assert found[customer_id]["links"].telegram == expected
        assert expected is None or len(expected.partition("=")[2]) <= 64


@pytest.fixture
def telegram(shop: Shop) -> Iterator[Server]:
    server = Server()
    env_file = shop.services.workspace.env_file
    given = "".join(f"{name}={value}\n" for name, value in server.environment().items())
    env_file.write_text(f"{env_file.read_text()}{given}")
    yield server
    server.close()


def with_bot_named(shop: Shop, name: str) -> Program:
    return shop.services.program.model_copy(update={"channels": {"telegram": {"bot": name}}})


def test_connecting_tells_telegram_where_we_are_and_asks_whether_it_can_reach_us(
    shop: Shop, telegram: Server
) -> None:
    url = "https://loyalty.example/hooks/telegram"
    telegram.webhook |= {"pending_update_count": 3, "last_error_message": "Connection refused"}
    connected = connect(shop.services.workspace, with_bot_named(shop, f"@{NAME}"))
    assert connected == Connected(NAME, url, 3, "Connection refused")
    given = dict(telegram.calls)["setWebhook"]
    assert given["url"] == url
    assert given["secret_token"] == webhook_secret(TOKEN)
    assert given["allowed_updates"] == ["message", "my_chat_member"]


def test_what_hinders_connecting_is_one_sentence_without_the_token(shop: Shop, telegram: Server) -> None:
    here = shop.services.workspace
    with pytest.raises(UserError, match=r"channels\.telegram\.bot: it is OtherBot, but .* is of KavarniaBot"):
        connect(here, with_bot_named(shop, "OtherBot"))
    for answer, words in (
        (refusal(401, "Unauthorized"), "ask @BotFather"),
        (refusal(400, "Bad Request: bad webhook: IP address is reserved"), "IP address is reserved"),
        (Answer(200, b"<html>"), "does not answer getMe"),
        (Answer(0), "does not answer getMe"),
    ):
        telegram.next = [answer]
        with pytest.raises(EnvironmentFault, match=words) as fault:
            connect(here, shop.services.program)
        assert SECRET not in str(fault.value)
        assert "\n" not in str(fault.value)


def test_telegram_cannot_call_every_address(shop: Shop, telegram: Server) -> None:
    here, before = shop.services.workspace, PUBLIC_URL
    for url in ("http://loyalty.example", "https://localhost", "https://loyalty.example:8000"):
        here.env_file.write_text(here.env_file.read_text().replace(before, url))
        with pytest.raises(EnvironmentFault, match="needs https on port 443, 80, 88 or 8443"):
            connect(Workspace(here.path), shop.services.program)
        before = url
    assert telegram.requests == []
