"""Waking devices: an empty push to each, after which it asks the web service what is new.

Source: Apple's "Sending notification requests to APNs" and "Handling notification responses". Passes
use the production server only; the payload is `{}`; a 200 says that Apple took it, not that it was seen.
"""

import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from core.clock import Clock
from core.errors import EnvironmentFault
from wallet.apple.certificates import client_context, trusting
from wallet.apple.identity import read
from wallet.apple.owing import Owed
from wallet.apple.provider_token import ProviderToken
from wallet.apple.settings import AppleSettings


class Outcome(Enum):
    """What became of a push, and so what is to be done."""

    ACCEPTED = "accepted"
    GONE = "gone"  # the device does not carry the pass any more: forget it
    RETRY = "retry"  # refused for a while, or answered by nobody: later
    UNREACHABLE = "unreachable"  # nobody takes pushes just now: later, and the device is not to blame
    CONFIGURATION = "configuration"  # our certificate, key or topic: tell the engineer, keep the device


@dataclass(frozen=True, slots=True)
class Pushed:
    """The outcome for one device.

    `gone_since` is when Apple says that the token ceased to be valid, `after` how long it wants to be left
    alone.
    """

    owed: Owed
    outcome: Outcome
    reason: str = ""
    gone_since: datetime | None = None
    after: timedelta | None = None


# Of our mistakes the only one that may be a device's alone: every other one all devices share.
PERHAPS_ITS_OWN = "DeviceTokenNotForTopic"
PRODUCTION, OF_APPLE = "api.push.apple.com", ".push.apple.com"


class Pusher(Protocol):
    """Wakes devices, in whatever way."""

    async def push(self, devices: Sequence[Owed]) -> list[Pushed]:
        """One push to each device, outcomes in the same order; never raises for a single device."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class FolderPusher:
    """Writes each push as a file instead of sending it: the demo needs no account."""

    def __init__(self, folder: Path, pass_type: str) -> None:
        self._folder = folder
        self._pass_type = pass_type

    async def push(self, devices: Sequence[Owed]) -> list[Pushed]:
        """`<device>-<tag>.json` with the request that would have gone out."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return [self._write(owed) for owed in devices]

    def _write(self, owed: Owed) -> Pushed:
        request = {
            "path": f"/3/device/{owed.push_token}",
            "headers": headers(self._pass_type),
            "payload": {},
            "tag": owed.tag,
        }
        name = "".join(sign if sign.isalnum() else "_" for sign in owed.device)
        (self._folder / f"{name}-{owed.tag}.json").write_text(
            json.dumps(request, indent=2) + "\n", encoding="utf-8"
        )
        return Pushed(owed, Outcome.ACCEPTED)

    async def close(self) -> None:
        """Nothing is held."""


def headers(pass_type: str) -> dict[str, str]:
    """What a push says of itself."""
    return {"apns-topic": pass_type, "apns-push-type": "background", "apns-priority": "5"}


def pusher_for(settings: AppleSettings, folder: Path, pass_type: str, team: str, clock: Clock) -> Pusher:
    """The pusher that the settings ask for; `folder` takes the pushes that are only written down."""
    if settings.transport == "folder":
        return FolderPusher(folder, pass_type)
    from wallet.apple.apns import ApnsPusher

    _known_there(settings.apns_url)
    token = _provider_token(settings, team, clock)
    trust = _shown(settings) if token is None else trusting(settings)
    trust.set_alpn_protocols(["h2"])
    return ApnsPusher(settings.apns_url, trust, pass_type, token, settings.apns_concurrency)


def _known_there(url: str) -> None:
    """Apple's sandbox knows no pass: it would call each token bad, and every phone would be forgotten."""
    host = urlsplit(url).hostname or ""
    if host.endswith(OF_APPLE) and host != PRODUCTION:
        raise EnvironmentFault(
            f"TIDINGS_APPLE_APNS_URL is {host}, which knows no passes and would call every phone gone; "
            "leave it out"
        )


def _provider_token(settings: AppleSettings, team: str, clock: Clock) -> ProviderToken | None:
    if settings.apns_key is None:
        return None
    if not settings.apns_key_id:
        raise EnvironmentFault(
            "TIDINGS_APPLE_APNS_KEY_ID is not set; it is the ten signs in the name of the .p8 file"
        )
    key = read("TIDINGS_APPLE_APNS_KEY", settings.apns_key)
    try:
        return ProviderToken(key.data.decode("ascii"), settings.apns_key_id, team, clock)
    except (ValueError, TypeError):
        raise EnvironmentFault(
            f"{key.setting}: {key.name} is not a .p8 key that can be read; give the file as Apple gave it"
        ) from None


def _shown(settings: AppleSettings) -> ssl.SSLContext:
    if settings.certificate is None:
        raise EnvironmentFault(
            "pushes need TIDINGS_APPLE_CERTIFICATE and TIDINGS_APPLE_KEY, or TIDINGS_APPLE_APNS_KEY; "
            "set one of them"
        )
    return client_context(settings)
