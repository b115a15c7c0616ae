"""Apple's push service: a handful of connections that are kept, and a batch of pushes shared among them."""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from core.http_dates import retry_after
from wallet.apple.line import STREAMS_AT_MOST, Answer, Down, Header, Line, open_line
from wallet.apple.owing import Owed
from wallet.apple.provider_token import ProviderToken
from wallet.apple.push import PERHAPS_ITS_OWN, Outcome, Pushed, headers

# A push that was under way when its connection ended is sent once more, on another one.
TRIES = 2
_GONE = {"Unregistered", "ExpiredToken", "BadDeviceToken"}
_RETRY_STATUS = {429, 500, 502, 503, 504}
# An expired token is renewed at once; if Apple still finds it old, a later one will do. A connection that was
# silent for too long is opened anew.
_RETRY = {"ExpiredProviderToken", "IdleTimeout"}


class ApnsPusher:
    """Pushes over HTTP/2. One batch at a time; its connections stay open for the next one."""

    def __init__(
        self, url: str, trust: ssl.SSLContext, pass_type: str, token: ProviderToken | None, concurrency: int
    ) -> None:
        """`concurrency` is how many pushes may be under way at once, over all connections."""
        place = urlsplit(url)
        self._host, self._port, self._trust = place.hostname or "", place.port or 443, trust
        self._pass_type, self._token = pass_type, token
        self._lines_at_most = -(-concurrency // STREAMS_AT_MOST)
        self._lines: list[Line] = []
        self._sending = asyncio.Lock()

    async def push(self, devices: Sequence[Owed]) -> list[Pushed]:
        """One push to each, outcomes in the same order.

        A mistake of ours ends the batch: the rest, who would only hear of it as well, is `UNREACHABLE`.
        """
        batch = _Batch(devices, self._pass_type, self._token)
        async with self._sending:
            fruitless = 0
            while batch.waiting and fruitless < TRIES:
                before = batch.known
                try:
                    await self._carry(batch)
                except Down as down:
                    batch.end(Outcome.CONFIGURATION if down.ours else Outcome.UNREACHABLE, down.reason)
                fruitless += batch.known == before
        batch.end(Outcome.UNREACHABLE, "connection lost")
        return batch.results()

    async def _carry(self, batch: "_Batch") -> None:
        """Send what waits, as far as the connections last. Down if nobody takes it."""
        lines = await self._ready(len(batch.waiting))
        await asyncio.gather(*(line.carry(batch) for line in lines))
        if refused := next((line.refused for line in lines if line.refused), None):
            raise Down(refused, ours=True)

    async def _ready(self, waiting: int) -> list[Line]:
        """Connections enough for so many pushes; those that have ended are left behind."""
        found = await asyncio.gather(*(line.alive() for line in self._lines))
        self._lines = [line for line, alive in zip(self._lines, found, strict=True) if alive]
        wanted = min(self._lines_at_most, -(-waiting // STREAMS_AT_MOST))
        missing = wanted - len(self._lines)
        if missing > 0:
            opening = (open_line(self._host, self._port, self._trust) for _ in range(missing))
            opened = await asyncio.gather(*opening, return_exceptions=True)
            self._lines += [line for line in opened if isinstance(line, Line)]
            if not self._lines:
                raise next(error for error in opened if isinstance(error, BaseException))
        return self._lines[:wanted]

    async def close(self) -> None:
        """Close the connections."""
        for line in self._lines:
            line.close()
        self._lines = []


class _Batch:
    """The pushes of one call: those that wait, and what became of the others."""

    def __init__(self, devices: Sequence[Owed], pass_type: str, token: ProviderToken | None) -> None:
        self._devices, self._token = devices, token
        self._own = [(name.encode(), value.encode()) for name, value in headers(pass_type).items()]
        self._results: list[Pushed | None] = [None] * len(devices)
        self._tries = bytearray(len(devices))
        self._said: tuple[str, Sequence[Header]] | None = None
        self.waiting: deque[int] = deque()
        for number, owed in enumerate(devices):
            if owed.push_token.isascii() and owed.push_token.isalnum():
                self.waiting.append(number)
            else:  # Apple would not even find it, and a path of any signs would end the connection
                self._results[number] = Pushed(owed, Outcome.GONE, "BadDeviceToken")

    @property
    def known(self) -> int:
        """Of how many it is known what became of them."""
        return len(self._results) - self._results.count(None)

    def take(self) -> tuple[int, bytes] | None:
        if not self.waiting:
            return None
        number = self.waiting.popleft()
        self._tries[number] += 1
        return number, b"/3/device/" + self._devices[number].push_token.encode()

    def headers(self) -> Sequence[Header]:
        """The same object as long as nothing in it changes."""
        token = self._token.value() if self._token is not None else ""
        if self._said is None or self._said[0] != token:
            signed = [(b"authorization", f"bearer {token}".encode())] if token else []
            self._said = token, [*self._own, *signed]
        return self._said[1]

    def answered(self, number: int, answer: Answer) -> None:
        result = verdict(self._devices[number], answer.status, answer.body, answer.headers)
        if result.reason == "ExpiredProviderToken" and self._token is not None:
            # Many hear of it together; the first one has another token made.
            if self._said is not None and answer.asked_with is self._said[1]:
                self._token.expire()
            if self._tries[number] < TRIES:
                self.waiting.append(number)
                return
        self._results[number] = result
        if result.outcome is Outcome.CONFIGURATION and result.reason != PERHAPS_ITS_OWN:
            self.end(Outcome.UNREACHABLE, result.reason)

    def unanswered(self, number: int, reason: str) -> None:
        if self._tries[number] < TRIES:
            self.waiting.appendleft(number)
        else:
            self._results[number] = Pushed(self._devices[number], Outcome.RETRY, reason)

    def unheard(self, number: int) -> None:
        self._tries[number] -= 1
        self.waiting.appendleft(number)

    def end(self, outcome: Outcome, reason: str) -> None:
        """What still waits is not sent."""
        for number in self.waiting:
            self._results[number] = Pushed(self._devices[number], outcome, reason)
        self.waiting.clear()

    def results(self) -> list[Pushed]:
        return [result for result in self._results if result is not None]


def verdict(owed: Owed, status: int, body: bytes, headers: Mapping[bytes, bytes] | None = None) -> Pushed:
    """What an answer of APNs means for the device; `headers` are in small letters."""
    if status == 200:
        return Pushed(owed, Outcome.ACCEPTED)
    reason, since = _explained(body)
    reason = reason or f"HTTP {status}"
    if status == 410 or reason in _GONE:
        return Pushed(owed, Outcome.GONE, reason, since)
    if status in _RETRY_STATUS or reason in _RETRY:
        return Pushed(owed, Outcome.RETRY, reason, after=_wait(headers or {}))
    return Pushed(owed, Outcome.CONFIGURATION, reason)


def _explained(body: bytes) -> tuple[str, datetime | None]:
    """Reason and timestamp of an answer's body, which may be missing."""
    try:
        content = json.loads(body) if body else {}
        stamp = content.get("timestamp")
        since = datetime.fromtimestamp(stamp / 1000, UTC) if stamp is not None else None
        return str(content.get("reason", "")), since
    except (ValueError, TypeError, AttributeError, OverflowError):
        return "", None


def _wait(headers: Mapping[bytes, bytes]) -> timedelta | None:
    """How long Apple asks us to wait, if it says so."""
    value, date = (headers.get(name, b"").decode("latin-1") for name in (b"retry-after", b"date"))
    seconds = retry_after(value, date)
    return None if seconds is None else timedelta(seconds=seconds)
