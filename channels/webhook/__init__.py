"""A signed HTTP request to the retailer's own system, which then says it in its own way."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from channels.base import Channel, optional_part, part
from channels.outgoing import Outgoing
from channels.settings import ChannelConfig, ChannelSettings
from channels.transport import Malformed, Transport
from channels.webhook.signing import keys_of
from core.errors import EnvironmentFault

_DATA = "data."
_OWN_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})


class WebhookConfig(ChannelConfig):
    """`channels.webhook` in program.yaml."""


class WebhookSettings(ChannelSettings):
    """TIDINGS_WEBHOOK_… in .env: where the retailer's system is, and what requests are signed with."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_WEBHOOK_")

    transport: Literal["folder", "http"] = "folder"
    plain_http: bool = Field(
        default=False, description="Allow http:// beyond this machine: what is said then travels in clear."
    )
    url: SecretStr | None = Field(
        default=None, description="Where messages are posted to, https://…; it may hold a key of its own."
    )
    secret: SecretStr | None = Field(
        default=None, description="whsec_… that requests are signed with; two during a rotation."
    )
    ca_file: Path | None = Field(
        default=None,
        description="Certificates to trust instead of the system's, for an authority of your own.",
    )

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: SecretStr | None, found: ValidationInfo) -> SecretStr | None:
        return url and SecretStr(_checked(url.get_secret_value(), plain=bool(found.data.get("plain_http"))))

    @field_validator("secret")
    @classmethod
    def _is_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        keys_of(secret)
        return secret


def _checked(url: str, *, plain: bool) -> str:
    """The URL, if texts may go there; ValueError with what to do about it."""
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not (url.isascii() and url.isprintable())
    ):
        raise ValueError("this is no address of a web server; write https://…")
    if parts.scheme == "http" and not plain and parts.hostname not in _OWN_MACHINE:
        raise ValueError(
            "messages would travel in clear; write https://…, or TIDINGS_WEBHOOK_PLAIN_HTTP=true within your "
            "own network"
        )
    if parts.username is not None or parts.fragment:
        raise ValueError("a name, a password or a #fragment in the address does not arrive; leave it out")
    return url


@dataclass(frozen=True, slots=True)
class Letter:
    """A composed request: `id` is the same at every attempt, `body` is what is signed."""

    key: str
    id: str
    body: bytes = field(repr=False)

    def files(self) -> Mapping[str, bytes]:
        """The body as it would be posted."""
        return {".json": json.dumps(json.loads(self.body), ensure_ascii=False, indent=2).encode() + b"\n"}


class Webhook(Channel[WebhookConfig, WebhookSettings, Letter]):
    """Posts by Standard Webhooks. The receiver knows a message it had before by its `webhook-id`."""

    name = "webhook"
    address_kind = "customer"
    policy = "at_least_once"
    confirmed_by = "accepted"
    text_files = ("webhook.txt",)
    front_matter = ("title", "link", "data.*")
    linked_parts = {"link": "address", "text": "text"}
    Config = WebhookConfig
    Settings = WebhookSettings

    def required(self) -> tuple[str, ...]:
        """Where to, and what proves that it is us."""
        return ("url", "secret")

    def check(self) -> None:
        """Besides where to, the certificates must be there."""
        super().check()
        file = self.settings.ca_file
        if self.settings.transport == "folder" or file is None:
            return
        try:
            ssl.create_default_context(cafile=file)
        except OSError:
            raise EnvironmentFault(
                f"{self.settings.variable('ca_file')} names no file of certificates (PEM) that can be read; "
                "correct it in .env"
            ) from None

    def compose(self, outgoing: Outgoing) -> Letter:
        """The body. Raises Malformed for a message that says nothing."""
        if not outgoing.to.strip() or not outgoing.to.isprintable():
            raise Malformed("customer_malformed")
        own = id_of(outgoing.key)
        content = {
            "type": "message",
            "id": own,
            "timestamp": outgoing.at.isoformat().replace("+00:00", "Z"),
            "data": _about(outgoing) | _said(outgoing),
        }
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return Letter(outgoing.key, own, body.encode())

    def provider(self) -> Transport[Letter]:
        """The HTTP client."""
        from channels.webhook.posting import HttpTransport

        return HttpTransport(self.settings)


def id_of(key: str) -> str:
    """The `webhook-id` of a message: a header takes no full stop in it and no letter beyond ASCII."""
    return f"msg_{sha256(key.encode()).hexdigest()[:32]}"


def _about(outgoing: Outgoing) -> dict[str, Any]:
    """Whom it is for, and why."""
    about = {
        "customer": outgoing.to, "scenario": outgoing.tag, "step": outgoing.step,
        "occasion": outgoing.occasion, "purpose": outgoing.purpose, "locale": outgoing.locale,
        "unsubscribe_url": outgoing.unsubscribe_url,
    }  # fmt: skip
    return {name: value for name, value in about.items() if value is not None}


def _said(outgoing: Outgoing) -> dict[str, Any]:
    """What is said: the text, and what stands above it in the file."""
    names = [name.removeprefix(_DATA) for name in outgoing.parts if name.startswith(_DATA)]
    data = {name: optional_part(outgoing, _DATA + name) for name in names}
    # A system that needs no words is told by its data alone.
    text = (optional_part(outgoing, "text") if data else part(outgoing, "text")).strip()
    lines = {name: optional_part(outgoing, name).strip() for name in ("title", "link")}
    return {name: line for name, line in lines.items() if line} | {"text": text, "data": data}
