"""The service account: its key, loaded once, or a throw-away one for demos without an account."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import EnvironmentFault
from wallet import key_files
from wallet.google.settings import GoogleSettings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

THROWAWAY_EMAIL = "demo@throw-away.iam.gserviceaccount.com"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret


@dataclass(frozen=True, slots=True)
class Account:
    """Who speaks to Google. `info` is the key file as Google gave it."""

    email: str
    key: "RSAPrivateKey" = field(repr=False)
    info: dict[str, Any] = field(repr=False)


def account_for(settings: GoogleSettings, folder: Path) -> Account:
    """The configured account; without one in the settings a throw-away key kept in `folder`."""
    if settings.service_account is None:
        if settings.transport == "api":
            raise EnvironmentFault(
                "TIDINGS_GOOGLE_SERVICE_ACCOUNT is not set; let it name the JSON key of the service account"
            )
        return _throwaway(folder)
    return load(settings.service_account)


def load(path: Path) -> Account:
    """Read a service account's key file."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    setting = "TIDINGS_GOOGLE_SERVICE_ACCOUNT"
    data = key_files.read(setting, path)
    try:
        info = json.loads(data)
        email, pem, _ = str(info["client_email"]), info["private_key"].encode(), info["token_uri"]
        key = load_pem_private_key(pem, None)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EnvironmentFault(
            f"{setting}: {path} is not a service account's JSON key; make one in the Google Cloud console"
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise EnvironmentFault(
            f"{setting}: the key in {path} is not RSA; make a new one in the Google Cloud console"
        )
    return Account(email, key, info)


def _throwaway(folder: Path) -> Account:
    path = folder / "service-account.json"
    if not path.exists():
        with key_files.alone(folder):
            if not path.exists():
                _make(path)
    return load(path)


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    info = {
        "type": "service_account",
        "client_email": THROWAWAY_EMAIL,
        "private_key": pem,
        "private_key_id": "throw-away",
        "token_uri": TOKEN_URI,
    }
    key_files.keep(path, json.dumps(info, indent=2).encode())
