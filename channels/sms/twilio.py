"""SMS by Twilio: a number, a sender or a service that picks one, and the text."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from channels.twilio import MessagesTransport

if TYPE_CHECKING:
    from channels.sms import Text


class TwilioTransport(MessagesTransport["Text"]):
    """Texts as Messages.json takes them."""

    def fields(self, wire: "Text") -> Mapping[str, str | None]:
        """A messaging service picks the sender, whatever the program says."""
        service = self._settings.messaging_service_sid
        sender = None if service else wire.sender
        return {"to": wire.to, "body": wire.body, "from_": sender, "messaging_service_sid": service}

    def shown(self, wire: "Text") -> tuple[str, str]:
        """The number and the text."""
        return wire.to, wire.body
