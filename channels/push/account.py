"""The service account: read, checked, and its access token renewed beside the event loop."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
from google.auth.credentials import TokenState
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request

from channels.outcome import Failed
from channels.transport import ChannelDown
from core.errors import EnvironmentFault

if TYPE_CHECKING:
    from channels.push import PushSettings


_ADVICE = "download its JSON from the Firebase console (Project settings, Service accounts)"


def service_account(settings: "PushSettings") -> dict[str, Any]:
    """The service account's JSON. Raises EnvironmentFault if it cannot be read, without showing any of it."""
    variable = settings.variable(
        "service_account_file" if settings.service_account_file else "service_account"
    )
    try:
        account = json.loads(_text(settings))
    except (OSError, ValueError):
        raise EnvironmentFault(f"{variable} is not a readable service account; {_ADVICE}") from None
    if not isinstance(account, dict) or account.get("type") != "service_account":
        raise EnvironmentFault(f"{variable} is not a service account; {_ADVICE}")
    return account


def _text(settings: "PushSettings") -> str:
    if settings.service_account_file:
        return settings.service_account_file.read_text(encoding="utf-8")
    return settings.service_account.get_secret_value() if settings.service_account else ""


class AccessToken:
    """Keeps a credential fresh and signs requests with it.

    The vendor's own way renews it with blocking calls inside the event loop, and repeats every request that
    was answered 401 twice.
    """

    def __init__(self, credential: Any) -> None:
        self._credential = credential
        self._renewing = asyncio.Lock()

    def authorize(self, request: httpx.Request) -> httpx.Request:
        """The request with its Authorization header."""
        self._credential.apply(request.headers)
        return request

    def forget(self) -> None:
        """The provider no longer takes this token: the next message gets a new one."""
        self._credential.token = None

    async def ensure(self) -> None:
        """Renew if it is about to expire. Raises ChannelDown: nothing can be sent without it."""
        async with self._renewing:
            if self._credential.token_state is TokenState.FRESH:
                return
            try:
                await asyncio.to_thread(self._credential.refresh, Request())
            except TransportError:
                raise ChannelDown(Failed("temporary", "cannot_connect")) from None
            except GoogleAuthError:
                raise ChannelDown(Failed("configuration", "authentication_failed")) from None
