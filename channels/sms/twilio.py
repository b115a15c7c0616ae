"""The Twilio transport: the vendor's client, one request a message, never repeated."""

from typing import TYPE_CHECKING, Any

import httpx
from twilio.base.exceptions import TwilioRestException, TwilioServiceException
from twilio.http.response import Response
from twilio.rest import Client

from channels.http_faults import broken, retry_after
from channels.outcome import Accepted, Failed, Outcome, Unknown
from channels.sms.codes import failure
from channels.transport import ChannelDown, Transport

if TYPE_CHECKING:
    from channels.sms import SmsSettings, Text

_IDLE_SECONDS = 15.0
"""A kept connection is dropped well before the server would: a POST that meets a closed one is lost to us."""


class TwilioTransport(Transport["Text"]):
    """POSTs to Messages.json."""

    def __init__(self, settings: "SmsSettings") -> None:
        self._settings = settings
        self._http: HttpClient | None = None
        self._messages: Any = None

    async def open(self) -> None:
        """Make the client. Nothing is sent yet."""
        settings = self._settings
        self._http = HttpClient(settings.concurrency, settings.timeout)
        token = settings.auth_token.get_secret_value() if settings.auth_token else ""
        client = Client(settings.account_sid, token, http_client=self._http)
        client.api.base_url = settings.base_url
        self._messages = client.messages

    async def close(self) -> None:
        """Close the connections."""
        if self._http:
            await self._http.close()

    async def transmit(self, wire: "Text") -> Outcome:
        """One POST. A failure to connect is certain; what breaks afterwards is not."""
        try:
            message = await self._messages.create_async(**_fields(wire, self._settings))
        except _Busy as busy:
            return failure(busy.status, None, busy.retry_after)
        except (TwilioRestException, TwilioServiceException) as error:
            return _answered(failure(error.status, error.code))
        except httpx.HTTPError as error:
            return broken(error)
        except (ValueError, AttributeError):  # taken over, it seems, but the answer is no JSON object
            return Unknown("unreadable_answer")
        return Accepted(message.sid) if message.sid else Unknown("unreadable_answer")


class HttpClient:
    """What the vendor's client speaks through, in place of its own.

    Its own asynchronous one ignores its timeout and leans on what aiohttp is about to remove.
    """

    is_async = True

    def __init__(self, connections: int, timeout: float) -> None:
        limits = httpx.Limits(max_connections=connections, keepalive_expiry=_IDLE_SECONDS)
        self._client = httpx.AsyncClient(timeout=timeout, limits=limits)

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the vendor's signature; ours is the client's
        allow_redirects: bool = False,
    ) -> Any:
        """One request, by the signature of `twilio.http.AsyncHttpClient`."""
        content: dict[str, Any] = {"params": params, "data": data, "headers": headers, "auth": auth}
        answer = await self._client.request(method, url, **content, follow_redirects=allow_redirects)
        if answer.status_code in (429, 503):
            raise _Busy(answer.status_code, retry_after(answer.headers))
        return Response(answer.status_code, answer.text, answer.headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class _Busy(Exception):
    """The provider wants to be asked later. The vendor's exceptions have no room for when."""

    def __init__(self, status: int, wait: float | None) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = wait


def _answered(outcome: Outcome) -> Outcome:
    """A wrong password is wrong for every message."""
    if isinstance(outcome, Failed) and outcome.reason == "authentication_failed":
        raise ChannelDown(outcome)
    return outcome


def _fields(text: "Text", settings: "SmsSettings") -> dict[str, str]:
    fields = {
        "to": text.to,
        "body": text.body,
        "from_": text.sender,
        "messaging_service_sid": settings.messaging_service_sid,
        "status_callback": settings.status_callback,
    }
    return {name: value for name, value in fields.items() if value}
