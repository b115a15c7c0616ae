"""Push to phones through Firebase Cloud Messaging: a notification with a link, replaced by its successor."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from channels.base import Channel, optional_part, part
from channels.outgoing import Outgoing
from channels.settings import ChannelConfig, ChannelSettings
from channels.transport import Malformed, Transport
from core.explain import complaint
from core.units import Duration, Span

LONGEST_PAYLOAD = 4096
"""Octets that FCM takes of a notification and its data together."""

_DEVICE = re.compile(r"[A-Za-z0-9_:-]+")


def _at_most_28_days(keep: Duration) -> Duration:
    if keep.total_seconds > 28 * 86_400:
        raise complaint(f"{keep} is longer than a provider keeps a push", "write at most '28 days'")
    return keep


class PushConfig(ChannelConfig):
    """`channels.push` in program.yaml."""

    keep: Annotated[Span, AfterValidator(_at_most_28_days)] = Field(
        default=Duration(days=1), description="How long to try a phone that is off: `1 day`."
    )


class PushSettings(ChannelSettings):
    """TIDINGS_PUSH_… in .env: the Firebase project's service account, as a file or as its JSON."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_PUSH_")

    transport: Literal["folder", "firebase"] = "folder"
    service_account_file: Path | None = Field(
        default=None, description="Path of the service account's JSON file."
    )
    service_account: SecretStr | None = Field(default=None, description="The JSON itself, instead of a file.")
    base_url: str = Field(default="https://fcm.googleapis.com", description="Only for tests and proxies.")


@dataclass(frozen=True, slots=True)
class Notice:
    """A composed notification.

    `collapse` names what it replaces while the phone is off (an older one of the same scenario); `identity`
    what it replaces on the screen (itself, should it ever come twice). `keep` is how long FCM tries.
    """

    key: str
    to: str = field(repr=False)
    title: str = field(repr=False)
    body: str = field(repr=False)
    image: str | None = field(repr=False)
    link: str | None = field(repr=False)
    collapse: str
    identity: str
    urgent: bool
    at: datetime
    keep: timedelta

    def files(self) -> Mapping[str, bytes]:
        """Everything that would be asked of FCM, as JSON."""
        content = asdict(self) | {"at": self.at.isoformat(), "keep": int(self.keep.total_seconds())}
        return {".json": (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()}


class Push(Channel[PushConfig, PushSettings, Notice]):
    """Sends by FCM. An unknown outcome is never sent again."""

    name = "push"
    address_kind = "push"
    policy = "at_most_once"
    confirmed_by = "accepted"
    text_files = ("push.txt",)
    Config = PushConfig
    Settings = PushSettings

    def required(self) -> tuple[str, ...]:
        """The service account, in one of its two forms."""
        return () if self.settings.service_account_file else ("service_account",)

    def compose(self, outgoing: Outgoing) -> Notice:
        """The notification. Raises Malformed if there is no text, or more than FCM takes."""
        if not _DEVICE.fullmatch(outgoing.to):
            raise Malformed("device_malformed")
        body = part(outgoing, "body").strip()
        title, image, link = (optional_part(outgoing, name).strip() for name in ("title", "image", "link"))
        if len(f"{title}{body}{image}{link}".encode()) > LONGEST_PAYLOAD:
            raise Malformed("text_too_long")
        return Notice(
            key=outgoing.key,
            to=outgoing.to,
            title=title,
            body=body,
            image=image or None,
            link=link or None,
            collapse=outgoing.tag,
            identity=sha256(outgoing.key.encode()).hexdigest()[:32],
            urgent=outgoing.purpose != "marketing",
            at=outgoing.at,
            keep=timedelta(seconds=self.config.keep.total_seconds),
        )

    def provider(self) -> Transport[Notice]:
        """The Firebase client."""
        from channels.push.firebase import FirebaseTransport

        return FirebaseTransport(self.settings)
