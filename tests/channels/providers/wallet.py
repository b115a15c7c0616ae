"""The cards, which are in the house: a board that knows which passes are in a wallet."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from channels.board import Board
from tests.channels.providers.base import Provider, Verdict
from wallet.news import News


class Server(Provider, Board):
    transport = "card"
    config: ClassVar[Mapping[str, Any]] = {}
    parts = {"text": "Привіт! У вас 500 бонусів.", "title": "Бонуси", "link": "https://kavarnia.example/a"}
    credentials = ()
    # Nobody is there who could be busy or break off; a card that is gone is no address that is dead.
    never = frozenset({"permanent", "temporary", "hang", "drop"})

    def __init__(self) -> None:
        self.shown: dict[str, News] = {}

    def environment(self) -> Mapping[str, str]:
        return {"TIDINGS_WALLET_TRANSPORT": "card"}

    def address(self, verdict: Verdict, number: int = 0) -> str:
        return f"card-{verdict}-{number:04}"

    def put(self, news: Sequence[News]) -> Collection[str]:
        """As the real board (scheduler.board)."""
        held = [it for it in news if "-dead-" not in it.serial]
        self.shown |= {it.serial: it for it in held}
        return {it.serial for it in held}

    @property
    def board(self) -> Board | None:
        return self

    @property
    def accepted(self) -> list[str]:
        return list(self.shown)

    def wait_until_hanging(self) -> None:
        """Nothing hangs."""

    def close(self) -> None:
        """Nothing runs."""
