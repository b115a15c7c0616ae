"""A certificate and its key as an engineer has them: PEM, DER or `.p12`, in files or in variables."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretBytes

from core.errors import EnvironmentFault
from wallet import key_files
from wallet.apple.settings import AppleSettings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

CERTIFICATE, KEY = "TIDINGS_APPLE_CERTIFICATE", "TIDINGS_APPLE_KEY"
PASSWORD, WWDR = "TIDINGS_APPLE_KEY_PASSWORD", "TIDINGS_APPLE_WWDR"

_KEY_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
# A PKCS #12 file begins with its version, 3, and tells early that it holds data; a certificate does neither.
_VERSION_3, _DATA = b"\x02\x01\x03", bytes.fromhex("2a864886f70d0107")


@dataclass(frozen=True, slots=True)
class Source:
    """What a setting gave. `name` is what an error may call it."""

    setting: str
    name: str
    data: bytes = field(repr=False)

    @property
    def pem(self) -> bool:
        """Whether it is text."""
        return b"-----BEGIN" in self.data


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key. `beside` are certificates that came in the same `.p12`."""

    certificate: "Certificate"
    key: "RSAPrivateKey"
    beside: "tuple[Certificate, ...]" = ()


def read(setting: str, given: Path | SecretBytes | None) -> Source:
    """The bytes behind a setting."""
    if given is None:
        raise EnvironmentFault(f"{setting} is not set; let it name the file")
    if isinstance(given, SecretBytes):
        return Source(setting, "its value", given.get_secret_value())
    return Source(setting, str(given), key_files.read(setting, given))


def identity(settings: AppleSettings) -> Identity:
    """Certificate and key as they are, their fit not checked; EnvironmentFault if they cannot be had."""
    source = read(CERTIFICATE, settings.certificate)
    if _is_p12(source.data):
        return _from_p12(source, settings)
    found = certificate(source)
    return Identity(found, _key(_key_source(source, settings), settings))


def certificate(source: Source) -> "Certificate":
    """A certificate, PEM or DER."""
    from cryptography import x509

    parse = x509.load_pem_x509_certificate if source.pem else x509.load_der_x509_certificate
    try:
        return parse(source.data)
    except ValueError:
        raise EnvironmentFault(f"{source.setting}: {source.name} {_instead(source.data)}") from None


def _instead(data: bytes) -> str:
    if b"CERTIFICATE REQUEST" in data:
        return "is the request for a certificate; upload it to Apple and give the .cer that comes of it"
    if b"PRIVATE KEY" in data:
        return f"is a private key; give it as {KEY}, and here the .cer from Apple"
    return "is not an X.509 certificate; give the .cer from Apple, a PEM made of it, or a .p12"


def _key_source(beside: Source, settings: AppleSettings) -> Source:
    """The key has its own setting, or stands in the file of the certificate."""
    if settings.key is None and _KEY_BLOCK.search(beside.data):
        return beside
    return read(KEY, settings.key)


def _key(source: Source, settings: AppleSettings) -> "RSAPrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    if _is_p12(source.data):
        raise EnvironmentFault(
            f"{KEY}: {source.name} is a .p12; give it as {CERTIFICATE}, and leave out {KEY}"
        )
    block = _KEY_BLOCK.search(source.data)
    password = _password(settings)
    load = load_pem_private_key if block else load_der_private_key
    try:
        return _rsa(source, load(block.group() if block else source.data, password))
    except TypeError:
        if password is not None:  # a password too many does no harm
            return _key(source, settings.model_copy(update={"key_password": None}))
        raise EnvironmentFault(f"{source.setting}: the key has a password; set {PASSWORD}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise EnvironmentFault(_why_not(source, block is not None, password)) from None


def _why_not(source: Source, pem: bool, password: bytes | None) -> str:
    if pem and password is not None:
        return f"{PASSWORD} does not open the key in {source.setting} ({source.name}); correct it"
    what = "a certificate" if b"BEGIN CERTIFICATE" in source.data else "not a private key that can be read"
    return (
        f"{source.setting}: {source.name} is {what}; "
        "give the key in PEM (`openssl pkey -in FILE -out key.pem`), or a .p12 with both"
    )


def _rsa(source: Source, key: object) -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    if not isinstance(key, RSAPrivateKey):
        raise EnvironmentFault(
            f"{source.setting}: {source.name} is not an RSA key, as pass certificates have; "
            "give the right one"
        )
    return key


def _is_p12(data: bytes) -> bool:
    return data[:1] == b"\x30" and _VERSION_3 in data[:12] and _DATA in data[:48]


def _from_p12(source: Source, settings: AppleSettings) -> Identity:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

    password = _password(settings)
    try:
        key, found, beside = load_key_and_certificates(source.data, password)
    except (ValueError, UnsupportedAlgorithm):
        if password is not None:
            raise EnvironmentFault(
                f"{PASSWORD} does not open the .p12 in {source.setting} ({source.name}); correct it"
            ) from None
        raise EnvironmentFault(f"{source.setting}: the .p12 has a password; set {PASSWORD}") from None
    if key is None or found is None:
        raise EnvironmentFault(
            f"{source.setting}: the .p12 ({source.name}) holds no certificate with its private key; "
            "in Keychain Access choose the certificate with the key below it, and export both"
        )
    return Identity(found, _rsa(source, key), tuple(beside))


def _password(settings: AppleSettings) -> bytes | None:
    return settings.key_password.get_secret_value().encode() if settings.key_password else None
