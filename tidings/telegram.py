"""Connecting the bot: Telegram is told where to bring its updates, and asked whether it can."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from channels.settings import load_settings, missing
from channels.telegram import TelegramSettings
from channels.telegram.updates import WANTED, webhook_secret
from core.customers.chats import bot_of
from core.errors import EnvironmentFault, UserError
from core.program import Program
from tidings.workspace import Workspace

PATH = "/hooks/telegram"
# Telegram calls no other ports (core.telegram.org/bots/api#setwebhook).
PORTS = (443, 80, 88, 8443)
TOKEN = "TIDINGS_TELEGRAM_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Connected:
    """The bot's name, where its updates go, how many wait, and Telegram's last complaint about it."""

    bot: str
    url: str
    waiting: int
    complaint: str | None = None


def connect(here: Workspace, program: Program) -> Connected:
    """Register the webhook. UserError for what stands in program.yaml; EnvironmentFault for the rest."""
    settings = load_settings(TelegramSettings, here.env_file)
    if unset := settings.unset(["token"]):
        raise missing("telegram", "bot", unset, here.env_file)
    url = _reachable(here.links(program).public_url)
    return asyncio.run(_connect(settings, url, bot_of(program)))


def _reachable(public_url: str) -> str:
    parts = urlsplit(public_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if parts.scheme != "https" or port not in PORTS or parts.hostname in ("localhost", "127.0.0.1"):
        raise EnvironmentFault(
            f"Telegram cannot call {public_url}; it needs https on port 443, 80, 88 or 8443: set "
            "TIDINGS_PUBLIC_URL or public_url in program.yaml"
        )
    return public_url + PATH


async def _connect(settings: TelegramSettings, url: str, expected: str | None) -> Connected:
    token = settings.token.get_secret_value() if settings.token else ""
    bot = str((await _asked(settings, "getMe")).get("username"))
    if expected and expected.lower() != bot.lower():
        raise UserError(f"program.yaml: channels.telegram.bot: it is {expected}, but {TOKEN} is of {bot}")
    given = {"url": url, "secret_token": webhook_secret(token), "allowed_updates": list(WANTED)}
    await _asked(settings, "setWebhook", given)
    info = await _asked(settings, "getWebhookInfo")
    return Connected(
        bot, str(info.get("url")), int(info.get("pending_update_count") or 0), info.get("last_error_message")
    )


async def _asked(
    settings: TelegramSettings, method: str, given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The result of a call, {} for one that is no object. EnvironmentFault in place of any trouble."""
    import httpx

    from channels.telegram.bot import Bot

    try:
        async with Bot(settings) as bot:
            answer = await bot.call(method, **(given or {}))
        content = json.loads(answer.content)
    except (httpx.HTTPError, ValueError) as error:
        raise EnvironmentFault(
            f"Telegram does not answer {method} ({type(error).__name__}); try again later"
        ) from None
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND):
        raise EnvironmentFault(f"Telegram does not know the bot of {TOKEN}; ask @BotFather for its token")
    if not isinstance(content, dict) or content.get("ok") is not True:
        said = content.get("description") if isinstance(content, dict) else None
        raise EnvironmentFault(f"Telegram refuses {method}: {said or answer.status_code}")
    result = content.get("result")
    return result if isinstance(result, dict) else {}
