"""SMS by Twilio or a local aggregator: texts of as many segments as are allowed, at the tariff's price."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from channels.asking import Doubt, confirmed
from channels.base import Channel, part
from channels.country import E164, by_country
from channels.outcome import Accepted
from channels.outgoing import Outgoing
from channels.settings import OneLineSecret
from channels.sms.config import SmsConfig
from channels.transport import Malformed, Transport
from channels.twilio_account import TwilioSettings
from core.errors import EnvironmentFault
from templates.sms import segments

LONGEST_BODY = 1600
"""Characters Twilio takes in one message."""


class SmsSettings(TwilioSettings):
    """TIDINGS_SMS_… in .env: the Twilio account, or what an aggregator knows us by."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_SMS_")

    transport: Literal["folder", "twilio", "http"] = "folder"
    http_token: OneLineSecret | None = Field(
        default=None, description="{token} of channels.sms.http: the aggregator's key."
    )
    http_login: OneLineSecret | None = Field(default=None, description="{login} of channels.sms.http.")
    http_password: OneLineSecret | None = Field(default=None, description="{password} of channels.sms.http.")
    http_reports_secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="What the aggregator's reports and customers' answers are known by: in the address or "
        "a signature.",
    )


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
    """Sends by Twilio or an aggregator. What is unknown is not sent again: neither knows a repetition."""

    name = "sms"
    address_kind = "phone"
    policy = "at_most_once"
    confirmed_by = "delivered"
    can_be_asked = True
    text_files = ("sms.txt",)
    linked_parts = {"text": "short"}
    Config = SmsConfig
    Settings = SmsSettings

    def required(self) -> tuple[str, ...]:
        """The account."""
        if self.settings.transport == "http":
            return self.config.http.secrets() if self.config.http else ()
        return ("account_sid", "auth_token")

    def check(self) -> None:
        """Besides the account, there must be somebody to send as, and an aggregator to send by."""
        super().check()
        settings = self.settings
        if settings.transport == "http" and self.config.http is None:
            raise EnvironmentFault(
                "the sms channel is to send by http, and program.yaml does not say how; write "
                "channels.sms.http there, as docs/sms.md shows"
            )
        service = settings.messaging_service_sid if settings.transport == "twilio" else None
        if settings.transport != "folder" and not (self.config.sender or service):
            also = f", or {settings.variable('messaging_service_sid')} into .env"
            raise EnvironmentFault(
                "the sms channel has nobody to send as; write channels.sms.sender into program.yaml"
                f"{also if settings.transport == 'twilio' else ''}"
            )

    @property
    def may_be_reported(self) -> bool:
        """Not where an aggregator stands there without its reports."""
        return self.config.http is None or self.config.http.reports is not None

    @property
    def is_reported(self) -> bool:
        """Not by an aggregator whose reports are not described, nor by Twilio where it is to call nobody."""
        if self.settings.transport == "http":
            return self.config.http is not None and self.may_be_reported
        return super().is_reported and self.settings.is_called_back

    def compose(self, outgoing: Outgoing) -> Text:
        """The text, with line ends as LF and no blank lines around. Raises Malformed if it is too long."""
        if not E164.fullmatch(outgoing.to):
            raise Malformed("number_malformed")
        body = part(outgoing, "text").replace("\r\n", "\n").strip()
        allowed = self.config.segments_at_most
        if len(body) > LONGEST_BODY or (allowed and segments(body).count > allowed):
            raise Malformed("text_too_long")
        return Text(outgoing.key, self._sender_for(outgoing), outgoing.to, body)

    def cost(self, outgoing: Outgoing) -> Decimal | None:
        """Segments times the tariff of the recipient's country, in whole units; None without a tariff."""
        price = by_country(self.config.tariff, outgoing)
        return None if price is None else price * segments(outgoing.parts.get("text", "").strip()).count

    async def ask(self, doubt: Doubt) -> Accepted | None:
        """Twilio lists what it took over; an aggregator is not asked."""
        return await confirmed(self._transport, self.compose, doubt)

    def provider(self) -> Transport[Text]:
        """The Twilio client, or the aggregator's."""
        if self.settings.transport == "http" and self.config.http:
            from channels.sms.aggregator.transport import AggregatorTransport

            return AggregatorTransport(self.config.http, self.settings)
        from channels.sms.twilio import TwilioTransport

        return TwilioTransport(self.settings)

    def _sender_for(self, outgoing: Outgoing) -> str | None:
        sender = self.config.sender
        return by_country(sender, outgoing) if isinstance(sender, dict) else sender
