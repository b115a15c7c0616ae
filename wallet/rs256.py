"""RSA with SHA-256 (RSASSA-PKCS1-v1_5; RFC 8017, section 8.2), as passes and save links are signed."""

from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo

# How a digest of SHA-256 is introduced in what is signed (9.2, note 1).
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def sign(key: "RSAPrivateKey", data: bytes) -> bytes:
    """The signature of `data`, as long as the key. The same key and data give the same bytes."""
    return key.sign(_DIGEST_INFO + sha256(data).digest(), *_how())


@cache
def _how() -> "tuple[PKCS1v15, NoDigestInfo]":
    """Digest and introduction are ours: OpenSSL would look SHA-256 up anew for every signature, for 4 µs."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo

    return PKCS1v15(), NoDigestInfo()
