"""Messages on the wallet card: what Apple Wallet says on the lock screen, and Google Wallet in a message.

The channel talks to neither of them. It puts the message on the card, and the beat of the cards brings it to
the phones: Apple's are woken and fetch the pass, Google is told.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from channels.base import Channel, optional_part, part
from channels.outgoing import Outgoing
from channels.settings import ChannelConfig, ChannelSettings
from channels.transport import Malformed, Transport
from core.units import Duration, Span
from wallet.news import News
from wallet.tables import NEWS_LENGTH, NEWS_LINK_LENGTH

LONGEST_TEXT = NEWS_LENGTH
"""Characters that a card keeps."""
LOCK_SCREEN = 150
"""Characters that a lock screen shows at least of a text: four lines on a phone, of about forty letters."""
LONGEST_TITLE = 60
"""Characters of a field's label and of a message's header, which stand in one line."""

_SERIAL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UTC = ZoneInfo("UTC")


class WalletConfig(ChannelConfig):
    """`channels.wallet` in program.yaml."""

    keep: Span = Field(
        default=Duration(days=30),
        description="How long a message stands on the card: `30 days`; a message may say it in its front "
        "matter.",
    )


class WalletSettings(ChannelSettings):
    """TIDINGS_WALLET_… in .env."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_WALLET_")

    transport: Literal["folder", "card"] = "folder"


@dataclass(frozen=True, slots=True)
class Notice:
    """A composed message: `name` is the same at every attempt, `to` the serial of the pass."""

    key: str
    name: str
    to: str = field(repr=False)
    title: str | None = field(repr=False)
    text: str = field(repr=False)
    link: str | None = field(repr=False)
    priority: int
    at: datetime
    until: datetime

    @property
    def news(self) -> News:
        """As the card keeps it."""
        return News(
            self.to, self.text, self.at, self.name, self.priority, self.title, self.link, self.until
        )  # fmt: skip

    def files(self) -> Mapping[str, bytes]:
        """What the customer reads on the card."""
        lines = [self.title, self.text, self.link, f"(on the card until {self.until:%Y-%m-%d %H:%M} UTC)"]
        return {".txt": "".join(f"{line}\n" for line in lines if line).encode()}


class Wallet(Channel[WalletConfig, WalletSettings, Notice]):
    """Puts messages on the card. The card knows a message that it has already, by its name."""

    name = "wallet"
    address_kind = "card"
    policy = "at_least_once"
    confirmed_by = "delivered"
    text_files = ("wallet.txt",)
    front_matter = ("title", "link", "keep")
    linked_parts = {"link": "address", "text": "short"}
    Config = WalletConfig
    Settings = WalletSettings

    def cost(self, outgoing: Outgoing) -> Decimal | None:
        """Neither Apple nor Google asks for anything."""
        return Decimal(0)

    def compose(self, outgoing: Outgoing) -> Notice:
        """The message as it will stand there. Raises Malformed if there is no text, or more than fits."""
        if not _SERIAL.fullmatch(outgoing.to):
            raise Malformed("card_malformed")
        values = {name: _in_one_line(optional_part(outgoing, name)) for name in self.front_matter}
        for name, value in values.items():
            if value and self.front_fault(name, value):
                raise Malformed(f"{name}_malformed")
        text = part(outgoing, "text").strip()
        if len(text) > LONGEST_TEXT:
            raise Malformed("text_too_long")
        return Notice(
            outgoing.key, name_of(outgoing.key), outgoing.to, values["title"] or None, text,
            values["link"] or None, outgoing.priority, outgoing.at, self._until(outgoing, values["keep"]),
        )  # fmt: skip

    @classmethod
    def front_fault(cls, key: str, value: str) -> tuple[str, str] | None:
        """A title of one line, an address that a phone opens, a length of time."""
        if key == "title" and len(value) > LONGEST_TITLE:
            return f"is longer than {LONGEST_TITLE} characters", "write a few words; the text has room"
        if key == "link" and value and not _opens(value):
            return f"'{value}' is no address that a phone opens", "write https://…"
        if key == "keep" and value and not _is_time(value):
            return f"'{value}' is no length of time", "write for example '14 days'"
        return None

    def provider(self) -> Transport[Notice]:
        """The cards."""
        from channels.wallet.cards import CardTransport

        if self.board is None:
            raise RuntimeError("the wallet channel was made without a board, and cannot send")
        return CardTransport(self.board)

    def _until(self, outgoing: Outgoing, said: str) -> datetime:
        """As its file says; else as the program says, and no longer than the message is of any use."""
        if said:
            return Duration.parse(said).after(outgoing.at, _UTC)
        usual = self.config.keep.after(outgoing.at, _UTC)
        return min(usual, outgoing.valid_until) if outgoing.valid_until else usual


def name_of(key: str) -> str:
    """The name of a message on its card and in the outbox."""
    return f"card-{sha256(key.encode()).hexdigest()[:24]}"


def _in_one_line(text: str) -> str:
    """As a label and a header stand, whatever the file or a template makes of them."""
    return " ".join(text.split("\n")).strip()


def _opens(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    # Our own links begin with http:// until the service has an address of its own.
    return parts.scheme in ("https", "http") and bool(parts.hostname) and len(value) <= NEWS_LINK_LENGTH


def _is_time(value: str) -> bool:
    try:
        return bool(Duration.parse(value))
    except ValueError:
        return False
