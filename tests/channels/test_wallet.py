"""Messages on the wallet card: what is put there, and what becomes of it when something breaks."""

import asyncio
import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from channels import Accepted, Failed, Outcome, Unknown, create
from channels.board import Board
from channels.transport import Malformed
from channels.wallet import LONGEST_TEXT, name_of
from channels.wallet.cards import AT_ONCE
from core.errors import EnvironmentFault
from tests.channels.helpers import AT, AnyChannel, outgoing, run, send, use
from tests.channels.providers.wallet import Server
from wallet.news import News

SERIAL = "4f0c9d2be1"
PARTS = {"text": "Кава −20% до неділі", "title": "Для вас", "link": "https://kavarnia.example/menu"}


@pytest.fixture(autouse=True)
def on_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {"TIDINGS_WALLET_TRANSPORT": "card"})


def channel(board: Board | None = None, **config: str) -> AnyChannel:
    return create("wallet", config, outbox_dir=Path("unused"), board=board or Server())


def test_what_the_customer_reads_is_what_the_card_is_given() -> None:
    board = Server()
    message = replace(outgoing(SERIAL, PARTS), priority=80)
    assert send(channel(board), [message]) == {message.key: Accepted(name_of(message.key))}
    until = AT + timedelta(days=30)
    assert board.shown[SERIAL] == News(
        SERIAL, PARTS["text"], AT, name_of(message.key), 80, PARTS["title"], PARTS["link"], until
    )
    [text] = channel().compose(message).files().values()
    assert text.decode().splitlines() == [
        "Для вас", "Кава −20% до неділі", "https://kavarnia.example/menu",
        "(on the card until 2026-03-31 08:00 UTC)",
    ]  # fmt: skip
    assert channel().cost(message) == Decimal(0)


def test_a_title_stands_in_one_line() -> None:
    made = channel().compose(outgoing(SERIAL, {**PARTS, "title": "Для вас,\nОлено\n"}))
    assert (made.title, made.link) == ("Для вас, Олено", PARTS["link"])


@pytest.mark.parametrize(
    ("parts", "days", "valid"),
    [({}, 30, None), ({"keep": "3 days"}, 3, 1), ({}, 2, 2), ({}, 30, 90)],
    ids=["the program says", "its file says", "as long as it is of use", "the sooner of the two"],
)
def test_how_long_it_stands(parts: dict[str, str], days: int, valid: int | None) -> None:
    message = outgoing(SERIAL, {"text": "Hello", **parts})
    if valid is not None:
        message = replace(message, valid_until=AT + timedelta(days=valid))
    assert channel().compose(message).until == AT + timedelta(days=days)
    assert channel(keep="1 day").compose(outgoing(SERIAL, {"text": "Hi"})).until == AT + timedelta(days=1)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"text": " "}, "missing_text"),
        ({"text": "a" * (LONGEST_TEXT + 1)}, "text_too_long"),
        ({"text": "a", "link": "kavarnia://menu"}, "link_malformed"),
        ({"text": "a", "link": "https://[kavarnia"}, "link_malformed"),
        ({"text": "a", "title": "a" * 61}, "title_malformed"),
        ({"text": "a", "keep": "a week"}, "keep_malformed"),
        ({"text": "a", "keep": "0 days"}, "keep_malformed"),
    ],
)
def test_what_no_card_shows_is_set_aside(parts: dict[str, str], reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        channel().compose(outgoing(SERIAL, parts))


class Slow(Board):
    """A board that is busy until it is told to go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def put(self, news: Sequence[News]) -> Collection[str]:
        self.begun.set()
        self.go_on.wait(10)
        return {it.serial for it in news}


def test_a_batch_that_is_cancelled_still_says_what_stands_on_the_cards() -> None:
    board, outcomes = Slow(), dict[str, Outcome]()
    batch = [outgoing(f"card-{number}", PARTS) for number in range(AT_ONCE + 1)]

    async def cancelled() -> None:
        async with channel(board) as made:
            sending = asyncio.create_task(made.send(batch, outcomes.__setitem__))
            await asyncio.to_thread(board.begun.wait)
            sending.cancel()
            await asyncio.sleep(0)
            board.go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await sending

    run(cancelled())
    assert [isinstance(outcome, Accepted) for outcome in outcomes.values()] == [True] * AT_ONCE + [False]
    assert outcomes[batch[-1].key] == Failed("temporary", "not_begun")


class Away(Board):
    """A board whose database is not there."""

    def put(self, news: Sequence[News]) -> Collection[str]:
        raise EnvironmentFault("the database does not answer")


def test_a_database_that_is_away_is_waited_for() -> None:
    batch = [outgoing(f"card-{number}", PARTS) for number in range(AT_ONCE + 1)]
    outcomes = send(channel(Away()), batch)
    assert set(outcomes.values()) == {Failed("temporary", "cannot_connect")}
    assert not any(isinstance(outcome, Unknown) for outcome in outcomes.values())
