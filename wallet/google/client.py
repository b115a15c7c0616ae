"""Writing classes and objects: insert or patch, whichever Google has not yet seen.

Source: walletobjects v1. Outcomes are values; only a missing or wrong credential is a fault.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import EnvironmentFault
from wallet.google.account import Account
from wallet.google.settings import GoogleSettings

if TYPE_CHECKING:
    from google.oauth2.service_account import Credentials
    from httpx import AsyncClient, Response

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
TIMEOUT_SECONDS = 15.0
_RETRY_STATUS = {408, 429, 500, 502, 503, 504}

Body = Mapping[str, Any]


class Outcome(Enum):
    """What became of a request, and so what is to be done."""

    WRITTEN = "written"
    RETRY = "retry"  # busy or unreachable: later
    QUOTA = "quota"  # too many notifications for this pass today: write it without
    REFUSED = "refused"  # the content is wrong: set aside and report
    CONFIGURATION = "configuration"  # our account has no right: tell the engineer


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome for one class or object."""

    outcome: Outcome
    reason: str = ""


class Wallet(Protocol):
    """Keeps classes and objects, wherever."""

    async def save_class(self, body: Body) -> Written:
        """Make the class or bring it up to date."""
        ...

    async def save_object(self, body: Body, *, exists: bool) -> Written:
        """Make the object, or bring the one that `exists` up to date."""
        ...

    async def add_message(self, object_id: str, message: Body) -> Written:
        """Put a message on the card."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class FolderWallet:
    """Writes each body as a file: the demo needs no account."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def save_class(self, body: Body) -> Written:
        """`loyaltyClass/<id>.json`."""
        return self._write("loyaltyClass", str(body["id"]), body)

    async def save_object(self, body: Body, *, exists: bool) -> Written:
        """`loyaltyObject/<id>.json`."""
        return self._write("loyaltyObject", str(body["id"]), body)

    async def add_message(self, object_id: str, message: Body) -> Written:
        """`message/<id>.json`."""
        return self._write("message", object_id, message)

    def _write(self, kind: str, name: str, body: Body) -> Written:
        folder = self._folder / kind
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(body, indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        return Written(Outcome.WRITTEN)

    async def close(self) -> None:
        """Nothing is held."""


class Pace:
    """Lets one request through every so often; those in between wait their turn."""

    def __init__(self, a_second: float) -> None:
        self._gap = 1 / a_second
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        loop = asyncio.get_running_loop()
        at = max(self._next, loop.time())
        self._next = at + self._gap
        if at > loop.time():
            await asyncio.sleep(at - loop.time())


class ApiWallet:
    """Google's API."""

    def __init__(self, client: "AsyncClient", credentials: "Credentials", pace: Pace) -> None:
        self._client = client
        self._credentials = credentials
        self._pace = pace
        self._renewing = asyncio.Lock()

    async def save_class(self, body: Body) -> Written:
        """Classes exist more often than not: patch, insert on 404."""
        return await self._save("loyaltyClass", body, exists=True)

    async def save_object(self, body: Body, *, exists: bool) -> Written:
        """Patch what exists, insert what does not; Google's word (404, 409) goes over ours."""
        return await self._save("loyaltyObject", body, exists=exists)

    async def add_message(self, object_id: str, message: Body) -> Written:
        """One message; over the day's quota of notifications it is put there silently."""
        path = f"loyaltyObject/{object_id}/addMessage"
        result = await self._request("POST", path, {"message": {**message}})
        if result.outcome is Outcome.QUOTA:
            return await self._request("POST", path, {"message": {**message, "messageType": "TEXT"}})
        return result

    async def _save(self, kind: str, body: Body, *, exists: bool) -> Written:
        result = await self._put(kind, body, exists=exists)
        if result.reason in ("404", "409") and result.outcome is Outcome.REFUSED:
            result = await self._put(kind, body, exists=result.reason == "409")
        if result.outcome is Outcome.QUOTA:
            silent = {name: value for name, value in body.items() if name != "notifyPreference"}
            again = await self._put(kind, silent, exists=True)
            return Written(Outcome.QUOTA, result.reason) if again.outcome is Outcome.WRITTEN else again
        return result

    async def _put(self, kind: str, body: Body, *, exists: bool) -> Written:
        if exists:
            return await self._request("PATCH", f"{kind}/{body['id']}", body)
        new = {name: value for name, value in body.items() if name != "notifyPreference"}
        return await self._request("POST", kind, new)

    async def _request(self, method: str, path: str, body: Body) -> Written:
        from httpx import HTTPError

        try:
            headers = await self._authorization()
            await self._pace.turn()
            response = await self._client.request(method, path, json=body, headers=headers)
        except HTTPError as error:
            return Written(Outcome.RETRY, type(error).__name__)
        return verdict(response)

    async def _authorization(self) -> dict[str, str]:
        from google.auth.exceptions import GoogleAuthError, TransportError
        from httpx import TransportError as Unreachable

        async with self._renewing:
            if not self._credentials.valid:
                try:
                    await asyncio.to_thread(self._credentials.refresh, _carry)
                except TransportError as error:
                    raise Unreachable(str(error)) from error
                except GoogleAuthError as error:
                    raise EnvironmentFault(
                        "Google does not accept the key in TIDINGS_GOOGLE_SERVICE_ACCOUNT; "
                        "make a new one in the Google Cloud console"
                    ) from error
        return {"authorization": f"Bearer {self._credentials.token}"}

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()


def verdict(response: "Response") -> Written:
    """What an answer means. The reason is a word of Google's, never the content that was sent."""
    status = response.status_code
    if status < 300:
        return Written(Outcome.WRITTEN)
    reason = _reason(response)
    if "QuotaExceeded" in response.text and status in (400, 403, 429):
        return Written(Outcome.QUOTA, reason)
    if status in (401, 403):
        return Written(Outcome.CONFIGURATION, reason)
    if status in _RETRY_STATUS:
        return Written(Outcome.RETRY, reason)
    return Written(Outcome.REFUSED, str(status) if status in (404, 409) else reason)


def _reason(response: "Response") -> str:
    try:
        error = response.json()["error"]
        return str(error.get("status") or error["errors"][0]["reason"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return f"HTTP {response.status_code}"


class _Answer:
    """An answer as google-auth wants it."""

    def __init__(self, response: "Response") -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.data = response.content


def _carry(url: str, method: str = "GET", body: Any = None, headers: Any = None, **_: object) -> _Answer:
    """The transport of google-auth over httpx, for the one request that fetches an access token."""
    import httpx
    from google.auth.exceptions import TransportError

    try:
        return _Answer(httpx.request(method, url, content=body, headers=headers, timeout=TIMEOUT_SECONDS))
    except httpx.HTTPError as error:
        raise TransportError(type(error).__name__) from error  # type: ignore[no-untyped-call]


def wallet_for(settings: GoogleSettings, account: Account, folder: Path) -> Wallet:
    """The wallet that the settings ask for; `folder` takes what is only written down."""
    if settings.transport == "folder":
        return FolderWallet(folder)
    from google.oauth2.service_account import Credentials
    from httpx import AsyncClient

    credentials = Credentials.from_service_account_info(account.info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    client = AsyncClient(base_url=settings.base_url, timeout=TIMEOUT_SECONDS)
    return ApiWallet(client, credentials, Pace(settings.requests_a_second))
