"""One call of the bot a message."""

from typing import TYPE_CHECKING

from channels.http_faults import NO_ANSWER, broken
from channels.outcome import Outcome
from channels.telegram.answers import outcome_of
from channels.telegram.bot import Bot
from channels.transport import Transport

if TYPE_CHECKING:
    from channels.telegram import Note, TelegramSettings


class BotTransport(Transport["Note"]):
    """POSTs to sendMessage and sendPhoto."""

    def __init__(self, settings: "TelegramSettings") -> None:
        self._bot = Bot(settings)

    async def open(self) -> None:
        """Make the client. Nothing is sent yet."""
        self._bot.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._bot.close()

    async def transmit(self, wire: "Note") -> Outcome:
        """One call. Only a failure to connect is certain not to have left."""
        try:
            answer = await self._bot.call(wire.method, **wire.request)
        except NO_ANSWER as error:
            return broken(error)
        return outcome_of(answer)
