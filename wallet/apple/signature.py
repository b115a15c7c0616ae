"""The signature of a pass: detached CMS over the exact bytes of its manifest.

Of a signature only the time, the manifest's digest and the RSA value differ from pass to pass; everything
else is laid out once for a certificate. Source: RFC 5652, section 5; the bytes are those that
cryptography's `PKCS7SignatureBuilder` writes, except that the time is passed in.
"""

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from wallet import rs256

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

_SEQUENCE, _SET, _INTEGER, _OCTETS, _ZERO = 0x30, 0x31, 0x02, 0x04, 0xA0
_ONE = bytes.fromhex("020101")
_DATA = bytes.fromhex("06092a864886f70d010701")
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_SHA256 = bytes.fromhex("300d06096086480165030402010500")
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")
# The signed attributes, in DER's order, around the two holes in them.
_BEFORE_TIME = bytes.fromhex(
    "301806092a864886f70d010903310b" + _DATA.hex() + "301c06092a864886f70d010905310f170d"
)
_BEFORE_DIGEST = bytes.fromhex("302f06092a864886f70d01090431220420")
_TIME_BYTES, _DIGEST_BYTES = 13, 32
_ATTRIBUTES_BYTES = len(_BEFORE_TIME) + _TIME_BYTES + len(_BEFORE_DIGEST) + _DIGEST_BYTES
# What is signed are the attributes as a SET; in the file they carry a tag of their own (5.4).
_SIGNED_HEAD = bytes((_SET, _ATTRIBUTES_BYTES))
# From 2050 on the time would have another form, and another length.
_LAST_YEAR = 2049


class Signer:
    """A pass certificate with its key and its issuer, loaded once and kept."""

    def __init__(self, certificate: "Certificate", key: "RSAPrivateKey", intermediate: "Certificate") -> None:
        self.certificate, self.key, self.intermediate = certificate, key, intermediate
        # A renewed certificate signs passes that changed before it was made.
        self._since = max(certificate.not_valid_before_utc, intermediate.not_valid_before_utc)
        size = key.key_size // 8
        rest = _RSA + _tlv(_OCTETS, bytes(size))
        self.beginning = _laid_out(certificate, intermediate, rest)[: -len(rest) - _ATTRIBUTES_BYTES]
        self._tail = rest[:-size]

    def sign(self, manifest: bytes, at: datetime) -> bytes:
        """What follows `beginning` in the DER. SHA-256, the signing time `at` to the second.

        The same arguments give the same bytes. The time is never one before the certificates' own: a phone
        would find them not yet valid. ValueError from the year 2050 on.
        """
        attributes = b"".join(
            (_BEFORE_TIME, _utc_time(max(at, self._since)), _BEFORE_DIGEST, sha256(manifest).digest())
        )
        value = rs256.sign(self.key, _SIGNED_HEAD + attributes)
        return b"".join((attributes, self._tail, value))


def _laid_out(certificate: "Certificate", intermediate: "Certificate", rest: bytes) -> bytes:
    """A whole `ContentInfo` with nothing in its holes; `rest` is what follows the attributes."""
    from cryptography.hazmat.primitives.serialization import Encoding

    # DER puts the members of a SET in the order of their bytes.
    inside = sorted(one.public_bytes(Encoding.DER) for one in (certificate, intermediate))
    serial = certificate.serial_number
    number = _tlv(_INTEGER, serial.to_bytes(serial.bit_length() // 8 + 1, "big"))
    who = _tlv(_SEQUENCE, certificate.issuer.public_bytes(), number)
    attributes = _tlv(_ZERO, bytes(_ATTRIBUTES_BYTES))
    signer = _tlv(_SEQUENCE, _ONE, who, _SHA256, attributes, rest)
    signed = _tlv(
        _SEQUENCE, _ONE, _tlv(_SET, _SHA256), _tlv(_SEQUENCE, _DATA), _tlv(_ZERO, *inside), _tlv(_SET, signer)
    )
    return _tlv(_SEQUENCE, _SIGNED_DATA, _tlv(_ZERO, signed))


def _tlv(tag: int, *parts: bytes) -> bytes:
    """One DER value: tag, length, contents."""
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _utc_time(at: datetime) -> bytes:
    moment = at.astimezone(UTC)
    if moment.year > _LAST_YEAR:
        raise ValueError(f"a signature of the year {moment.year} needs another form of time")
    # A third of what `strftime` takes.
    day = moment.year % 100, moment.month, moment.day
    return b"%02d%02d%02d%02d%02d%02dZ" % (*day, moment.hour, moment.minute, moment.second)
