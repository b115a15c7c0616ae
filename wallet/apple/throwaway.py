"""A certificate chain made on the spot, for demos and tests: root, intermediate and pass certificate.

Passes signed with it are right in every byte, but phones trust only what Apple issued.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from wallet import key_files
from wallet.apple.settings import AppleSettings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate, KeyUsage, Name

PASS_SIGNING = "1.2.840.113635.100.4.14"  # noqa: S105 - a purpose, not a secret
LASTS = timedelta(days=3650)
ROOT, INTERMEDIATE, LEAF, KEY = "root.pem", "intermediate.pem", "certificate.pem", "key.pem"


@dataclass(frozen=True, slots=True)
class _Party:
    name: "Name"
    key: "RSAPrivateKey"
    certificate: "Certificate"


def throwaway(directory: Path, pass_type: str, team: str, now: datetime) -> AppleSettings:
    """Settings that name a chain in `directory`: the one made before, if it fits, else a new one."""
    if not _usable(directory, pass_type, team, now):
        with key_files.alone(directory):
            if not _usable(directory, pass_type, team, now):
                _make(directory, pass_type, team, now)
    return AppleSettings(
        certificate=directory / LEAF, key=directory / KEY, key_password=None, wwdr=directory / INTERMEDIATE
    )


def _usable(directory: Path, pass_type: str, team: str, now: datetime) -> bool:
    from cryptography import x509

    if not all((directory / name).exists() for name in (ROOT, INTERMEDIATE, LEAF, KEY)):
        return False
    leaf = x509.load_pem_x509_certificate((directory / LEAF).read_bytes())
    fits = leaf.subject == _leaf_name(pass_type, team)
    return fits and leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc


def _make(directory: Path, pass_type: str, team: str, now: datetime) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    root = _party(_name("Throw-away Root CA"), None, now, authority=True)
    middle = _party(_name("Throw-away Worldwide Developer Relations CA"), root, now, authority=True)
    leaf = _party(_leaf_name(pass_type, team), middle, now, authority=False)
    # The key comes last: with it the chain is whole.
    (directory / KEY).unlink(missing_ok=True)
    for name, party in ((ROOT, root), (INTERMEDIATE, middle), (LEAF, leaf)):
        (directory / name).write_bytes(party.certificate.public_bytes(Encoding.PEM))
    key_files.keep(directory / KEY, leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _name(common: str) -> "Name":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _leaf_name(pass_type: str, team: str) -> "Name":
    """The subject as Apple writes it: UID is the pass type, OU the team."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, pass_type),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Pass Type ID: {pass_type}"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, team),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Throw-away"),
        ]
    )


def _party(name: "Name", issuer: _Party | None, now: datetime, *, authority: bool) -> _Party:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signing = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.name if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LASTS)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        )
        .add_extension(_usage(authority), critical=True)
    )
    if not authority:
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, x509.ObjectIdentifier(PASS_SIGNING)]
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return _Party(name, key, builder.sign(signing, SHA256()))


def _usage(authority: bool) -> "KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
