"""The Firebase transport: the vendor's SDK, one request a message, its retries off.

The SDK has no option for its retries, its URL or its event loop: private members are the only way to them.
"""
# ruff: noqa: SLF001

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import firebase_admin
import httpx
from firebase_admin import _http_client, _retry, credentials, exceptions, messaging

from channels.http_faults import HOOKS
from channels.outcome import Accepted, Failed, Outcome, Unknown
from channels.push.account import AccessToken, service_account
from channels.push.errors import OF_ANOTHER_SENDER, failure
from channels.transport import Transport
from core.errors import EnvironmentFault

if TYPE_CHECKING:
    from channels.push import Notice, PushSettings

_numbers = itertools.count(1)
_INSTALLATION_LENGTH = 22


class FirebaseTransport(Transport["Notice"]):
    """POSTs to messages:send. Belongs to the event loop that opened it, as the SDK's client does."""

    def __init__(self, settings: "PushSettings") -> None:
        self._settings = settings
        self._app: Any = None
        self._service: Any = None
        self._token: AccessToken | None = None
        # Whether FCM took a message for a device of this project: it is the right project, then.
        self._is_right = False

    async def open(self) -> None:
        """Make the SDK's app. Raises EnvironmentFault if the service account is no good; sends nothing."""
        try:
            certificate = credentials.Certificate(service_account(self._settings))
        except ValueError:  # its text may quote the key
            raise EnvironmentFault(
                "the push channel's service account is incomplete; download it anew"
            ) from None
        token = self._token = AccessToken(certificate.get_credential())
        self._app = firebase_admin.initialize_app(certificate, name=f"tidings-push-{next(_numbers)}")
        self._service = self._app._get_service(
            messaging._MESSAGING_ATTRIBUTE, lambda app: _single_attempt(app, self._settings, token)
        )

    async def close(self) -> None:
        """Close the connections and forget the app."""
        if self._app:
            await self._service._async_client.aclose()
            firebase_admin.delete_app(self._app)
            self._app = None

    async def transmit(self, wire: "Notice") -> Outcome:
        """One request for one message; the SDK's call for many sends one request for each as well."""
        return await self._ask(wire, validate_only=False)

    async def validate(self, wire: "Notice") -> Outcome:
        """The same request, which FCM checks with its token and does not deliver."""
        return await self._ask(wire, validate_only=True)

    async def _ask(self, wire: "Notice", *, validate_only: bool) -> Outcome:
        if self._token is None:
            raise RuntimeError("the transport is not open")
        await self._token.ensure()
        try:
            batch = await messaging.send_each_async([_message(wire)], dry_run=validate_only, app=self._app)
        except exceptions.FirebaseError as error:
            return failure(error)
        response = batch.responses[0]
        if response.exception:
            return self._failure(response.exception, self._token)
        if not response.message_id:
            return Unknown("unreadable_answer")
        self._is_right = True
        return Accepted(response.message_id)

    def _failure(self, error: Any, token: AccessToken) -> Outcome:
        if error.http_response is not None and error.http_response.status_code == httpx.codes.UNAUTHORIZED:
            token.forget()
        outcome = failure(error)
        if isinstance(outcome, Failed) and outcome.reason == OF_ANOTHER_SENDER and not self._is_right:
            # With the wrong service account every device is another sender's: none is given up for that.
            return replace(outcome, address=None)
        return outcome


def _single_attempt(app: Any, settings: "PushSettings", token: AccessToken) -> Any:
    """The SDK's messaging service with what it has no option for changed.

    Its client repeats requests answered 500 or 503 up to four times, and those answered 401; its URL is a
    constant; and its `close` starts an event loop of its own, which fails inside a running one.
    """
    service = messaging._MessagingService(app)
    once = _retry.HttpxRetry(max_retries=0, status_forcelist=[])
    service._async_client = _http_client.HttpxAsyncClient(retry_config=once, timeout=settings.timeout)
    service._async_client.async_client.auth = token.authorize
    service._async_client.async_client.event_hooks = HOOKS
    service._fcm_url = f"{settings.base_url}/v1/projects/{app.project_id}/messages:send"
    service.close = lambda: None
    return service


def _message(notice: "Notice") -> Any:
    message = messaging.Message(
        notification=messaging.Notification(notice.title or None, notice.body, notice.image),
        data=dict(notice.data),
        android=_android(notice),
        apns=_apns(notice),
        webpush=_webpush(notice),
    )
    if ":" not in notice.to and len(notice.to) == _INSTALLATION_LENGTH:
        message.fid = notice.to
    else:  # the constructor would warn that tokens are deprecated; apps in the field still report them
        message.token = notice.to
    return message


def _android(notice: "Notice") -> Any:
    return messaging.AndroidConfig(
        collapse_key=notice.collapse,
        priority="high" if notice.urgent else "normal",
        ttl=notice.keep,
        notification=messaging.AndroidNotification(
            tag=notice.tag, channel_id=notice.android_channel, sound=notice.sound
        ),
    )


def _apns(notice: "Notice") -> Any:
    expires = int((notice.at + notice.keep).timestamp())
    headers = {"apns-collapse-id": notice.tag, "apns-expiration": str(expires), "apns-priority": "10"}
    # A picture is fetched by the app's own extension, which runs for mutable content only.
    aps = messaging.Aps(sound=notice.sound, badge=notice.badge, mutable_content=bool(notice.image))
    options = messaging.APNSFCMOptions(image=notice.image) if notice.image else None
    return messaging.APNSConfig(headers, messaging.APNSPayload(aps), options)


def _webpush(notice: "Notice") -> Any:
    """For a browser that registered with Firebase: how long, and the page that a click opens."""
    link = notice.data.get("link", "")
    options = messaging.WebpushFCMOptions(link) if link.startswith("https://") else None
    headers = {"TTL": str(int(notice.keep.total_seconds())), "Urgency": "high" if notice.urgent else "normal"}
    return messaging.WebpushConfig(headers=headers, fcm_options=options)
