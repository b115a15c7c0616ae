"""The call list has no provider: what stands on it is in the outbox."""

from collections.abc import Mapping
from typing import Any, ClassVar

from tests.channels.providers.base import Provider, Verdict


class Server(Provider):
    transport = "list"
    config: ClassVar[Mapping[str, Any]] = {}
    parts = {"text": "Привітайте Олену: у неї 500 бонусів."}
    credentials = ()
    never = frozenset({"permanent", "temporary", "dead", "hang", "drop"})

    def environment(self) -> Mapping[str, str]:
        return {"TIDINGS_CALL_LIST_TRANSPORT": "list"}

    def address(self, verdict: Verdict, number: int = 0) -> str:
        return f"+38050{number:07}"

    @property
    def accepted(self) -> list[str]:
        return []

    def wait_until_hanging(self) -> None:
        """Nothing hangs."""

    def close(self) -> None:
        """Nothing runs."""
