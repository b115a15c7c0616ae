"""What Google tells us: a customer saved the card, or deleted it.

Source: Google Wallet's "Use callbacks" with Tink's PaymentMethodTokenRecipient: protocol ECv2SigningOnly,
sender GooglePayPasses. A root key signs an intermediate key, that one the message; both are ECDSA on P-256
with SHA-256 over parts that each follow their length (four bytes, little-endian).
"""

import json
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

SENDER = "GooglePayPasses"
PROTOCOL = "ECv2SigningOnly"


class Forged(Exception):
    """The callback is not Google's, not ours, or too old."""


class UnknownKey(Forged):
    """None of the root keys known, as far as they are good still, signed it: perhaps there are newer ones."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback that proved genuine. `nonce` is its own: the same one twice is a repetition."""

    kind: Literal["save", "del"]
    object_id: str
    nonce: str
    expires_at: datetime
    class_id: str = ""

    def concerns(self, issuer: str) -> bool:
        """Whether it is about a card of this issuer's."""
        return all(it.startswith(f"{issuer}.") for it in (self.object_id, self.class_id))


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody says is a callback: it can be read and is not too old. Nobody knows yet who signed it."""

    callback: Callback
    message: str
    signature: str
    key: str
    signed_key: str
    signatures: Sequence[str]


_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError)


def read(body: bytes, now: datetime) -> Claim:
    """What `body` says, as far as it is judged without any keys. Raises `Forged`."""
    try:
        return _read(json.loads(body), now)
    except _UNREADABLE:
        raise Forged("the callback cannot be read") from None


def proved(claim: Claim, issuer: str, keys: bytes, now: datetime) -> Callback:
    """The callback, if it is Google's and for this issuer; `keys` is what Google publishes as its root keys.

    Raises `Forged`.
    """
    try:
        return _proved(claim, issuer, json.loads(keys), now)
    except _UNREADABLE:
        raise Forged("the callback cannot be read") from None


def _read(envelope: dict[str, Any], now: datetime) -> Claim:
    if envelope["protocolVersion"] != PROTOCOL:
        raise Forged("the callback has another protocol")
    middle, message = envelope["intermediateSigningKey"], envelope["signedMessage"]
    key = json.loads(middle["signedKey"])
    if not _not_over(key["keyExpiration"], now):
        raise Forged("the intermediate key has expired")
    callback = _callback(json.loads(message), now)
    signed = message, envelope["signature"], key["keyValue"], middle["signedKey"]
    return Claim(callback, *signed, middle["signatures"])


def _proved(claim: Claim, issuer: str, keys: dict[str, Any], now: datetime) -> Callback:
    roots = [
        key["keyValue"]
        for key in keys["keys"]
        if key["protocolVersion"] == PROTOCOL and _not_over(key.get("keyExpiration"), now)
    ]
    if not _signed(roots, claim.signatures, (SENDER, PROTOCOL, claim.signed_key)):
        raise UnknownKey("no key of Google's signed the intermediate key")
    if not _signed([claim.key], [claim.signature], (SENDER, issuer, PROTOCOL, claim.message)):
        raise Forged("the message is not signed for this issuer")
    return claim.callback


def _callback(message: dict[str, Any], now: datetime) -> Callback:
    expires_at = _time(message["expTimeMillis"])
    if expires_at <= now:
        raise Forged("the message has expired")
    kind = message["eventType"]
    if kind not in ("save", "del"):
        raise ValueError(kind)
    objects = str(message["objectId"]), str(message["classId"])
    return Callback(kind, objects[0], str(message["nonce"]), expires_at, objects[1])


def _not_over(millis: str | int | None, now: datetime) -> bool:
    return millis is None or _time(millis) > now


def _time(millis: str | int) -> datetime:
    return datetime.fromtimestamp(int(millis) / 1000, UTC)


def _signed(keys: Sequence[str], signatures: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether one of the keys made one of the signatures over the parts."""
    content = b"".join(len(part.encode()).to_bytes(4, "little") + part.encode() for part in parts)
    return any(_made(key, signature, content) for key in keys for signature in signatures)


def _made(key: str, signature: str, content: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    public = load_der_public_key(b64decode(key))
    if not isinstance(public, EllipticCurvePublicKey):
        return False
    try:
        public.verify(b64decode(signature), content, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
