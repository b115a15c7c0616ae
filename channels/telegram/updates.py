"""What people do with the bot: they start it, ask it to stop, block it, let it in again.

Telegram POSTs each as an Update (https://core.telegram.org/bots/api#update) under a secret that we gave it.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from channels import lexicon

WANTED = ("message", "my_chat_member")
"""The kinds of updates to ask for: all others are none of ours."""

_START = re.compile(r"/start(?:@\w+)?(?:\s+([A-Za-z0-9_-]{1,64}))?\s*", re.ASCII)
# A command that is tapped in a message names its bot.
_TAPPED = re.compile(r"(/\w+)@\w+")
_LAST = datetime(2200, 1, 1, tzinfo=UTC)

Act = Literal["start", "stop", "help", "blocked", "unblocked"]


@dataclass(frozen=True, slots=True)
class Update:
    """What one person did in their own chat with the bot. `token` is what the link that they came by held."""

    act: Act
    chat: str = field(repr=False)
    at: datetime
    token: str | None = field(default=None, repr=False)
    language: str | None = None


def webhook_secret(bot_token: str) -> str:
    """What Telegram is to show us with each update; made from the token, so that it needs no setting."""
    return hmac.new(bot_token.encode(), b"tidings webhook", hashlib.sha256).hexdigest()


def is_genuine(bot_token: str, shown: str) -> bool:
    """Whether an update comes with our secret; compared in constant time."""
    return hmac.compare_digest(webhook_secret(bot_token).encode(), shown.encode())


def read(body: bytes) -> Update | None:
    """The act in an update; None for what does not concern us: groups, other bots, other words."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    try:
        return _member(content["my_chat_member"]) if "my_chat_member" in content else _message(content)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _message(content: dict[str, Any]) -> Update | None:
    message = content["message"]
    text = str(message.get("text", "")).strip()
    if started := _START.fullmatch(text):
        return _update("start", message, started[1])
    words = tapped[1] if (tapped := _TAPPED.fullmatch(text)) else text
    word = lexicon.meant(words).word
    # Not START: whoever writes it, or "yes", may answer something else here.
    return _update(word, message) if word in ("stop", "help") else None


def _member(change: dict[str, Any]) -> Update | None:
    match change["new_chat_member"]["status"]:
        case "kicked" | "left":
            return _update("blocked", change)
        case "member":
            return _update("unblocked", change)
    return None


def _update(act: Act, said: dict[str, Any], token: str | None = None) -> Update | None:
    """None for a chat of several people: what is said of a customer's bonuses is for them alone."""
    sender, chat = said["from"], said["chat"]
    if chat["type"] != "private" or sender.get("is_bot") or not isinstance(chat["id"], int):
        return None
    at = datetime.fromtimestamp(int(said["date"]), UTC)
    if not at < _LAST or chat["id"] <= 0:
        return None
    language = sender.get("language_code")
    return Update(act, str(chat["id"]), at, token, language if isinstance(language, str) else None)
