"""WhatsApp by Twilio: `whatsapp:` addresses, and a template instead of a text."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from channels.twilio import MessagesTransport

if TYPE_CHECKING:
    from channels.whatsapp import TemplateMessage


class TwilioTransport(MessagesTransport["TemplateMessage"]):
    """Templates as Messages.json takes them."""

    def fields(self, wire: "TemplateMessage") -> Mapping[str, str | None]:
        """A messaging service picks the sender, whatever the program says."""
        service = self._settings.messaging_service_sid
        sender = f"whatsapp:{wire.sender}" if wire.sender and not service else None
        variables = json.dumps(dict(wire.variables), ensure_ascii=False) if wire.variables else None
        return {
            "to": f"whatsapp:{wire.to}", "from_": sender, "messaging_service_sid": service,
            "content_sid": wire.content, "content_variables": variables,
        }  # fmt: skip

    def shown(self, wire: "TemplateMessage") -> tuple[str, str]:
        """The number as Twilio writes it, and the text that is read."""
        return f"whatsapp:{wire.to}", wire.text
