"""WhatsApp by Twilio: a template that Meta has approved, with its variables filled in."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from channels.asking import Doubt, confirmed
from channels.base import Channel, optional_part, part
from channels.country import E164, Tariff, by_country
from channels.outcome import Accepted
from channels.outgoing import Outgoing
from channels.settings import ChannelConfig
from channels.transport import Malformed, Transport
from channels.twilio_account import TwilioSettings
from core.errors import EnvironmentFault
from core.explain import complaint, describe

LONGEST_TEXT = 1024
"""Characters that WhatsApp takes of a template and what stands in it."""

_CONTENT = re.compile(r"HX[0-9a-fA-F]{32}")
_VARIABLE = "variables."


def _sender(number: str) -> str:
    if not E164.fullmatch(number):
        raise complaint(f"expected a number, got {describe(number)}", "write it in quotes: '+380441234567'")
    return number


class WhatsappConfig(ChannelConfig):
    """`channels.whatsapp` in program.yaml."""

    sender: Annotated[str, AfterValidator(_sender)] | None = Field(
        default=None, description="The number that is registered as a WhatsApp sender (+380…)."
    )
    tariff: Tariff = Field(
        default_factory=dict,
        description="Price of one message by country, in the program's currency; default.",
    )


class WhatsappSettings(TwilioSettings):
    """TIDINGS_WHATSAPP_… in .env: the Twilio account."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_WHATSAPP_")

    transport: Literal["folder", "twilio"] = "folder"


@dataclass(frozen=True, slots=True)
class TemplateMessage:
    """A composed message: the approved template, its variables by number, and what a person reads."""

    key: str
    sender: str | None
    to: str = field(repr=False)
    content: str = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)

    def files(self) -> Mapping[str, bytes]:
        """To, from, what is read, and what the template is given."""
        given = json.dumps(dict(self.variables), ensure_ascii=False)
        head = f"To: whatsapp:{self.to}\nFrom: {self.sender or ''}\nTemplate: {self.content} {given}\n"
        return {".txt": f"{head}\n{self.text}\n".encode()}


class Whatsapp(Channel[WhatsappConfig, WhatsappSettings, TemplateMessage]):
    """Sends templates by Twilio. An unknown outcome is never sent again: it has no idempotency key."""

    name = "whatsapp"
    address_kind = "phone"
    policy = "at_most_once"
    confirmed_by = "delivered"
    can_be_asked = True
    text_files = ("whatsapp.txt",)
    front_matter = ("content_sid", f"{_VARIABLE}*")
    required_front = "content_sid"
    Config = WhatsappConfig
    Settings = WhatsappSettings

    def required(self) -> tuple[str, ...]:
        """The account."""
        return ("account_sid", "auth_token")

    def check(self) -> None:
        """Besides the account, there must be somebody to send as."""
        super().check()
        named = self.config.sender or self.settings.messaging_service_sid
        if self.settings.transport != "folder" and not named:
            raise EnvironmentFault(
                "the whatsapp channel has nobody to send as; write channels.whatsapp.sender into "
                f"program.yaml, or {self.settings.variable('messaging_service_sid')} into .env"
            )

    @property
    def is_reported(self) -> bool:
        """Not by Twilio where it is to call nobody."""
        return super().is_reported and self.settings.is_called_back

    def compose(self, outgoing: Outgoing) -> TemplateMessage:
        """The template and its variables. Raises Malformed for what WhatsApp would refuse."""
        if not E164.fullmatch(outgoing.to):
            raise Malformed("number_malformed")
        content, text = part(outgoing, "content_sid").strip(), part(outgoing, "text").strip()
        if not _CONTENT.fullmatch(content):
            raise Malformed("content_sid_malformed")
        if len(text) > LONGEST_TEXT:
            raise Malformed("text_too_long")
        return TemplateMessage(
            outgoing.key, self.config.sender, outgoing.to, content, _variables(outgoing), text
        )

    @classmethod
    def front_fault(cls, key: str, value: str) -> tuple[str, str] | None:
        """The template's own name, and numbers for its variables."""
        if key == "content_sid" and value and not _CONTENT.fullmatch(value):
            return (
                "is not the name of a template",
                "copy it from Twilio's console: HX and 32 digits and letters",
            )
        name = key.removeprefix(_VARIABLE)
        if name != key and not re.fullmatch(r"[1-9]\d?", name):
            return f"'{name}' is no variable of a template", "write their numbers: 1, 2, …"
        return None

    def cost(self, outgoing: Outgoing) -> Decimal | None:
        """The tariff of the recipient's country, in whole units; None without a tariff."""
        return by_country(self.config.tariff, outgoing)

    async def ask(self, doubt: Doubt) -> Accepted | None:
        """Twilio lists the text as it was read: found where our file says the same as the template."""
        return await confirmed(self._transport, self.compose, doubt)

    def provider(self) -> Transport[TemplateMessage]:
        """The Twilio client."""
        from channels.whatsapp.twilio import TwilioTransport

        return TwilioTransport(self.settings)


def _variables(outgoing: Outgoing) -> dict[str, str]:
    """By their numbers. For one that is left out Twilio would send the template's sample instead."""
    names = [name.removeprefix(_VARIABLE) for name in outgoing.parts if name.startswith(_VARIABLE)]
    if sorted(names) != sorted(str(number) for number in range(1, len(names) + 1)):
        raise Malformed("variables_not_numbered")
    found = {name: " ".join(optional_part(outgoing, f"{_VARIABLE}{name}").split()) for name in names}
    if not all(found.values()):
        raise Malformed("variable_empty")
    return dict(sorted(found.items(), key=lambda it: int(it[0])))
