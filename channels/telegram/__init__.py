"""Telegram through a bot of the program's own: plain text, a picture, a button. No SDK, only HTTP."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from channels.base import Channel, optional_part, part
from channels.outgoing import Outgoing
from channels.settings import ChannelConfig, ChannelSettings, OneLineSecret
from channels.transport import Malformed, Transport
from core.units import Rate

LONGEST_TEXT, LONGEST_CAPTION = 4096, 1024
"""What Telegram takes of a text and below a picture, in UTF-16 units (core.telegram.org/bots/api)."""

_CHAT = re.compile(r"[1-9][0-9]{0,15}")
_BOT = re.compile(r"[A-Za-z]\w{4,31}", re.ASCII)


def _bot_name(given: str) -> str:
    name = given.removeprefix("@")
    if not _BOT.fullmatch(name):
        raise ValueError("a bot's name has 5 to 32 Latin letters, digits and '_': KavarniaBot")
    return name


class TelegramConfig(ChannelConfig):
    """`channels.telegram` in program.yaml."""

    rate: Rate | None = Field(
        default=Rate(25, 1),
        description="At most so many messages leave: `25 per second`; Telegram takes about 30 of a bot.",
    )
    bot: Annotated[str, AfterValidator(_bot_name)] | None = Field(
        default=None, description="The bot's name, without @; `links.telegram` in messages leads to it."
    )


class TelegramSettings(ChannelSettings):
    """TIDINGS_TELEGRAM_… in .env: the token that @BotFather gave."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_TELEGRAM_")

    transport: Literal["folder", "bot"] = "folder"
    token: OneLineSecret | None = Field(default=None, description="The bot's token, from @BotFather.")
    base_url: str = Field(
        default="https://api.telegram.org", description="Only for tests and a Bot API server of your own."
    )


@dataclass(frozen=True, slots=True)
class Note:
    """A composed message: a method of the Bot API and what it is given, without the chat."""

    key: str
    to: str = field(repr=False)
    method: str
    content: Mapping[str, Any] = field(repr=False)

    @property
    def request(self) -> dict[str, Any]:
        """Everything that Telegram is given."""
        return {"chat_id": int(self.to), **self.content}

    def files(self) -> Mapping[str, bytes]:
        """What would be asked of Telegram, as JSON."""
        shown = {"method": self.method, **self.request}
        return {".json": (json.dumps(shown, ensure_ascii=False, indent=2) + "\n").encode()}


class Telegram(Channel[TelegramConfig, TelegramSettings, Note]):
    """Sends by the Bot API, which knows no idempotency key: an unknown outcome is never sent again."""

    name = "telegram"
    address_kind = "telegram"
    policy = "at_most_once"
    confirmed_by = "accepted"
    text_files = ("telegram.txt",)
    front_matter = ("image", "link", "button")
    linked_parts = {"text": "short", "link": "address"}
    Config = TelegramConfig
    Settings = TelegramSettings

    def required(self) -> tuple[str, ...]:
        """The bot's token."""
        return ("token",)

    def compose(self, outgoing: Outgoing) -> Note:
        """The text with its picture and button. Raises Malformed for what Telegram would never take.

        Text is sent as it is, in no markup: a name like `<3` or `_anna_` breaks nothing.
        """
        if not _CHAT.fullmatch(outgoing.to):
            raise Malformed("chat_malformed")
        text, image = part(outgoing, "text").strip(), _url(outgoing, "image")
        if len(text.encode("utf-16-le")) // 2 > (LONGEST_CAPTION if image else LONGEST_TEXT):
            raise Malformed("text_too_long")
        button = _button(outgoing)
        if image:
            content = {"photo": image, "caption": text, **button}
            return Note(outgoing.key, outgoing.to, "sendPhoto", content)
        # A preview would have Telegram open the customer's own link.
        content = {"text": text, "link_preview_options": {"is_disabled": True}, **button}
        return Note(outgoing.key, outgoing.to, "sendMessage", content)

    @classmethod
    def front_fault(cls, key: str, value: str) -> tuple[str, str] | None:
        """Addresses that Telegram can open."""
        if key in ("link", "image") and value and not _is_address(value):
            return f"'{value}' is no address that Telegram opens", "write https://…"
        return None

    def provider(self) -> Transport[Note]:
        """The bot."""
        from channels.telegram.transport import BotTransport

        return BotTransport(self.settings)


def _button(outgoing: Outgoing) -> dict[str, Any]:
    """A button that opens `link`; it says `button`, or where it leads."""
    link = _url(outgoing, "link")
    if not link:
        return {}
    words = optional_part(outgoing, "button").strip() or str(urlsplit(link).hostname)
    return {"reply_markup": {"inline_keyboard": [[{"text": words, "url": link}]]}}


def _url(outgoing: Outgoing, name: str) -> str:
    url = optional_part(outgoing, name).strip()
    if url and not _is_address(url):
        raise Malformed(f"{name}_malformed")
    return url


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(parts.hostname) and not re.search(r"\s", url)
