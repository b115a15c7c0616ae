"""What Apple Wallet needs from the environment (`TIDINGS_APPLE_…`)."""

import binascii
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretBytes, SecretStr
from pydantic_settings import SettingsConfigDict

from core.environment import Environment

# How base64 of DER (a SEQUENCE) and of PEM begin, and how short a certificate or a key can be.
_BASE64 = ("MI", "LS0t")
_SHORTEST = 150
# No path is so long: what else it may be, it must not be repeated in an error.
_LONGEST_PATH = 1_000


def _given(value: Any) -> Any:
    """A file's path, or what would stand in the file: PEM as it is, anything else in base64."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("-----BEGIN"):
        return SecretBytes(text.replace("\\n", "\n").encode())
    packed = "".join(text.split())
    if packed.startswith(_BASE64) and len(packed) >= _SHORTEST:
        try:
            return SecretBytes(b64decode(packed, validate=True))
        except binascii.Error:
            return SecretBytes(text.encode())
    return SecretBytes(text.encode()) if len(text) > _LONGEST_PATH else Path(value)


# A container has variables where a machine has files.
Given = Annotated[Path | SecretBytes, BeforeValidator(_given)]


class AppleSettings(Environment):
    """Without a certificate, passes are signed by a throw-away chain: right in form, trusted by no phone.

    Certificates and keys are named by their files, or stand in the variables themselves (PEM or base64).
    """

    model_config = SettingsConfigDict(
        env_prefix="TIDINGS_APPLE_", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    certificate: Given | None = Field(
        default=None,
        description="The pass certificate: a `.p12` with its key, or the `.cer` from Apple (PEM or DER). "
        "A file, or what stands in it: PEM, or base64",
    )
    key: Given | None = Field(
        default=None,
        description="The certificate's private key (PEM), a file or its content; a `.p12` has its own",
    )
    key_password: SecretStr | None = Field(
        default=None, description="The password of the key or of the `.p12`, if it has one"
    )
    wwdr: Given | None = Field(
        default=None,
        description="Apple's intermediate certificate (Worldwide Developer Relations, G4; PEM or DER), "
        "a file or its content",
    )
    nfc_public_key: str | None = Field(
        default=None,
        description="The till's public key for NFC (P-256; PEM or base64); only with an NFC certificate",
    )

    transport: Literal["folder", "apns"] = Field(
        default="folder", description="`folder` writes pushes into files, `apns` sends them"
    )
    apns_url: str = Field(
        default="https://api.push.apple.com",
        description="Where pushes go; passes know the production server only",
    )
    apns_ca: Path | None = Field(
        default=None, description="Whom to trust instead of the public authorities, for a stand-in server"
    )
    apns_key: Given | None = Field(
        default=None,
        description="A `.p8` key of the same team, a file or its content; without it the pass certificate "
        "opens the connection",
    )
    apns_key_id: str | None = Field(default=None, description="The id of the `.p8` key")
    apns_concurrency: int = Field(
        default=400, ge=1, description="Pushes under way at once; a connection carries a hundred of them"
    )
