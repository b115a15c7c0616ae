"""Email over SMTP: text and page, one-click unsubscribe, a Message-ID that never changes."""

from functools import cached_property
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from channels.base import Channel
from channels.email.addresses import MailboxText
from channels.email.mime import Mail, Skeleton
from channels.outgoing import Outgoing
from channels.settings import ChannelConfig, ChannelSettings
from channels.transport import Transport


class EmailConfig(ChannelConfig):
    """`channels.email` in program.yaml."""

    sender: MailboxText = Field(
        alias="from", description="Who it is from: `Kavarnia <hello@kavarnia.example>`."
    )


class EmailSettings(ChannelSettings):
    """TIDINGS_EMAIL_… in .env: the SMTP server that takes the mail over."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_EMAIL_")

    transport: Literal["folder", "smtp"] = "folder"
    host: str | None = Field(default=None, description="The SMTP server's name.")
    port: int = Field(
        default=587, ge=1, le=65535, description="587 for starttls, 465 for tls, 25 for a relay."
    )
    username: str | None = Field(default=None, description="Leave out to send without logging in.")
    password: SecretStr | None = Field(default=None, description="Needed once there is a username.")
    tls: Literal["none", "starttls", "tls"] = Field(
        default="starttls", description="How the line is encrypted."
    )
    helo: str | None = Field(
        default=None, description="How this host names itself; its own name if left out."
    )
    bounce_address: str | None = Field(
        default=None, description="Envelope sender; the From address if left out."
    )
    messages_per_connection: int = Field(default=100, ge=1, description="Then the connection is renewed.")


class Email(Channel[EmailConfig, EmailSettings, Mail]):
    """Sends by SMTP. An unknown outcome is sent again: the same Message-ID lets mailboxes drop the twin."""

    name = "email"
    address_kind = "email"
    policy = "at_least_once"
    confirmed_by = "accepted"
    text_files = ("email.mjml", "email.html", "email.txt")
    Config = EmailConfig
    Settings = EmailSettings

    def required(self) -> tuple[str, ...]:
        """A password only with a username."""
        return ("host", "password") if self.settings.username else ("host",)

    def compose(self, outgoing: Outgoing) -> Mail:
        """The MIME message; see `Skeleton.compose`."""
        return self._skeleton.compose(outgoing)

    def provider(self) -> Transport[Mail]:
        """The SMTP pool."""
        from channels.email.smtp import SmtpTransport

        return SmtpTransport(self.settings)

    @cached_property
    def _skeleton(self) -> Skeleton:
        return Skeleton(self.config.sender, self.settings.bounce_address)
