"""SMS through Twilio: text within the segments the marketer allows, priced by the program's tariff."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from channels.base import Channel, part
from channels.outgoing import Outgoing
from channels.settings import ChannelConfig, ChannelSettings
from channels.sms.segments import segments
from channels.transport import Malformed, Transport
from core.errors import EnvironmentFault

LONGEST_BODY = 1600
"""Characters Twilio takes in one message."""

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 &_+-]{1,11}")


def _sender(given: Any) -> Any:
    if isinstance(given, bool) or not isinstance(given, str | int) or not _SENDER.fullmatch(str(given)):
        raise ValueError("a sender is a number (+380…), a short code, or up to 11 Latin letters and digits")
    return str(given)


def _tariff(prices: dict[str, Decimal]) -> dict[str, Decimal]:
    for country in prices:
        if country != "default" and not re.fullmatch(r"[A-Z]{2}", country):
            raise ValueError(f"'{country}' is no country: write two capital letters (UA), or default")
    return prices


class SmsConfig(ChannelConfig):
    """`channels.sms` in program.yaml."""

    sender: Annotated[str | None, BeforeValidator(_sender)] = Field(
        default=None, description="A number (+380…), a short code, or up to 11 Latin letters."
    )
    segments_at_most: int | None = Field(default=None, ge=1, le=10, description="Longer texts are not sent.")
    tariff: Annotated[dict[str, Annotated[Decimal, Field(ge=0)]], AfterValidator(_tariff)] = Field(
        default_factory=dict,
        description="Price of one segment by country, in the program's currency; default.",
    )


class SmsSettings(ChannelSettings):
    """TIDINGS_SMS_… in .env: the Twilio account."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_SMS_")

    transport: Literal["folder", "twilio"] = "folder"
    account_sid: str | None = Field(default=None, description="AC…, from the Twilio console.")
    auth_token: SecretStr | None = Field(default=None, description="From the Twilio console.")
    messaging_service_sid: str | None = Field(
        default=None, description="MG…; picks the sender instead of `sender`."
    )
    status_callback: str | None = Field(
        default=None, description="Public URL to which Twilio reports delivery."
    )
    base_url: str = Field(default="https://api.twilio.com", description="Only for tests and proxies.")


@dataclass(frozen=True, slots=True)
class Text:
    """A composed SMS; `sender` is None where a messaging service picks it."""

    key: str
    sender: str | None
    to: str = field(repr=False)
    body: str = field(repr=False)

    def files(self) -> Mapping[str, bytes]:
        """A note as a person would write it down: to, from, text."""
        return {".txt": f"To: {self.to}\nFrom: {self.sender or ''}\n\n{self.body}\n".encode()}


class Sms(Channel[SmsConfig, SmsSettings, Text]):
    """Sends by Twilio. An unknown outcome is never sent again: Twilio has no idempotency key."""

    name = "sms"
    address_kind = "phone"
    policy = "at_most_once"
    confirmed_by = "delivered"
    text_files = ("sms.txt",)
    Config = SmsConfig
    Settings = SmsSettings

    def required(self) -> tuple[str, ...]:
        """The account."""
        return ("account_sid", "auth_token")

    def check(self) -> None:
        """Besides the account, there must be somebody to send as."""
        super().check()
        named = self.config.sender or self.settings.messaging_service_sid
        if self.settings.transport != "folder" and not named:
            raise EnvironmentFault(
                "the sms channel has nobody to send as; write channels.sms.sender into program.yaml, or "
                f"{self.settings.variable('messaging_service_sid')} into .env"
            )

    def compose(self, outgoing: Outgoing) -> Text:
        """The text, with line ends as LF and no blank lines around. Raises Malformed if it is too long."""
        if not _E164.fullmatch(outgoing.to):
            raise Malformed("number_malformed")
        body = part(outgoing, "text").replace("\r\n", "\n").strip()
        allowed = self.config.segments_at_most
        if len(body) > LONGEST_BODY or (allowed and segments(body) > allowed):
            raise Malformed("text_too_long")
        return Text(outgoing.key, self.config.sender, outgoing.to, body)

    def cost(self, outgoing: Outgoing) -> Decimal | None:
        """Segments times the tariff of the recipient's country, in whole units; None without a tariff."""
        tariff = self.config.tariff
        country = outgoing.country or (country_of(outgoing.to) if tariff else None)
        price = tariff.get(country or "default", tariff.get("default"))
        return None if price is None else price * segments(outgoing.parts.get("text", "").strip())

    def provider(self) -> Transport[Text]:
        """The Twilio client."""
        from channels.sms.twilio import TwilioTransport

        return TwilioTransport(self.settings)


def country_of(phone: str) -> str | None:
    """The ISO 3166 code of an E.164 number's country; None for a number of no country."""
    import phonenumbers

    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone))
    except phonenumbers.NumberParseException:
        return None
