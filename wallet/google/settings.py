"""What Google Wallet needs from the environment (`TIDINGS_GOOGLE_…`)."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from core.environment import Environment


class GoogleSettings(Environment):
    """Without an account, objects are written into a folder and links are signed by a throw-away key."""

    model_config = SettingsConfigDict(
        env_prefix="TIDINGS_GOOGLE_", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    transport: Literal["folder", "api"] = Field(
        default="folder", description="`folder` writes objects into files, `api` sends them to Google"
    )
    service_account: Path | None = Field(
        default=None,
        description="The JSON key of a service account that is a user of the issuer in the Google Wallet "
        "console, a file",
    )
    base_url: str = Field(
        default="https://walletobjects.googleapis.com/walletobjects/v1", description="Where the API is"
    )
    keys_url: str = Field(
        default="https://pay.google.com/gp/m/issuer/keys",
        description="Where Google publishes the keys that sign its callbacks",
    )
    requests_a_second: float = Field(
        default=20.0,
        gt=0,
        description="Google's quota; of several processes that write cards give each its share",
    )
    smart_tap_issuers: list[str] = Field(
        default=[], description="Redemption issuers that may read the card over NFC, as a JSON list"
    )
