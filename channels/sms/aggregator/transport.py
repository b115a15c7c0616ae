"""One request a message to an aggregator, never repeated and never led elsewhere by a redirect."""

import base64
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx

from channels.http_faults import HOOKS, NO_ANSWER, broken, of_one, patience, refusal, retry_after
from channels.outcome import Accepted, Failed, Outcome, Unknown
from channels.sms.aggregator import meaning, places
from channels.sms.aggregator.config import AnswerConfig, HttpConfig
from channels.sms.aggregator.meaning import Meaning
from channels.transport import Transport

if TYPE_CHECKING:
    from channels.sms import SmsSettings, Text

_IDLE_SECONDS = 15.0
_SEE_OTHER = (302, 303)
_OWN: Mapping[int, Failed] = {403: Failed("configuration", "authentication_failed")}
# A provider's own names may be bare numbers, as those of other channels are.
PREFIX = "sms/"


class AggregatorTransport(Transport["Text"]):
    """Asks as `channels.sms.http` describes."""

    def __init__(self, config: HttpConfig, settings: "SmsSettings") -> None:
        self._config = config
        self._settings = settings
        self._secrets = secrets_of(settings)
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Make the client. Nothing is sent yet."""
        limits = httpx.Limits(max_connections=self._settings.concurrency, keepalive_expiry=_IDLE_SECONDS)
        timeout = self._settings.timeout
        self._client = httpx.AsyncClient(timeout=timeout, limits=limits, event_hooks=HOOKS)

    async def close(self) -> None:
        """Close the connections."""
        if self._client:
            await self._client.aclose()

    async def transmit(self, wire: "Text") -> Outcome:
        """One request. A failure to connect is certain; what breaks afterwards is not."""
        if self._client is None:
            raise RuntimeError("the aggregator's client is not open")
        config = self._config
        try:
            async with patience(self._settings.timeout):
                answer = await self._client.request(
                    config.method, config.url, headers=self._headers(wire), follow_redirects=False,
                    **self._body(wire),
                )  # fmt: skip
        except NO_ANSWER as error:
            return broken(error)
        return of_one(outcome_of(config.answer, answer))

    def _headers(self, wire: "Text") -> dict[str, str]:
        values = {**self._secrets, "key": shown_key(wire.key)}
        headers: dict[str, str] = places.filled(self._config.headers, values)
        return headers

    def _body(self, wire: "Text") -> dict[str, Any]:
        facts = {
            "to": wire.to, "number": wire.to.removeprefix("+"), "text": wire.body, "key": shown_key(wire.key),
            "sender": wire.sender or "", "callback": self._settings.status_callback or "",
        }  # fmt: skip
        body = places.filled(self._config.body, {**self._secrets, **facts})
        return {"data" if self._config.form is not None else "json": body}


def shown_key(key: str) -> str:
    """The message's key as the aggregator sees it: always the same, without the customer's number in it."""
    return sha256(key.encode()).hexdigest()[:32]


def secrets_of(settings: "SmsSettings") -> dict[str, str]:
    """What stands in .env for {token}, {login}, {password}; {basic} is what RFC 7617 makes of the two."""
    given = {"token": settings.http_token, "login": settings.http_login, "password": settings.http_password}
    secrets = {name: it.get_secret_value() if it else "" for name, it in given.items()}
    pair = f"{secrets['login']}:{secrets['password']}".encode()
    return secrets | {"basic": base64.b64encode(pair).decode()}


def outcome_of(config: AnswerConfig, answer: httpx.Response) -> Outcome:
    """What an answer says: by its code, else by its HTTP status."""
    status, document = answer.status_code, _read(answer)
    code = next((it for path in config.code if (it := meaning.at(path, document)) is not None), None)
    told = config.means.get(code) if code is not None else None
    told = told or config.status.get(str(status))
    detail = f"HTTP {status}" + (f", code {code}" if code and re.fullmatch(r"[\w.-]{1,40}", code) else "")
    if told is None and 200 <= status < 300:
        # Where no code is told, the message's name is its receipt.
        told = Meaning("accepted", None) if code is None else config.otherwise
    wait = retry_after(answer.headers)
    if told is None:
        return _by_status(status, detail, wait)
    if told.kind == "accepted":
        name = meaning.at(config.id, document)
        return Accepted(f"{PREFIX}{name}") if name else Unknown("unreadable_answer", detail)
    return told.outcome(detail, wait)


def _by_status(status: int, detail: str, wait: float | None) -> Outcome:
    """What the status says alone. A page for people leads on by 302 or 303 after a form that it took."""
    if status in _SEE_OTHER:
        return Unknown("redirected", detail)
    return refusal(status, detail, wait, _OWN)


def _read(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        return None
