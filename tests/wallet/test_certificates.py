"""Certificates: each fault in its own sentence, none with a secret in it."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtensionOID, NameOID
from pydantic import SecretStr

from core.errors import EnvironmentFault
from tests.wallet.conftest import NOW, PASS_TYPE, TEAM
from wallet.apple.certificates import load, signer_for
from wallet.apple.settings import AppleSettings
from wallet.apple.signature import Signer
from wallet.apple.throwaway import PASS_SIGNING, throwaway


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CERTIFICATE", "KEY", "KEY_PASSWORD", "WWDR"):
        monkeypatch.delenv(f"TIDINGS_APPLE_{name}", raising=False)


def refusal(settings: AppleSettings, pass_type: str = PASS_TYPE, team: str = TEAM, days: int = 0) -> str:
    with pytest.raises(EnvironmentFault) as caught:
        load(settings, pass_type, team, NOW + timedelta(days=days))
    return str(caught.value)


def test_a_throw_away_certificate_looks_like_one_from_apple(chain: Path) -> None:
    leaf = x509.load_pem_x509_certificate((chain / "certificate.pem").read_bytes())
    assert leaf.subject.get_attributes_for_oid(NameOID.USER_ID)[0].value == PASS_TYPE
    assert leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value == TEAM
    usage = leaf.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    assert isinstance(usage, x509.ExtendedKeyUsage)
    assert x509.ObjectIdentifier(PASS_SIGNING) in usage
    assert (chain / "key.pem").stat().st_mode & 0o077 == 0


def test_a_throw_away_chain_is_kept_while_it_fits(tmp_path: Path) -> None:
    throwaway(tmp_path, PASS_TYPE, TEAM, NOW)
    before = (tmp_path / "certificate.pem").read_bytes()
    throwaway(tmp_path, PASS_TYPE, TEAM, NOW + timedelta(days=30))
    assert (tmp_path / "certificate.pem").read_bytes() == before
    throwaway(tmp_path, PASS_TYPE, "OTHER12345", NOW)
    assert (tmp_path / "certificate.pem").read_bytes() != before


def test_without_a_certificate_in_the_settings_a_throw_away_one_signs(chain: Path) -> None:
    signer = signer_for(AppleSettings(), chain, PASS_TYPE, TEAM, NOW)
    assert signer.certificate == x509.load_pem_x509_certificate((chain / "certificate.pem").read_bytes())


def test_settings_come_from_the_environment(apple: AppleSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_APPLE_CERTIFICATE", str(apple.certificate))
    monkeypatch.setenv("TIDINGS_APPLE_KEY", str(apple.key))
    monkeypatch.setenv("TIDINGS_APPLE_WWDR", str(apple.wwdr))
    load(AppleSettings(), PASS_TYPE, TEAM, NOW)


def test_certificates_may_be_der_as_apple_hands_them_out(
    apple: AppleSettings, signer: Signer, tmp_path: Path
) -> None:
    assert apple.certificate
    assert apple.wwdr
    for name, path in (("certificate", apple.certificate), ("wwdr", apple.wwdr)):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        (tmp_path / f"{name}.cer").write_bytes(certificate.public_bytes(Encoding.DER))
    settings = apple.model_copy(update={n: tmp_path / f"{n}.cer" for n in ("certificate", "wwdr")})
    assert load(settings, PASS_TYPE, TEAM, NOW).certificate == signer.certificate


@pytest.fixture
def locked(apple: AppleSettings, tmp_path: Path) -> AppleSettings:
    """The same key behind a password."""
    assert apple.key
    key = load_pem_private_key(apple.key.read_bytes(), None)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    (tmp_path / "locked.pem").write_bytes(sealed)
    return apple.model_copy(update={"key": tmp_path / "locked.pem"})


def test_a_key_opens_with_its_password(locked: AppleSettings, signer: Signer) -> None:
    settings = locked.model_copy(update={"key_password": SecretStr("open sesame")})
    assert load(settings, PASS_TYPE, TEAM, NOW).certificate == signer.certificate


def test_a_password_for_a_key_without_one_does_no_harm(apple: AppleSettings, signer: Signer) -> None:
    settings = apple.model_copy(update={"key_password": SecretStr("x")})
    assert load(settings, PASS_TYPE, TEAM, NOW).certificate == signer.certificate


def test_a_key_with_a_password_asks_for_it(locked: AppleSettings) -> None:
    assert "has a password; set TIDINGS_APPLE_KEY_PASSWORD" in refusal(locked)


def test_a_wrong_password_is_named_but_not_told(locked: AppleSettings) -> None:
    said = refusal(locked.model_copy(update={"key_password": SecretStr("hunter2")}))
    assert said.startswith("TIDINGS_APPLE_KEY_PASSWORD does not open the key")
    assert "hunter2" not in said


def test_a_setting_that_is_missing_is_named(apple: AppleSettings) -> None:
    assert "TIDINGS_APPLE_WWDR is not set" in refusal(apple.model_copy(update={"wwdr": None}))
    assert "TIDINGS_APPLE_KEY is not set" in refusal(apple.model_copy(update={"key": None}))


def test_a_file_that_is_missing_is_named(apple: AppleSettings) -> None:
    said = refusal(apple.model_copy(update={"certificate": Path("nowhere.cer")}))
    assert said == "TIDINGS_APPLE_CERTIFICATE: there is no file nowhere.cer; correct the path"


def test_a_file_of_another_kind_is_named(apple: AppleSettings, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    wrong = tmp_path / "note.txt"
    assert "is not an X.509 certificate" in refusal(apple.model_copy(update={"certificate": wrong}))
    assert "is not a PEM private key" in refusal(apple.model_copy(update={"key": wrong}))


def test_an_elliptic_key_is_refused(apple: AppleSettings, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "ec.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "is not an RSA key" in refusal(apple.model_copy(update={"key": tmp_path / "ec.pem"}))


def test_a_key_of_another_certificate_is_refused(apple: AppleSettings, tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    (tmp_path / "other.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "is not that of the certificate" in refusal(
        apple.model_copy(update={"key": tmp_path / "other.pem"})
    )


def test_an_expired_certificate_is_refused_with_its_day(apple: AppleSettings) -> None:
    assert "the pass certificate expired on 2036-02-27" in refusal(apple, days=3660)


def test_a_certificate_of_the_future_points_at_the_clock(apple: AppleSettings) -> None:
    assert "check the machine's clock" in refusal(apple, days=-10)


def test_another_pass_type_or_team_is_refused(apple: AppleSettings) -> None:
    assert "wallet.apple.pass_type: pass.example.other" in refusal(apple, pass_type="pass.example.other")
    assert "wallet.apple.team: ZZZZZ99999" in refusal(apple, team="ZZZZZ99999")


def test_an_intermediate_that_did_not_issue_the_certificate_is_refused(
    apple: AppleSettings, chain: Path
) -> None:
    said = refusal(apple.model_copy(update={"wwdr": chain / "root.pem"}))
    assert "TIDINGS_APPLE_WWDR did not issue" in said
