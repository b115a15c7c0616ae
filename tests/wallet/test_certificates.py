"""Certificates: each fault in its own sentence, none with a secret in it."""

from base64 import b64decode, b64encode, encodebytes
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES, serialize_key_and_certificates
from cryptography.x509.oid import ExtensionOID, NameOID
from pydantic import SecretStr
from structlog.testing import capture_logs

from core.errors import EnvironmentFault
from core.program.check import read_program
from core.source import load as read_document
from scheduler.expiry_watch import ExpiryWatch
from tests.wallet.cards import EXAMPLE
from tests.wallet.conftest import NOW, PASS_TYPE, TEAM
from tidings.certificates_checked import check_certificates
from wallet.apple.certificates import (
    client_context,
    configured,
    expires_in,
    expiring,
    issued,
    load,
    nfc_key,
    signer_for,
    trusting,
)
from wallet.apple.settings import AppleSettings
from wallet.apple.signature import Signer
from wallet.apple.throwaway import PASS_SIGNING, throwaway


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CERTIFICATE", "KEY", "KEY_PASSWORD", "WWDR", "NFC_PUBLIC_KEY", "APNS_KEY"):
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


def test_processes_that_start_at_one_moment_share_one_throw_away_chain(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as several:
        signers = list(
            several.map(
                lambda _: signer_for(AppleSettings(), tmp_path / "keys", PASS_TYPE, TEAM, NOW), range(4)
            )
        )
    assert len({it.certificate.serial_number for it in signers}) == 1


def test_without_a_certificate_in_the_settings_a_throw_away_one_signs(chain: Path) -> None:
    signer = signer_for(AppleSettings(), chain, PASS_TYPE, TEAM, NOW)
    assert signer.certificate == x509.load_pem_x509_certificate((chain / "certificate.pem").read_bytes())


def test_settings_come_from_the_environment(apple: AppleSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_APPLE_CERTIFICATE", str(apple.certificate))
    monkeypatch.setenv("TIDINGS_APPLE_KEY", str(apple.key))
    monkeypatch.setenv("TIDINGS_APPLE_WWDR", str(apple.wwdr))
    load(AppleSettings(), PASS_TYPE, TEAM, NOW)


def in_variables(monkeypatch: pytest.MonkeyPatch, **contents: str) -> AppleSettings:
    """Settings whose variables hold what would stand in files."""
    for name, content in contents.items():
        monkeypatch.setenv(f"TIDINGS_APPLE_{name.upper()}", content)
    return AppleSettings()


@pytest.mark.parametrize("spelled", ["pem", "one line", "base64 of pem", "wrapped base64 of der"])
def test_a_container_holds_them_in_its_variables(
    apple: AppleSettings, signer: Signer, monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    def content(path: object) -> str:
        assert isinstance(path, Path)
        pem = path.read_bytes()
        der = b64decode(b"".join(line for line in pem.splitlines() if not line.startswith(b"-----")))
        return {
            "pem": pem.decode(),
            "one line": pem.decode().replace("\n", "\\n"),
            "base64 of pem": b64encode(pem).decode(),
            "wrapped base64 of der": encodebytes(der).decode(),
        }[spelled]

    settings = in_variables(
        monkeypatch, certificate=content(apple.certificate), key=content(apple.key), wwdr=content(apple.wwdr)
    )
    assert load(settings, PASS_TYPE, TEAM, NOW).certificate == signer.certificate
    assert content(apple.key)[40:80] not in repr(settings)


def test_a_value_that_is_damaged_is_not_told(apple: AppleSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(apple.key, Path)
    secret = b64encode(apple.key.read_bytes()).decode()[3:]
    said = refusal(in_variables(monkeypatch, certificate=str(apple.certificate), key=secret))
    assert said.startswith("TIDINGS_APPLE_KEY: its value is not a private key")
    assert secret[10:30] not in said


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = in_variables(monkeypatch, certificate="", key="", key_password="", wwdr="")
    assert not configured(settings)
    assert settings.key_password is None


def p12(signer: Signer, password: str | None, *beside: x509.Certificate, sealed: Any = None) -> bytes:
    how = sealed or (BestAvailableEncryption(password.encode()) if password else NoEncryption())
    return serialize_key_and_certificates(b"pass", signer.key, signer.certificate, beside or None, how)


def exported(tmp_path: Path, content: bytes, password: str | None = None, **more: Any) -> AppleSettings:
    """Settings with a .p12 alone."""
    (tmp_path / "pass.p12").write_bytes(content)
    secret = SecretStr(password) if password is not None else None
    return AppleSettings(certificate=tmp_path / "pass.p12", key_password=secret, **more)


def test_a_p12_has_certificate_and_key(apple: AppleSettings, signer: Signer, tmp_path: Path) -> None:
    content = p12(signer, "open sesame")
    own = exported(tmp_path, content, "open sesame", wwdr=apple.wwdr)
    assert load(own, PASS_TYPE, TEAM, NOW).certificate == signer.certificate
    bare = exported(tmp_path, p12(signer, None), wwdr=apple.wwdr)
    assert load(bare, PASS_TYPE, TEAM, NOW).certificate == signer.certificate


def test_a_p12_as_keychain_access_exports_it_opens(
    apple: AppleSettings, signer: Signer, tmp_path: Path
) -> None:
    old = PrivateFormat.PKCS12.encryption_builder().key_cert_algorithm(PBES.PBESv1SHA1And3KeyTripleDESCBC)
    content = p12(signer, None, sealed=old.hmac_hash(SHA1()).build(b"open sesame"))
    settings = exported(tmp_path, content, "open sesame", wwdr=apple.wwdr)
    assert load(settings, PASS_TYPE, TEAM, NOW).certificate == signer.certificate


def test_a_p12_in_a_variable_may_bring_the_intermediate_too(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b64encode(p12(signer, "x", signer.intermediate)).decode()
    settings = in_variables(monkeypatch, certificate=content, key_password="x")
    assert load(settings, PASS_TYPE, TEAM, NOW).intermediate == signer.intermediate


def test_a_p12_says_what_it_lacks(apple: AppleSettings, signer: Signer, tmp_path: Path) -> None:
    locked = p12(signer, "open sesame")
    assert "the .p12 has a password; set TIDINGS_APPLE_KEY_PASSWORD" in refusal(exported(tmp_path, locked))
    said = refusal(exported(tmp_path, locked, "hunter2"))
    assert said.startswith("TIDINGS_APPLE_KEY_PASSWORD does not open the .p12")
    assert "hunter2" not in said
    keyless = serialize_key_and_certificates(b"pass", None, signer.certificate, None, NoEncryption())
    assert "holds no certificate with its private key" in refusal(exported(tmp_path, keyless))
    assert "TIDINGS_APPLE_WWDR is not set" in refusal(exported(tmp_path, locked, "open sesame"))
    assert isinstance(apple.certificate, Path)
    swapped = apple.model_copy(update={"key": tmp_path / "pass.p12"})
    assert "give it as TIDINGS_APPLE_CERTIFICATE" in refusal(swapped)


def test_one_pem_may_hold_certificate_and_key(apple: AppleSettings, signer: Signer, tmp_path: Path) -> None:
    assert isinstance(apple.certificate, Path)
    assert isinstance(apple.key, Path)
    both = b"Bag Attributes: none\n" + apple.certificate.read_bytes() + apple.key.read_bytes()
    (tmp_path / "pass.pem").write_bytes(both)
    settings = AppleSettings(certificate=tmp_path / "pass.pem", wwdr=apple.wwdr)
    assert load(settings, PASS_TYPE, TEAM, NOW).certificate == signer.certificate


def test_certificates_may_be_der_as_apple_hands_them_out(
    apple: AppleSettings, signer: Signer, tmp_path: Path
) -> None:
    assert isinstance(apple.certificate, Path)
    assert isinstance(apple.wwdr, Path)
    for name, path in (("certificate", apple.certificate), ("wwdr", apple.wwdr)):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        (tmp_path / f"{name}.cer").write_bytes(certificate.public_bytes(Encoding.DER))
    settings = apple.model_copy(update={n: tmp_path / f"{n}.cer" for n in ("certificate", "wwdr")})
    assert load(settings, PASS_TYPE, TEAM, NOW).certificate == signer.certificate


@pytest.fixture
def locked(apple: AppleSettings, tmp_path: Path) -> AppleSettings:
    """The same key behind a password."""
    assert isinstance(apple.key, Path)
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
    assert said.startswith("TIDINGS_APPLE_KEY_PASSWORD does not open the key in TIDINGS_APPLE_KEY")
    assert "hunter2" not in said


def test_a_setting_that_is_missing_is_named(apple: AppleSettings) -> None:
    assert "TIDINGS_APPLE_WWDR is not set" in refusal(apple.model_copy(update={"wwdr": None}))
    assert "TIDINGS_APPLE_KEY is not set" in refusal(apple.model_copy(update={"key": None}))


def test_a_file_that_is_missing_is_named(apple: AppleSettings) -> None:
    said = refusal(apple.model_copy(update={"certificate": Path("nowhere.cer")}))
    assert said == "TIDINGS_APPLE_CERTIFICATE: there is no file nowhere.cer; correct the path"


def test_a_file_of_another_kind_is_named(apple: AppleSettings, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    (tmp_path / "request.pem").write_text("-----BEGIN CERTIFICATE REQUEST-----\n")
    wrong = tmp_path / "note.txt"
    assert "is not an X.509 certificate" in refusal(apple.model_copy(update={"certificate": wrong}))
    assert "is not a private key that can be read" in refusal(apple.model_copy(update={"key": wrong}))
    request = apple.model_copy(update={"certificate": tmp_path / "request.pem"})
    assert "is the request for a certificate; upload it to Apple" in refusal(request)
    swapped = apple.model_copy(update={"certificate": apple.key, "key": apple.certificate})
    assert "is a private key; give it as TIDINGS_APPLE_KEY" in refusal(swapped)
    assert "is a certificate; give the key" in refusal(apple.model_copy(update={"key": apple.certificate}))


def test_a_file_that_cannot_be_read_is_named(apple: AppleSettings, tmp_path: Path) -> None:
    said = refusal(apple.model_copy(update={"key": tmp_path}))
    assert said == f"TIDINGS_APPLE_KEY: {tmp_path} cannot be read (Is a directory); correct its rights"


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


def of_generation(unit: str, issuer: str) -> x509.Certificate:
    """A certificate of Apple's intermediate in one generation, issued by another one."""

    def name(generation: str) -> x509.Name:
        common = x509.NameAttribute(NameOID.COMMON_NAME, "Worldwide Developer Relations")
        return x509.Name([common, x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, generation)])

    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateBuilder().subject_name(name(unit)).issuer_name(name(issuer))
    made = made.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1))
    return made.public_key(key.public_key()).serial_number(1).sign(key, SHA256())


def test_another_generation_of_the_intermediate_is_told_by_its_name() -> None:
    with pytest.raises(EnvironmentFault, match=r"it is G6, not G4; get G4 from apple\.com"):
        issued(of_generation("leaf", issuer="G4"), of_generation("G6", issuer="root"))


def test_certificates_are_warned_of_thirty_days_ahead(signer: Signer) -> None:
    end = signer.certificate.not_valid_after_utc
    assert expiring(signer, end - timedelta(days=31)) is None
    said = expiring(signer, end - timedelta(days=12, hours=1))
    assert said is not None
    assert said.startswith("the pass certificate ends on 2036-02-27, in 12 days; make a new one")
    assert "cards in phones stay good" in said
    assert "ended on 2036-02-27" in str(expiring(signer, end + timedelta(days=1)))
    assert expires_in(signer, end - timedelta(days=2)) == timedelta(days=2)
    assert expires_in(signer, end + timedelta(days=2)) == timedelta(days=-2)


def test_the_serving_process_says_so_once_a_day(signer: Signer) -> None:
    end = signer.certificate.not_valid_after_utc
    watch = ExpiryWatch(lambda: SimpleNamespace(packager=SimpleNamespace(signer=signer)))  # type: ignore[arg-type,return-value]
    with capture_logs() as logs:
        for hours in (-24 * 60, -72, -71, -48):
            now = end + timedelta(hours=hours)
            if watch.due(now):
                watch.look(now)
    assert [(entry["event"], entry["days"]) for entry in logs] == [
        ("certificate ends", 3),
        ("certificate ends", 2),
    ]


def test_a_check_warns_in_time_and_names_faults(apple: AppleSettings, signer: Signer, tmp_path: Path) -> None:
    text = (EXAMPLE / "program.yaml").read_text("utf-8")
    document, program = read_document(text, "program.yaml", []), read_program(text, [])
    assert document is not None
    assert program is not None
    file, end = tmp_path / ".env", signer.certificate.not_valid_after_utc

    def found(before_the_end: timedelta) -> list[tuple[str, str]]:
        problems = check_certificates(file, program, document, end - before_the_end)
        return [(it.severity, f"{it.path}: {it.what}") for it in problems]

    assert found(timedelta(days=3)) == []
    file.write_text("TIDINGS_APPLE_TRANSPORT=apns\n")
    [(severity, without)] = found(timedelta(days=3))
    assert (severity, without.partition(" TIDINGS")[0]) == ("error", "wallet.apple: pushes need")
    names = {"CERTIFICATE": apple.certificate, "KEY": apple.key, "WWDR": apple.wwdr}
    file.write_text("".join(f"TIDINGS_APPLE_{name}={path}\n" for name, path in names.items()))
    assert found(timedelta(days=31)) == []
    told = "wallet.apple: the pass certificate"
    assert found(timedelta(days=3)) == [("warning", f"{told} ends on 2036-02-27, in 3 days")]
    assert found(-timedelta(days=3)) == [("error", f"{told} expired on 2036-02-27")]


def test_the_tills_key_for_nfc_is_written_as_apple_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    packed = b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    assert nfc_key(in_variables(monkeypatch, nfc_public_key=pem)) == packed
    assert nfc_key(in_variables(monkeypatch, nfc_public_key=packed)) == packed
    assert nfc_key(AppleSettings(nfc_public_key=None)) is None
    with pytest.raises(
        EnvironmentFault, match="TIDINGS_APPLE_NFC_PUBLIC_KEY is not a public key of the curve"
    ):
        nfc_key(in_variables(monkeypatch, nfc_public_key="MDkw"))


def test_a_key_of_another_pair_opens_no_connection(apple: AppleSettings, tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    (tmp_path / "other.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(EnvironmentFault, match="open no connection"):
        client_context(apple.model_copy(update={"key": tmp_path / "other.pem"}))


@pytest.mark.parametrize("name", ["nowhere.pem", "empty.pem", "folder"])
def test_whom_to_trust_instead_is_named_where_it_cannot_be_read(
    apple: AppleSettings, tmp_path: Path, name: str
) -> None:
    (tmp_path / "empty.pem").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(EnvironmentFault, match=rf"TIDINGS_APPLE_APNS_CA: .*{name}"):
        trusting(apple.model_copy(update={"apns_ca": tmp_path / name}))


def test_a_p12_opens_connections_to_apple_and_leaves_nothing_behind(
    signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    content = b64encode(p12(signer, "x")).decode()
    client_context(in_variables(monkeypatch, certificate=content, key_password="x"))
    assert list(tmp_path.iterdir()) == []
