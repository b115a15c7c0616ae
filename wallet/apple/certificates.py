"""The certificates that sign passes: loaded from files with every fault named, or made on the spot."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import EnvironmentFault
from wallet.apple.settings import AppleSettings
from wallet.apple.signature import Signer
from wallet.apple.throwaway import throwaway

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate, ObjectIdentifier

_PORTAL = "make one at developer.apple.com under Certificates, Identifiers & Profiles"


def signer_for(settings: AppleSettings, folder: Path, pass_type: str, team: str, now: datetime) -> Signer:
    """The configured signer; without a certificate in the settings a throw-away one kept in `folder`."""
    if settings.certificate is None and settings.key is None:
        return load(throwaway(folder, pass_type, team, now), pass_type, team, now)
    return load(settings, pass_type, team, now)


def load(settings: AppleSettings, pass_type: str, team: str, now: datetime) -> Signer:
    """Read the three files and check that they fit each other, the program and the day."""
    certificate = _certificate("TIDINGS_APPLE_CERTIFICATE", settings.certificate)
    intermediate = _certificate("TIDINGS_APPLE_WWDR", settings.wwdr)
    key = _key(settings)
    _current("pass certificate", certificate, now, _PORTAL)
    _current(
        "intermediate certificate",
        intermediate,
        now,
        "get the current one from apple.com/certificateauthority",
    )
    _belongs(certificate, pass_type, team)
    if certificate.public_key() != key.public_key():
        raise EnvironmentFault(
            "the key in TIDINGS_APPLE_KEY is not that of the certificate in TIDINGS_APPLE_CERTIFICATE; "
            "name the two files of one pair"
        )
    _issued(certificate, intermediate)
    return Signer(certificate, key, intermediate)


def _read(setting: str, path: Path | None) -> bytes:
    if path is None:
        raise EnvironmentFault(f"{setting} is not set; let it name the file")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise EnvironmentFault(f"{setting}: there is no file {path}; correct the path") from None
    except OSError as error:
        raise EnvironmentFault(
            f"{setting}: {path} cannot be read ({error.strerror}); correct its rights"
        ) from None


def _certificate(setting: str, path: Path | None) -> "Certificate":
    from cryptography import x509

    data = _read(setting, path)
    parse: Callable[[bytes], Certificate] = x509.load_der_x509_certificate
    if b"-----BEGIN" in data:
        parse = x509.load_pem_x509_certificate
    try:
        return parse(data)
    except ValueError:
        raise EnvironmentFault(
            f"{setting}: {path} is not an X.509 certificate; give the .cer from Apple or a PEM made of it"
        ) from None


def _key(settings: AppleSettings) -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data, path = _read("TIDINGS_APPLE_KEY", settings.key), settings.key
    password = settings.key_password.get_secret_value().encode() if settings.key_password else None
    if password is not None and b"ENCRYPTED" not in data:
        password = None  # a password too many does no harm
    try:
        key = load_pem_private_key(data, password)
    except TypeError:
        raise EnvironmentFault(f"the key {path} has a password; set TIDINGS_APPLE_KEY_PASSWORD") from None
    except ValueError:
        raise EnvironmentFault(_why_not(path, password)) from None
    if not isinstance(key, RSAPrivateKey):
        raise EnvironmentFault(
            f"TIDINGS_APPLE_KEY: {path} is not an RSA key, as pass certificates have; name the right file"
        )
    return key


def _why_not(path: Path | None, password: bytes | None) -> str:
    if password is None:
        return (
            f"TIDINGS_APPLE_KEY: {path} is not a PEM private key; "
            "convert it with `openssl pkey -in FILE -out key.pem`"
        )
    return f"TIDINGS_APPLE_KEY_PASSWORD does not open the key {path}; correct it"


def _current(name: str, certificate: "Certificate", now: datetime, remedy: str) -> None:
    if now > certificate.not_valid_after_utc:
        raise EnvironmentFault(f"the {name} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; {remedy}")
    if now < certificate.not_valid_before_utc:
        begins = certificate.not_valid_before_utc
        raise EnvironmentFault(f"the {name} is valid only from {begins:%Y-%m-%d}; check the machine's clock")


def _belongs(certificate: "Certificate", pass_type: str, team: str) -> None:
    from cryptography.x509.oid import NameOID

    found_type, found_team = (
        _named(certificate, NameOID.USER_ID),
        _named(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME),
    )
    if found_type != pass_type:
        raise EnvironmentFault(
            f"the certificate is for the pass type {found_type or 'of no name'}, but program.yaml has "
            f"wallet.apple.pass_type: {pass_type}; correct one of them"
        )
    if found_team != team:
        raise EnvironmentFault(
            f"the certificate is of the team {found_team or 'of no name'}, but program.yaml has "
            f"wallet.apple.team: {team}; correct one of them"
        )


def _named(certificate: "Certificate", oid: "ObjectIdentifier") -> str | None:
    names = certificate.subject.get_attributes_for_oid(oid)
    return str(names[0].value) if names else None


def _issued(certificate: "Certificate", intermediate: "Certificate") -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(intermediate)
    except (ValueError, TypeError, InvalidSignature):
        raise EnvironmentFault(
            "the certificate in TIDINGS_APPLE_WWDR did not issue the pass certificate; "
            "get the generation named in its issuer (now G4) from apple.com/certificateauthority"
        ) from None
