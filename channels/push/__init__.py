"""Push to phones through Firebase Cloud Messaging: a notification with a link and data for the app."""

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
"""Octets that FCM takes of a notification and its data together, as the JSON that APNs would get of them
(firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type)."""
LONGEST_COLLAPSE = 64
"""Octets of `apns-collapse-id`."""
LONGEST_KEEP = 28 * 86_400
"""Seconds that FCM keeps a message."""

_DEVICE = re.compile(r"[A-Za-z0-9_:-]+")
_DATA = "data."
# Ours, FCM's own (from, message_type, collapse_key), and APNs' dictionary.
_TAKEN = ("key", "link", "from", "message_type", "collapse_key", "aps")
_TAKEN_STARTS = ("google", "gcm")


def _at_most_28_days(keep: Duration) -> Duration:
    if keep.total_seconds > LONGEST_KEEP:
        raise complaint(f"{keep} is longer than a provider keeps a push", "write at most '28 days'")
    return keep


class PushConfig(ChannelConfig):
    """`channels.push` in program.yaml."""

    keep: Annotated[Span, AfterValidator(_at_most_28_days)] = Field(
        default=Duration(days=1),
        description="How long to try a phone that is off: `1 day`; a message may say it in its front matter.",
    )
    android_channel: str | None = Field(
        default=None, description="The app's notification channel on Android; its default one if left out."
    )
    sound: str | None = Field(default="default", description="A sound of the app; `null` makes none.")
    badge: int | None = Field(
        default=None, ge=0, description="The number on the app's icon on an iPhone; 0 takes it away."
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

    `collapse` names what it replaces while the phone is off: an older one of the same scenario, or of the
    same `collapse` in the front matter. `tag` names what it replaces on the screen: with a `collapse` of its
    own the same, else itself, should it ever come twice. `keep` is how long FCM tries.
    """

    key: str
    to: str = field(repr=False)
    title: str = field(repr=False)
    body: str = field(repr=False)
    image: str | None = field(repr=False)
    data: Mapping[str, str] = field(repr=False)
    collapse: str
    tag: str
    android_channel: str | None
    sound: str | None
    badge: int | None
    urgent: bool
    at: datetime
    keep: timedelta

    @property
    def payload(self) -> int:
        """Octets of what reaches an iPhone, the larger of the two forms."""
        alert = {"title": self.title, "body": self.body}
        aps = {"alert": alert, "sound": self.sound, "badge": self.badge, "mutable-content": 1}
        content = {"aps": aps, "fcm_options": {"image": self.image}, **self.data}
        return len(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())

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
    front_matter = ("title", "image", "link", "collapse", "keep", "data.*")
    required_front = "title"
    linked_parts = {"link": "address"}
    Config = PushConfig
    Settings = PushSettings

    def required(self) -> tuple[str, ...]:
        """The service account, in one of its two forms."""
        return () if self.settings.service_account_file else ("service_account",)

    def compose(self, outgoing: Outgoing) -> Notice:
        """The notification. Raises Malformed if there is no text, or more than FCM takes."""
        if not _DEVICE.fullmatch(outgoing.to):
            raise Malformed("device_malformed")
        identity = sha256(outgoing.key.encode()).hexdigest()[:32]
        for name, value in outgoing.parts.items():
            if self.front_fault(name, value.strip()):
                raise Malformed(f"{name.partition('.')[0]}_malformed")
        collapse = optional_part(outgoing, "collapse").strip()
        notice = Notice(
            key=outgoing.key,
            to=outgoing.to,
            title=optional_part(outgoing, "title").strip(),
            body=part(outgoing, "body").strip(),
            image=optional_part(outgoing, "image").strip() or None,
            data={**_data(outgoing), "key": identity},
            collapse=collapse or outgoing.tag,
            tag=collapse or identity,
            android_channel=self.config.android_channel,
            sound=self.config.sound,
            badge=self.config.badge,
            urgent=outgoing.purpose != "marketing",
            at=outgoing.at,
            keep=self._keep(optional_part(outgoing, "keep").strip()),
        )
        if notice.payload > LONGEST_PAYLOAD:
            raise Malformed("text_too_long")
        return notice

    @classmethod
    def front_fault(cls, key: str, value: str) -> tuple[str, str] | None:
        """A length of time, a name that APNs takes, keys of the app's own."""
        name = key.removeprefix(_DATA)
        if key == "keep" and value and not _is_kept(value):
            return (
                f"'{value}' is no time that FCM keeps a push",
                "write for example '2 hours', at most '28 days'",
            )
        if key == "collapse" and len(value.encode("utf-8", "replace")) > LONGEST_COLLAPSE:
            return f"is longer than {LONGEST_COLLAPSE} bytes", "write a short name such as 'balance'"
        if name != key and (name in _TAKEN or name.startswith(_TAKEN_STARTS)):
            return f"'{name}' in data is taken by the provider or by us", "choose another key"
        return None

    def _keep(self, said: str) -> timedelta:
        keep = Duration.parse(said) if said else self.config.keep
        return timedelta(seconds=keep.total_seconds)

    def provider(self) -> Transport[Notice]:
        """The Firebase client."""
        from channels.push.firebase import FirebaseTransport

        return FirebaseTransport(self.settings)


def _is_kept(value: str) -> bool:
    try:
        return Duration.parse(value).total_seconds <= LONGEST_KEEP
    except ValueError:
        return False


def _data(outgoing: Outgoing) -> dict[str, str]:
    """What the app is given beside the notification: `data.…` of the front matter, and the deep link."""
    names = [name for name in outgoing.parts if name.startswith(_DATA)]
    data = {name.removeprefix(_DATA): optional_part(outgoing, name) for name in names}
    link = optional_part(outgoing, "link").strip()
    return {**data, **({"link": link} if link else {})}
