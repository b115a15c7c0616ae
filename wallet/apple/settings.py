"""What Apple Wallet needs from the environment (`TIDINGS_APPLE_…`)."""

from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class AppleSettings(BaseSettings):
    """Without a certificate, passes are signed by a throw-away chain: right in form, trusted by no phone."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_APPLE_", extra="ignore")

    certificate: Path | None = None
    """The pass certificate from Apple, PEM or DER (`.cer`)."""
    key: Path | None = None
    """Its private key, PEM."""
    key_password: SecretStr | None = None
    """The password of the key, if it has one."""
    wwdr: Path | None = None
    """Apple's intermediate certificate (Worldwide Developer Relations, G4), PEM or DER."""
    nfc_public_key: str | None = None
    """The till's public key for NFC (base64 SPKI, P-256); only with an NFC certificate."""

    transport: Literal["folder", "apns"] = "folder"
    """`folder` writes pushes into files, `apns` sends them."""
    apns_url: str = "https://api.push.apple.com"
    """Passes know the production server only."""
    apns_ca: Path | None = None
    """Whom to trust instead of the public authorities, for a stand-in server."""
    apns_key: Path | None = None
    """A `.p8` key of the same team; without it the pass certificate opens the connection."""
    apns_key_id: str | None = None
    """The id of the `.p8` key."""
    apns_concurrency: int = 100
    """Pushes under way at once."""
