"""Signatures by Standard Webhooks (github.com/standard-webhooks/webhooks, spec/standard-webhooks.md)."""

import base64
import binascii
import hmac
from collections.abc import Sequence

from pydantic import SecretStr

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Octets of a key that the specification allows."""


def keys_of(secret: SecretStr | None) -> tuple[bytes, ...]:
    """The keys behind `whsec_…`, several with spaces between them. ValueError for a wrong one."""
    return tuple(_key(one) for one in (secret.get_secret_value() if secret else "").split())


def signature(keys: Sequence[bytes], own: str, at: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each key; `at` is in Unix seconds."""
    content = b".".join((own.encode(), str(at).encode(), body))
    signed = (hmac.digest(key, content, "sha256") for key in keys)
    return " ".join(f"v1,{base64.b64encode(one).decode()}" for one in signed)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(
            f"a secret is {PREFIX} and the base64 of {SHORTEST} to {LONGEST} random octets; make one with "
            f'`echo "{PREFIX}$(openssl rand -base64 32)"`'
        )
    return key
