"""Google's API over HTTP: who we are, how fast we may ask, one request or many in one."""

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.errors import EnvironmentFault
from wallet.google import batch
from wallet.google.calls import NO_ANSWER, Answer, Call, Outcome, verdict

if TYPE_CHECKING:
    from google.oauth2.service_account import Credentials
    from httpx import AsyncClient, Response

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
TIMEOUT_SECONDS = 15.0
# A batch of more is slower than two of half its size.
PARTS_AT_MOST = 50
BATCHES_AT_ONCE = 4
# How long nobody asks if Google says that it was too fast, and not for how long.
PAUSE_SECONDS = 1.0
# Somebody between us and Google does not know batches: ask one by one.
_NO_BATCHES = {400, 404, 405, 413, 415}


class Pace:
    """Lets so many requests through in a second; those in between wait their turn."""

    def __init__(self, a_second: float) -> None:
        self.a_second = a_second
        self._next = 0.0
        self._held_until = 0.0

    async def turn(self, count: int = 1) -> None:
        """Wait for one's turn with `count` requests."""
        loop = asyncio.get_running_loop()
        at = max(self._next, loop.time())
        self._next = at + count / self.a_second
        if at > loop.time():
            await asyncio.sleep(at - loop.time())

    def hold(self, seconds: float) -> None:
        """Google asks for a pause: nobody asks until it is over."""
        self._held_until = max(self._held_until, asyncio.get_running_loop().time() + seconds)

    def held(self) -> float:
        """How many seconds of the pause are left."""
        return max(0.0, self._held_until - asyncio.get_running_loop().time())


class Api:
    """Carries requests to Google and brings the answers, in order. What they mean is for others to say."""

    def __init__(self, client: "AsyncClient", credentials: "Credentials", pace: Pace) -> None:
        self._client, self._credentials, self._pace = client, credentials, pace
        self._renewing = asyncio.Lock()
        self._batches = True

    async def send(self, calls: Sequence[Call]) -> list[Answer]:
        """The answers to the calls; no answer is one too, with the status 0."""
        size = max(1, min(PARTS_AT_MOST, int(self._pace.a_second)))
        gate = asyncio.Semaphore(BATCHES_AT_ONCE)

        async def some(start: int) -> list[Answer]:
            async with gate:
                return await self._some(calls[start : start + size])

        parts = await asyncio.gather(*(some(start) for start in range(0, len(calls), size)))
        return [answer for part in parts for answer in part]

    async def _some(self, calls: Sequence[Call]) -> list[Answer]:
        if len(calls) > 1 and self._batches:
            answers = await self._batch(calls)
            if answers is not None:
                return answers
            self._batches = False
        return [await self._one(call) for call in calls]

    async def _one(self, call: Call) -> Answer:
        if (resting := self._resting()) is not None:
            return resting
        answer = _answer(await self._ask(1, call.method, call.path, json=call.body))
        self._pause([call], [answer])
        return answer

    async def _batch(self, calls: Sequence[Call]) -> list[Answer] | None:
        """The answers to a batch; None if batches are not taken."""
        if (resting := self._resting()) is not None:
            return [resting] * len(calls)
        base = str(self._client.base_url)
        response = await self._ask(
            len(calls), "POST", batch.address(base),
            content=batch.compose(calls, base), headers={"content-type": batch.CONTENT_TYPE},
        )  # fmt: skip
        answer = _answer(response)
        if answer.status in _NO_BATCHES:
            return None
        if isinstance(response, Answer) or answer.status >= 300:
            answers = [answer] * len(calls)
        else:
            kind = response.headers.get("content-type", "")
            answers = batch.read(kind, response.content, len(calls), answer.date)
        self._pause(calls, answers)
        return answers

    async def _ask(self, count: int, method: str, path: str, **content: Any) -> "Response | Answer":
        """One HTTP request, `count` of the quota's. A token that Google no longer takes is renewed once."""
        from httpx import HTTPError

        headers = content.pop("headers", {})

        async def ask(*, anew: bool) -> "Response":
            authorization = await self._authorization(anew=anew)
            await self._pace.turn(count)
            return await self._client.request(method, path, headers=headers | authorization, **content)

        try:
            response = await ask(anew=False)
            if response.status_code == 401:
                response = await ask(anew=True)
        except HTTPError as error:
            return Answer(NO_ANSWER, type(error).__name__.encode())
        return response

    def _resting(self) -> Answer | None:
        """What Google would say during a pause that it asked for."""
        left = self._pace.held()
        return Answer(429, retry_after=str(math.ceil(left))) if left else None

    def _pause(self, calls: Sequence[Call], answers: Sequence[Answer]) -> None:
        """Too fast: nobody asks for as long as Google says. A holder told too often is no reason to wait."""
        for call, answer in zip(calls, answers, strict=True):
            written = verdict(call, answer)
            if answer.status in (403, 429) and written.outcome is Outcome.RETRY:
                self._pace.hold(written.after.total_seconds() if written.after else PAUSE_SECONDS)

    async def _authorization(self, *, anew: bool) -> dict[str, str]:
        from google.auth.exceptions import GoogleAuthError, TransportError
        from httpx import TransportError as Unreachable

        async with self._renewing:
            if anew or not self._credentials.valid:
                try:
                    await asyncio.to_thread(self._credentials.refresh, _carry)
                except TransportError as error:
                    raise Unreachable(str(error)) from error
                except GoogleAuthError as error:
                    if error.retryable:
                        raise Unreachable("no access token") from error
                    raise EnvironmentFault(
                        "Google does not accept the key in TIDINGS_GOOGLE_SERVICE_ACCOUNT; "
                        "make a new one in the Google Cloud console"
                    ) from error
        return {"authorization": f"Bearer {self._credentials.token}"}

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()


def _answer(response: "Response | Answer") -> Answer:
    if isinstance(response, Answer):
        return response
    wait, date = (response.headers.get(name, "") for name in ("retry-after", "date"))
    return Answer(response.status_code, response.content, wait, date)


class _Reply:
    """An answer as google-auth wants it."""

    def __init__(self, response: "Response") -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.data = response.content


def _carry(url: str, method: str = "GET", body: Any = None, headers: Any = None, **_: object) -> _Reply:
    """The transport of google-auth over httpx, for the one request that fetches an access token."""
    import httpx
    from google.auth.exceptions import TransportError

    try:
        return _Reply(httpx.request(method, url, content=body, headers=headers, timeout=TIMEOUT_SECONDS))
    except httpx.HTTPError as error:
        raise TransportError(type(error).__name__) from error  # type: ignore[no-untyped-call]
