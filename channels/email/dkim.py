"""DKIM signatures (RFC 6376) by rsa-sha256 and ed25519-sha256 (RFC 8463), relaxed/relaxed.

Signed with `cryptography`, which hands RSA to OpenSSL; dkimpy, whose RSA is Python, verifies in the tests.
"""

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from core.errors import EnvironmentFault

OVERSIGNED = (
    "from", "to", "cc", "reply-to", "subject", "date", "message-id", "mime-version", "content-type",
    "content-transfer-encoding", "list-unsubscribe", "list-unsubscribe-post",
)  # fmt: skip
"""Named once more than they stand there: nobody can add a second one and keep the signature."""

SIGNED = ("feedback-id", "auto-submitted", "precedence")

SMALLEST_RSA = 1024
"""Bits (RFC 8301); 2048 are usual, and more do not fit into one DNS answer everywhere."""

_TEXT_LENGTH = 255
_WIDTH = 72
_SELECTOR = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Key:
    """A private key with the selector under which its public half is published."""

    selector: str
    private: PrivateKey = field(repr=False)

    @property
    def kind(self) -> str:
        """As DNS names it: `rsa` or `ed25519`."""
        return "rsa" if isinstance(self.private, RSAPrivateKey) else "ed25519"

    def sign(self, data: bytes) -> bytes:
        """The signature, base64."""
        if isinstance(self.private, RSAPrivateKey):
            return base64.b64encode(self.private.sign(data, PKCS1v15(), hashes.SHA256()))
        return base64.b64encode(self.private.sign(hashlib.sha256(data).digest()))

    def record(self) -> str:
        """The value of the TXT record to publish (RFC 6376, 3.6.1; RFC 8463, 4)."""
        public = self.private.public_key()
        if isinstance(self.private, RSAPrivateKey):
            raw = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k={self.kind}; p={base64.b64encode(raw).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one domain, with one signature a key."""

    domain: str
    keys: tuple[Key, ...]

    def sign(self, message: bytes, at: datetime) -> bytes:
        """The DKIM-Signature fields that go before the message, whose line ends are CRLF."""
        head, _, body = message.partition(b"\r\n\r\n")
        fields = _canonical_fields(head)
        names = _names_to_sign(fields)
        digest = base64.b64encode(hashlib.sha256(_canonical_body(body)).digest())
        lines = _to_sign(fields, names)
        return b"".join(self._field(key, names, lines, digest, at) for key in self.keys)

    def _field(self, key: Key, names: Sequence[str], lines: bytes, digest: bytes, at: datetime) -> bytes:
        opening = (
            f"DKIM-Signature: v=1; a={key.kind}-sha256; c=relaxed/relaxed;\r\n"
            f" d={self.domain}; s={key.selector};\r\n t={int(at.timestamp())};"
            f" bh={digest.decode('ascii')};\r\n h={_folded_names(names)};\r\n b="
        ).encode("ascii")
        [(name, value)] = _fields(opening)
        signature = key.sign(lines + name + b":" + value)
        return opening + _folded(signature) + b"\r\n"


def load_keys(pems: Iterable[tuple[str, bytes]], selectors: Sequence[str], variable: str) -> tuple[Key, ...]:
    """The keys under their selectors; `pems` are (where it stands, PEM).

    Raises EnvironmentFault, naming place or variable and never the key, if one cannot be used.
    """
    found = list(pems)
    if len(found) != len(selectors):
        raise EnvironmentFault(
            f"{variable} names {len(selectors)} DKIM selectors for {len(found)} keys; give each key its own, "
            "comma-separated and in the keys' order"
        )
    for selector in selectors:
        if not _SELECTOR.fullmatch(selector):
            raise EnvironmentFault(
                f"{variable} is no selector; use letters, digits and hyphens: tidings-2026"
            )
    return tuple(
        Key(selector, _private(place, pem)) for (place, pem), selector in zip(found, selectors, strict=True)
    )


def dns_strings(value: str) -> list[str]:
    """A TXT record's value in strings of at most 255 characters, as DNS stores it (RFC 1035, 3.3.14)."""
    return [value[start : start + _TEXT_LENGTH] for start in range(0, len(value), _TEXT_LENGTH)]


def _private(place: str, pem: bytes) -> PrivateKey:
    try:
        key = load_pem_private_key(pem, None)
    except TypeError:
        raise EnvironmentFault(
            f"the DKIM key in {place} is encrypted, and nobody is there to say its password; "
            "store it unencrypted, readable by this service only"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise EnvironmentFault(
            f"there is no private key in {place}; make one: openssl genrsa -out dkim.pem 2048"
        ) from None
    if isinstance(key, RSAPrivateKey) and key.key_size >= SMALLEST_RSA:
        return key
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise EnvironmentFault(
        f"the key in {place} cannot sign mail: DKIM knows RSA of {SMALLEST_RSA} bits and more, and Ed25519; "
        "make one: openssl genrsa -out dkim.pem 2048"
    )


def _fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """Name and value of each header field in their relaxed form (RFC 6376, 3.4.2)."""
    found = []
    for line in head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n"):
        name, _, value = line.partition(b":")
        found.append((name.lower(), b" ".join(value.split())))
    return found


def _canonical_fields(head: bytes) -> dict[str, list[bytes]]:
    fields: dict[str, list[bytes]] = defaultdict(list)
    for name, value in _fields(head):
        fields[name.decode("ascii")].append(name + b":" + value + b"\r\n")
    return fields


def _canonical_body(body: bytes) -> bytes:
    """The body's relaxed form (RFC 6376, 3.4.4)."""
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    while b"  " in body:  # faster than an expression: in most bodies there is little to do
        body = body.replace(b"  ", b" ")
    body = body.replace(b" \r\n", b"\r\n").rstrip(b" ").rstrip(b"\r\n")
    return body + b"\r\n" if body else b""


def _names_to_sign(fields: dict[str, list[bytes]]) -> list[str]:
    names = [name for name in (*OVERSIGNED, *SIGNED) for _ in fields.get(name, ())]
    return [*names, *OVERSIGNED]


def _to_sign(fields: dict[str, list[bytes]], names: Sequence[str]) -> bytes:
    """The fields named, each name's from the last one up; a name once too often stands for none."""
    left = {name: list(lines) for name, lines in fields.items()}
    return b"".join(left[name].pop() for name in names if left.get(name))


def _folded_names(names: Sequence[str]) -> str:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > _WIDTH:
            lines.append("")
        lines[-1] += f"{name}:"
    return "\r\n ".join(lines).rstrip(":")


def _folded(signature: bytes) -> bytes:
    return b"\r\n ".join(signature[start : start + _WIDTH] for start in range(0, len(signature), _WIDTH))
