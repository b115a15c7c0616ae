"""Email over SMTP: text and page, one-click unsubscribe, DKIM, a Message-ID that never changes."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from channels.base import Channel
from channels.email.addresses import MailboxText
from channels.email.mime import Mail, Skeleton
from channels.email.tokens import TokenCommand
from channels.email.verp import ReturnPath
from channels.outgoing import Outgoing
from channels.settings import ChannelConfig, ChannelSettings, ServerName, missing
from channels.transport import Malformed, Transport

if TYPE_CHECKING:
    from channels.email.dkim import Signer


class EmailConfig(ChannelConfig):
    """`channels.email` in program.yaml."""

    sender: MailboxText = Field(
        alias="from", description="Who it is from: `Kavarnia <hello@kavarnia.example>`."
    )
    images: Literal["inline", "as written"] = Field(
        default="as written",
        description="`inline` sends the pictures that stand beside a message's file within the message.",
    )


class EmailSettings(ChannelSettings):
    """TIDINGS_EMAIL_… in .env: the SMTP server that takes the mail over."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_EMAIL_")

    transport: Literal["folder", "smtp"] = "folder"
    host: ServerName | None = Field(default=None, description="The SMTP server's name.")
    port: int = Field(
        default=587, ge=1, le=65535, description="587 for starttls, 465 for tls, 25 for a relay."
    )
    username: str | None = Field(default=None, description="Leave out to send without logging in.")
    password: SecretStr | None = Field(
        default=None, description="Needed once there is a username, unless there is a token_command."
    )
    token_command: TokenCommand | None = Field(
        default=None,
        description="A command that prints an access token, with which the username logs in by XOAUTH2 "
        "instead of by a password; run without a shell.",
    )
    tls: Literal["none", "starttls", "tls"] = Field(
        default="starttls", description="How the line is encrypted."
    )
    helo: ServerName | None = Field(
        default=None, description="How this host names itself; its own name if left out."
    )
    bounce_address: str | None = Field(
        default=None,
        description="Where bounces go: `bounces@mail.shop.example`, to which each message adds `+` and a "
        "token of its own; the From address, without a token, if left out.",
    )
    dkim_key_file: str | None = Field(
        default=None,
        description="A private key for DKIM (PEM, RSA or Ed25519), or two comma-separated; relative to .env.",
    )
    dkim_key: SecretStr | None = Field(
        default=None, description="The private key itself, instead of a file; `\\n` stands for a line end."
    )
    dkim_selector: str | None = Field(
        default=None, description="The name under which the key is published; one for each key."
    )
    dkim_domain: str | None = Field(
        default=None, description="The domain that signs; that of the From address if left out."
    )
    inbox_host: ServerName | None = Field(
        default=None,
        description="The IMAP server where bounces and complaints arrive; none is read if empty.",
    )
    inbox_port: int = Field(default=993, ge=1, le=65535, description="993 for tls, 143 for starttls.")
    inbox_username: str | None = Field(default=None, description="Needed once there is an inbox_host.")
    inbox_password: SecretStr | None = Field(
        default=None,
        description="Needed once there is an inbox_host, unless there is an inbox_token_command.",
    )
    inbox_token_command: TokenCommand | None = Field(
        default=None, description="As token_command, for the login to the IMAP server."
    )
    inbox_tls: Literal["none", "starttls", "tls"] = Field(
        default="tls", description="How the line to the IMAP server is encrypted."
    )
    inbox_folder: str = Field(default="INBOX", description="The mailbox that is read.")
    inbox_done: str | None = Field(
        default=None,
        description="Where reports go once they are dealt with; if empty they stay, marked as read.",
    )
    messages_per_connection: int = Field(default=100, ge=1, description="Then the connection is renewed.")


# Nobody's (RFC 2606): a program without email is served like any other, and nothing leaves from here.
NOBODY = "nobody@email.invalid"


class Email(Channel[EmailConfig, EmailSettings, Mail]):
    """Sends by SMTP. An unknown outcome is sent again: the same Message-ID lets mailboxes drop the twin."""

    name = "email"
    address_kind = "email"
    policy = "at_least_once"
    confirmed_by = "accepted"
    text_files = ("email.mjml", "email.html", "email.txt")
    front_matter = ("subject", "preheader")
    required_front = "subject"
    linked_parts = {"html": "html", "text": "text"}
    stand_in = {"from": NOBODY}
    Config = EmailConfig
    Settings = EmailSettings
    _made: Skeleton | None = None

    def required(self) -> tuple[str, ...]:
        """A password or a token only with a username."""
        if self.settings.token_command:
            return ("host", "username")
        return ("host", "password") if self.settings.username else ("host",)

    def check(self) -> None:
        """What the real transport needs, and whatever is set for signing and for bounces."""
        from channels.email.signing import signer_of

        super().check()
        self._made = self._skeleton(signer_of(self.settings, self.config.sender.domain, self._env_file))
        login = (
            ("inbox_username",) if self.settings.inbox_token_command else ("inbox_username", "inbox_password")
        )
        wanted = login if self.settings.inbox_host else ()
        if unset := self.settings.unset(wanted):
            raise missing(self.name, "IMAP", unset, self._env_file)

    def compose(self, outgoing: Outgoing) -> Mail:
        """The MIME message; see `Skeleton.compose`. Signed once the channel has been checked or opened."""
        if self.config.sender.address == NOBODY:
            raise Malformed("no_sender")
        if self._made is None:
            self._made = self._skeleton(None)
        return self._made.compose(outgoing)

    def provider(self) -> Transport[Mail]:
        """The SMTP pool."""
        from channels.email.smtp import SmtpTransport

        return SmtpTransport(self.settings)

    def _skeleton(self, signer: "Signer | None") -> Skeleton:
        """Raises EnvironmentFault if no token can stand in the bounce address."""
        address = self.settings.bounce_address
        variable = self.settings.variable("bounce_address")
        path = ReturnPath.parse(address, variable) if address else None
        return Skeleton(self.config.sender, path, signer, inline=self.config.images == "inline")
