"""The vendor's client, for each channel that sends by Twilio: one request a message, never repeated."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Generic

import httpx
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.response import Response
from twilio.rest import Client

from channels.asking import Asked, Doubt
from channels.http_faults import BUSY, HOOKS, NO_ANSWER, broken, of_one, patience, retry_after
from channels.outcome import Accepted, Outcome, Unknown
from channels.sms.callbacks import report
from channels.transport import Transport, W
from channels.twilio_account import TwilioSettings
from channels.twilio_codes import failure

_IDLE_SECONDS = 15.0
"""A kept connection is dropped well before the server would: a POST that meets a closed one is lost to us."""
_PAGE = 100
_MOST_LISTED = 1_000
"""Messages to one number in the time of a doubt; where there are more, none is taken for ours."""


class MessagesTransport(Transport[W], Asked[W], Generic[W]):
    """POSTs to Messages.json, and lists it when a message is in doubt."""

    def __init__(self, settings: TwilioSettings) -> None:
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

    @abstractmethod
    def fields(self, wire: W) -> Mapping[str, str | None]:
        """What is asked of Twilio, by the names of its client; what is empty is left out."""

    @abstractmethod
    def shown(self, wire: W) -> tuple[str, str]:
        """To whom and with which text Twilio lists the message."""

    async def transmit(self, wire: W) -> Outcome:
        """One POST. A failure to connect is certain; what breaks afterwards is not."""
        given = {"status_callback": self._settings.status_callback, **self.fields(wire)}
        try:
            message = await self._messages.create_async(**{name: it for name, it in given.items() if it})
        except _Busy as busy:
            return failure(busy.status, None, busy.retry_after)
        except (TwilioRestException, TwilioServiceException) as error:
            return of_one(failure(error.status, error.code))
        except NO_ANSWER as error:
            return broken(error)
        except (ValueError, AttributeError):  # taken over, it seems, but the answer is no JSON object
            return Unknown("unreadable_answer")
        return Accepted(message.sid) if message.sid else Unknown("unreadable_answer")

    async def find(self, wire: W, doubt: Doubt) -> Accepted | None:
        """The one message of these minutes to this number that has this very text and is not known yet."""
        to, text = self.shown(wire)
        since, until = doubt.between
        try:
            listed = await self._messages.list_async(
                to=to, date_sent_after=since, date_sent_before=until + timedelta(seconds=1),
                page_size=_PAGE, limit=_MOST_LISTED,
            )  # fmt: skip
        except (httpx.HTTPError, TwilioException, _Busy, ValueError, KeyError, AttributeError, TypeError):
            return None
        ours = [it for it in listed if it.sid and _is_ours(it, to, text) and _is_within(it, since, until)]
        found = {it.sid: Accepted(it.sid, report(str(it.status))) for it in ours if it.sid not in doubt.known}
        return found.popitem()[1] if len(found) == 1 and len(listed) < _MOST_LISTED else None


def _is_ours(message: Any, to: str, text: str) -> bool:
    return bool(message.direction == "outbound-api" and message.to == to and message.body == text)


def _is_within(message: Any, since: datetime, until: datetime) -> bool:
    """Twilio's times have no parts of a second, and its filter may know whole days only."""
    at = message.date_created or message.date_sent
    return at is None or since.replace(microsecond=0) <= at <= until


class HttpClient:
    """What the vendor's client speaks through, in place of its own.

    Its own asynchronous one ignores its timeout and leans on what aiohttp is about to remove.
    """

    is_async = True

    def __init__(self, connections: int, timeout: float) -> None:
        limits = httpx.Limits(max_connections=connections, keepalive_expiry=_IDLE_SECONDS)
        self._client = httpx.AsyncClient(timeout=timeout, limits=limits, event_hooks=HOOKS)
        self._timeout = timeout

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
        async with patience(self._timeout):
            answer = await self._client.request(method, url, **content, follow_redirects=allow_redirects)
        if answer.status_code in BUSY:
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
