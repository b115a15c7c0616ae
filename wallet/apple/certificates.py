"""The certificates that sign passes: every fault named, warned of before they end, or made on the spot."""

import ssl
from base64 import b64decode
from binascii import Error as NotBase64
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from core.errors import EnvironmentFault
from wallet.apple.identity import CERTIFICATE, KEY, WWDR, Identity, certificate, identity, read
from wallet.apple.settings import AppleSettings
from wallet.apple.signature import Signer
from wallet.apple.throwaway import throwaway

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, Name, ObjectIdentifier

WARNED = timedelta(days=30)
"""How long before its end a certificate is warned of."""

APNS_CA = "TIDINGS_APPLE_APNS_CA"
_PORTAL = "make one at developer.apple.com under Certificates, Identifiers & Profiles"
_AUTHORITY = "get the current one from apple.com/certificateauthority"
_NAMES = "pass certificate", "intermediate certificate"


def signer_for(settings: AppleSettings, folder: Path, pass_type: str, team: str, now: datetime) -> Signer:
    """The configured signer; without a certificate in the settings a throw-away one kept in `folder`."""
    if not configured(settings):
        return load(throwaway(folder, pass_type, team, now), pass_type, team, now)
    return load(settings, pass_type, team, now)


def configured(settings: AppleSettings) -> bool:
    """Whether there is a certificate of one's own, or at least the wish for one."""
    return settings.certificate is not None or settings.key is not None


def load(settings: AppleSettings, pass_type: str, team: str, now: datetime) -> Signer:
    """Read certificate, key and intermediate, and check that they fit each other, the program and the day."""
    own = identity(settings)
    intermediate = _intermediate(settings, own)
    _current(_NAMES[0], own.certificate, now, _PORTAL)
    _current(_NAMES[1], intermediate, now, _AUTHORITY)
    _belongs(own.certificate, pass_type, team)
    if own.certificate.public_key() != own.key.public_key():
        raise EnvironmentFault(
            f"the key in {KEY} is not that of the certificate in {CERTIFICATE}; "
            "name the two files of one pair"
        )
    issued(own.certificate, intermediate)
    return Signer(own.certificate, own.key, intermediate)


def expires_in(signer: Signer, now: datetime) -> timedelta:
    """How long the signer is good for: until the first of its two certificates ends. Negative afterwards."""
    return min(end for _, end in _ends(signer)) - now


def expiring(signer: Signer, now: datetime) -> str | None:
    """One sentence if a certificate ends within 30 days, or has ended; None if there is time."""
    name, end = min(_ends(signer), key=lambda each: each[1])
    left = end - now
    if left > WARNED:
        return None
    ends = (
        f"ends on {end:%Y-%m-%d}, in {left.days} days" if left > timedelta() else f"ended on {end:%Y-%m-%d}"
    )
    remedy = _AUTHORITY
    if name == _NAMES[0]:
        remedy = "make a new one of the same pass type at developer.apple.com; cards in phones stay good"
    return f"the {name} {ends}; {remedy}"


def client_context(settings: AppleSettings) -> ssl.SSLContext:
    """A TLS context that shows the pass certificate, as APNs knows us by it; for clients that push."""
    trust = trusting(settings)
    own = identity(settings)
    password = token_hex(16)
    with TemporaryDirectory() as folder:
        # The TLS library reads files only; the key lies in it encrypted, and for a moment.
        path = Path(folder) / "identity.pem"
        path.touch(mode=0o600)
        path.write_bytes(_pem(own, password.encode()))
        try:
            trust.load_cert_chain(path, password=password)
        except ssl.SSLError:
            raise EnvironmentFault(
                f"the key in {KEY} is not that of the certificate in {CERTIFICATE}, so they open no "
                "connection to Apple; name the two files of one pair"
            ) from None
    return trust


def trusting(settings: AppleSettings) -> ssl.SSLContext:
    """A TLS context that trusts the public authorities, or `apns_ca` instead."""
    if settings.apns_ca is None:
        return ssl.create_default_context()
    read(APNS_CA, settings.apns_ca)  # says what is wrong with the path
    try:
        return ssl.create_default_context(cafile=str(settings.apns_ca))
    except OSError:
        raise EnvironmentFault(
            f"{APNS_CA}: {settings.apns_ca} holds no certificates; give them in PEM"
        ) from None


def nfc_key(settings: AppleSettings) -> str | None:
    """The till's public key as `pass.json` wants it: base64 of a SubjectPublicKeyInfo, in one line."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    if not settings.nfc_public_key:
        return None
    lines = settings.nfc_public_key.replace("\\n", "\n").splitlines()
    packed = "".join(line.strip() for line in lines if not line.startswith("-----"))
    try:
        key = load_der_public_key(b64decode(packed, validate=True))
        fits = isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    except (NotBase64, ValueError):
        fits = False
    if not fits:
        raise EnvironmentFault(
            "TIDINGS_APPLE_NFC_PUBLIC_KEY is not a public key of the curve P-256; "
            "write what `openssl ec -in key.pem -pubout` prints"
        )
    return packed


def _ends(signer: Signer) -> tuple[tuple[str, datetime], tuple[str, datetime]]:
    leaf, issuer = signer.certificate, signer.intermediate
    return (_NAMES[0], leaf.not_valid_after_utc), (_NAMES[1], issuer.not_valid_after_utc)


def _pem(own: Identity, password: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    sealed = own.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    return own.certificate.public_bytes(Encoding.PEM) + sealed


def _intermediate(settings: AppleSettings, own: Identity) -> "Certificate":
    """The configured one, else one that came in the `.p12`."""
    issuer = own.certificate.issuer
    if settings.wwdr is None and (near := [one for one in own.beside if one.subject == issuer]):
        return near[0]
    return certificate(read(WWDR, settings.wwdr))


def _current(name: str, certificate: "Certificate", now: datetime, remedy: str) -> None:
    if now > certificate.not_valid_after_utc:
        raise EnvironmentFault(f"the {name} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; {remedy}")
    if now < certificate.not_valid_before_utc:
        begins = certificate.not_valid_before_utc
        raise EnvironmentFault(f"the {name} is valid only from {begins:%Y-%m-%d}; check the machine's clock")


def _belongs(certificate: "Certificate", pass_type: str, team: str) -> None:
    from cryptography.x509.oid import NameOID

    found_type = _named(certificate, NameOID.USER_ID)
    found_team = _named(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME)
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
    return _text(certificate.subject, oid)


def _text(name: "Name", oid: "ObjectIdentifier") -> str | None:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else None


def issued(certificate: "Certificate", intermediate: "Certificate") -> None:
    """EnvironmentFault if the one did not sign the other; it names the generation that did."""
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(intermediate)
    except (ValueError, TypeError, InvalidSignature):
        raise EnvironmentFault(
            f"the certificate in {WWDR} did not issue the pass certificate"
            f"{_generations(certificate, intermediate)}"
        ) from None


def _generations(certificate: "Certificate", intermediate: "Certificate") -> str:
    """Apple's intermediates are of one name; their generation (G4) is its unit."""
    from cryptography.x509.oid import NameOID

    unit = NameOID.ORGANIZATIONAL_UNIT_NAME
    wanted, found = _text(certificate.issuer, unit), _text(intermediate.subject, unit)
    if wanted is None or wanted == found:
        return "; get the generation named in its issuer (now G4) from apple.com/certificateauthority"
    return f": it is {found or 'another'}, not {wanted}; get {wanted} from apple.com/certificateauthority"
