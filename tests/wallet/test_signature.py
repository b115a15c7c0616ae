"""The signature of a pass: what other programs make of it, and that nothing in it is left to chance."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7Options,
    PKCS7SignatureBuilder,
    load_der_pkcs7_certificates,
)

from tests.wallet.conftest import NOW
from wallet.apple.signature import Signer

MANIFEST = b'{"pass.json":"0000"}\n{"two":"lines"}\r\n'
SIGNING_TIME = bytes.fromhex("06092a864886f70d010905310f170d")


def signed(signer: Signer, manifest: bytes, at: datetime) -> bytes:
    return signer.beginning + signer.sign(manifest, at)


def signed_at(signature: bytes) -> datetime:
    place = signature.index(SIGNING_TIME) + len(SIGNING_TIME)
    text = signature[place : place + 13].decode("ascii")
    return datetime.strptime(text, "%y%m%d%H%M%SZ").replace(tzinfo=UTC)


def verified(signature: bytes, manifest: bytes, chain: Path, folder: Path) -> bytes | None:
    """What OpenSSL makes of a detached signature, held to the letter of the standards; None if it refuses."""
    (folder / "signature").write_bytes(signature)
    (folder / "manifest.json").write_bytes(manifest)
    command = [
        *("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "signature", "-x509_strict"),
        *("-content", "manifest.json", "-purpose", "any", "-CAfile", str(chain / "root.pem")),
    ]
    result = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return result.stdout if result.returncode == 0 else None


def test_openssl_verifies_it_over_the_exact_bytes(signer: Signer, chain: Path, tmp_path: Path) -> None:
    signature = signed(signer, MANIFEST, NOW)
    assert verified(signature, MANIFEST, chain, tmp_path) == MANIFEST
    assert verified(signature, MANIFEST + b"\n", chain, tmp_path) is None
    assert verified(signature[:-1] + bytes((signature[-1] ^ 1,)), MANIFEST, chain, tmp_path) is None


def test_it_is_byte_for_byte_what_cryptography_makes_at_that_time(signer: Signer) -> None:
    builder = PKCS7SignatureBuilder().set_data(MANIFEST)
    builder = builder.add_signer(signer.certificate, signer.key, SHA256()).add_certificate(
        signer.intermediate
    )
    form = [PKCS7Options.DetachedSignature, PKCS7Options.Binary, PKCS7Options.NoCapabilities]
    theirs = builder.sign(Encoding.DER, form)
    assert signed(signer, MANIFEST, signed_at(theirs)) == theirs


def test_it_carries_both_certificates_and_the_time_that_it_was_given(signer: Signer) -> None:
    at = datetime(2026, 7, 9, 3, 4, 5, 678, tzinfo=UTC)
    signature = signed(signer, MANIFEST, at)
    found = {certificate.serial_number for certificate in load_der_pkcs7_certificates(signature)}
    assert found == {signer.certificate.serial_number, signer.intermediate.serial_number}
    assert signed_at(signature) == at.replace(microsecond=0)
    assert signed(signer, MANIFEST, at.astimezone()) == signature


def test_a_renewed_certificate_signs_what_changed_before_it_was_made(signer: Signer) -> None:
    since = signer.certificate.not_valid_before_utc
    assert signed_at(signed(signer, MANIFEST, since - timedelta(days=200))) == since


def test_a_time_that_has_another_form_is_refused(signer: Signer) -> None:
    with pytest.raises(ValueError, match="2050"):
        signed(signer, MANIFEST, datetime(2050, 1, 1, tzinfo=UTC))
