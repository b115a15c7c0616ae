"""One request a message to an aggregator, never repeated and never led elsewhere by a redirect."""

import base64
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from channels.http_faults import broken, patience, retry_after
from channels.outcome import Accepted, Failed, Outcome, Unknown
from channels.sms.aggregator import meaning, places
from channels.sms.aggregator.config import AnswerConfig, HttpConfig
from channels.sms.aggregator.meaning import Meaning
from channels.transport import ChannelDown, Transport

if TYPE_CHECKING:
    from channels.sms import SmsSettings, Text

_IDLE_SECONDS = 15.0
_MOVED = (301, 307, 308)
_OURS: Mapping[int, Meaning] = {
    401: Meaning("configuration", "authentication_failed"),
    403: Meaning("configuration", "authentication_failed"),
    404: Meaning("configuration", "provider_refused"),
    405: Meaning("configuration", "provider_refused"),
    429: Meaning("temporary", "rate_limited"),
    503: Meaning("temporary", "provider_busy"),
}
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
        self._client = httpx.AsyncClient(timeout=self._settings.timeout, limits=limits)

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
        except httpx.HTTPError as error:
            return broken(error)
        outcome = outcome_of(config.answer, answer)
        if isinstance(outcome, Failed) and outcome.reason == "authentication_failed":
            # A wrong password is wrong for every message.
            raise ChannelDown(outcome)
        return outcome

    def _headers(self, wire: "Text") -> dict[str, str]:
        key = quote(wire.key, safe="._~-")
        headers: dict[str, str] = places.filled(self._config.headers, {**self._secrets, "key": key})
        return headers

    def _body(self, wire: "Text") -> dict[str, Any]:
        facts = {
            "to": wire.to, "number": wire.to.removeprefix("+"), "text": wire.body, "key": wire.key,
            "sender": wire.sender or "", "callback": self._settings.status_callback or "",
        }  # fmt: skip
        body = places.filled(self._config.body, {**self._secrets, **facts})
        return {"data" if self._config.form is not None else "json": body}


def secrets_of(settings: "SmsSettings") -> dict[str, str]:
    """What stands in .env for {token}, {login}, {password}; {basic} is what RFC 7617 makes of the two."""
    given = {"token": settings.http_token, "login": settings.http_login, "password": settings.http_password}
    secrets = {name: it.get_secret_value() if it else "" for name, it in given.items()}
    pair = f"{secrets['login']}:{secrets['password']}".encode()
    return secrets | {"basic": base64.b64encode(pair).decode()}


def outcome_of(config: AnswerConfig, answer: httpx.Response) -> Outcome:
    """What an answer says: by its code, else by its HTTP status.

    A redirect that need not be one of a request that was heard is ours to mend: the address has moved.
    """
    status, document = answer.status_code, _read(answer)
    code = next((it for path in config.code if (it := meaning.at(path, document)) is not None), None)
    told = config.means.get(code) if code is not None else None
    told = told or config.status.get(str(status))
    detail = f"HTTP {status}" + (f", code {code}" if code and re.fullmatch(r"[\w.-]{1,40}", code) else "")
    if told is None:
        told = _by_status(config, status, code)
    if told.kind == "accepted":
        name = meaning.at(config.id, document)
        return Accepted(f"{PREFIX}{name}") if name else Unknown("unreadable_answer", detail)
    return told.outcome(detail, retry_after(answer.headers))


def _by_status(config: AnswerConfig, status: int, code: str | None) -> Meaning:
    if 200 <= status < 300:
        # Where no code is told, the message's name is its receipt.
        return Meaning("accepted", None) if code is None else config.otherwise
    if status in _MOVED:
        return Meaning("configuration", "redirected")
    if status in _OURS:
        return _OURS[status]
    if 400 <= status < 500:
        return Meaning("permanent", "refused")
    return Meaning("unknown", "redirected" if status < 400 else "provider_error")


def _read(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        return None
