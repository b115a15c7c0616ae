"""The pass as a file: what a phone checks before it shows it."""

import json
import subprocess
from decimal import Decimal
from hashlib import sha1
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from tests.wallet.cards import Guest
from tests.wallet.conftest import PASS_TYPE, TEAM
from wallet.apple.package import Issuer, Packager, pass_json, rgb
from wallet.design import Card, Code, Place
from wallet.preview.canvas import FONTS

SERIAL, TOKEN = "0123456789abcdef", "secret-token-of-16-or-more"


def opened(content: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_signature_is_that_of_the_manifest_and_the_manifest_that_of_every_file(
    packager: Packager, guest: Guest, chain: Path, tmp_path: Path
) -> None:
    files = opened(packager.build(guest.face(), SERIAL, TOKEN))
    for name in ("manifest.json", "signature"):
        (tmp_path / name).write_bytes(files[name])
    command = [
        *("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "signature"),
        *("-content", "manifest.json", "-purpose", "any", "-CAfile", str(chain / "root.pem")),
    ]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    assert result.stdout == files["manifest.json"]
    manifest = json.loads(files["manifest.json"])
    assert set(manifest) == set(files) - {"manifest.json", "signature"}
    assert all(sha1(files[name]).hexdigest() == digest for name, digest in manifest.items())


def test_a_manifest_that_was_touched_is_refused(
    packager: Packager, guest: Guest, chain: Path, tmp_path: Path
) -> None:
    files = opened(packager.build(guest.face(), SERIAL, TOKEN))
    (tmp_path / "signature").write_bytes(files["signature"])
    (tmp_path / "manifest.json").write_bytes(files["manifest.json"] + b"\n")
    command = [
        *("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "signature"),
        *("-content", "manifest.json", "-purpose", "any", "-CAfile", str(chain / "root.pem")),
    ]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_the_signature_carries_leaf_intermediate_and_time_but_not_the_manifest(
    packager: Packager, guest: Guest, tmp_path: Path
) -> None:
    files = opened(packager.build(guest.face(), SERIAL, TOKEN))
    assert files["manifest.json"] not in files["signature"]
    (tmp_path / "signature").write_bytes(files["signature"])
    command = ["openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", str(tmp_path / "signature")]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert f"Pass Type ID: {PASS_TYPE}" in said
    assert "Throw-away Worldwide Developer Relations CA" in said
    assert "signingTime" in said
    assert "sha256" in said


def test_the_same_card_is_the_same_file_but_for_the_signature(packager: Packager, guest: Guest) -> None:
    one, other = (opened(packager.build(guest.face(), SERIAL, TOKEN)) for _ in range(2))
    assert {**one, "signature": b""} == {**other, "signature": b""}


def test_members_are_stored_with_a_fixed_time_and_nothing_strays_among_them(
    packager: Packager, guest: Guest
) -> None:
    with ZipFile(BytesIO(packager.build(guest.face(), SERIAL, TOKEN))) as archive:
        members = archive.infolist()
    assert {it.compress_type for it in members} == {ZIP_STORED}
    assert {it.date_time for it in members} == {(1980, 1, 1, 0, 0, 0)}
    pictures = {f"{name}{scale}.png" for name in ("icon", "logo", "strip") for scale in ("", "@2x", "@3x")}
    assert {it.filename for it in members} == pictures | {"pass.json", "manifest.json", "signature"}


def test_other_programs_read_the_archive(packager: Packager, guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "card.pkpass").write_bytes(packager.build(guest.face(), SERIAL, TOKEN))
    command = ["python3", "-m", "zipfile", "-t", str(tmp_path / "card.pkpass")]
    assert "Done testing" in subprocess.run(command, capture_output=True, check=True, text=True).stdout


def test_pass_json_holds_what_wallet_asks_for(packager: Packager, guest: Guest) -> None:
    guest.places = [Place(50.45, 30.52, "Kavarnia на Хрещатику")]
    content = json.loads(opened(packager.build(guest.face(), SERIAL, TOKEN))["pass.json"])
    assert content == {
        "formatVersion": 1,
        "passTypeIdentifier": PASS_TYPE,
        "teamIdentifier": TEAM,
        "serialNumber": SERIAL,
        "organizationName": "Kavarnia",
        "description": "Картка лояльності Kavarnia",
        "backgroundColor": "rgb(31, 59, 45)",
        "foregroundColor": "rgb(255, 255, 255)",
        "labelColor": "rgb(185, 211, 194)",
        "webServiceURL": "https://loyalty.example/wallet/apple",
        "authenticationToken": TOKEN,
        "storeCard": {
            "headerFields": [
                {
                    "key": "balance",
                    "label": "Бонуси",
                    "value": "1\u00a0250",
                    "changeMessage": "Тепер у вас %@",
                }
            ],
            "secondaryFields": [
                {"key": "tier", "label": "Рівень", "value": "Silver", "changeMessage": "Ваш рівень: %@"},
                {"key": "next", "label": "До наступного", "value": "7\u00a0400\u00a0₴"},
            ],
            "auxiliaryFields": [{"key": "expiring", "label": "Згорає", "value": "500 до 15 березня"}],
            "backFields": [
                {"key": "terms", "label": "Правила", "value": "1 бонус = 1 грн."},
                {"key": "unsubscribe", "label": "Повідомлення", "value": "https://kavarnia.example/p/abc"},
            ],
        },
        "barcodes": [
            {
                "format": "PKBarcodeFormatQR",
                "message": "KV20261234",
                "messageEncoding": "iso-8859-1",
                "altText": "KV20261234",
            }
        ],
        "locations": [{"latitude": 50.45, "longitude": 30.52, "relevantText": "Kavarnia на Хрещатику"}],
    }


def test_nfc_needs_the_tills_key_and_takes_64_bytes(guest: Guest) -> None:
    guest.card = "Я" * 40
    face = guest.face()
    assert "nfc" not in pass_json(Issuer(PASS_TYPE, TEAM), face, SERIAL, TOKEN)
    nfc = pass_json(Issuer(PASS_TYPE, TEAM, nfc_public_key="MDkw"), face, SERIAL, TOKEN)["nfc"]
    assert nfc == {"message": "Я" * 32, "encryptionPublicKey": "MDkw"}


def test_a_pass_without_a_web_service_carries_no_token(guest: Guest) -> None:
    content = pass_json(Issuer(PASS_TYPE, TEAM), guest.face(), SERIAL, TOKEN)
    assert "authenticationToken" not in content
    assert "webServiceURL" not in content


def test_a_voided_pass_says_so(guest: Guest) -> None:
    assert pass_json(Issuer(PASS_TYPE, TEAM), guest.face(), SERIAL, TOKEN, voided=True)["voided"] is True


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("qr", "PKBarcodeFormatQR"),
        ("pdf417", "PKBarcodeFormatPDF417"),
        ("aztec", "PKBarcodeFormatAztec"),
        ("code128", "PKBarcodeFormatCode128"),
    ],
)
def test_barcodes_have_apples_names(kind: str, written: str, card: Card, guest: Guest) -> None:
    assert card.barcode is not None
    other = card.model_copy(update={"barcode": card.barcode.model_copy(update={"kind": kind})})
    (code,) = pass_json(Issuer(PASS_TYPE, TEAM), guest.face(other), SERIAL, TOKEN)["barcodes"]
    assert code["format"] == written


def test_a_code_that_latin_1_cannot_spell_is_said_to_be_utf_8(card: Card, guest: Guest) -> None:
    guest.card = "КВ-1"
    (code,) = pass_json(Issuer(PASS_TYPE, TEAM), guest.face(), SERIAL, TOKEN)["barcodes"]
    assert code["messageEncoding"] == "utf-8"
    assert Code("qr", "КВ-1").message == code["message"]


def test_two_balances_make_two_passes_of_one_serial(packager: Packager, guest: Guest) -> None:
    first = opened(packager.build(guest.face(), SERIAL, TOKEN))
    guest.balance = Decimal(7)
    second = opened(packager.build(guest.face(), SERIAL, TOKEN))
    assert first["manifest.json"] != second["manifest.json"]
    assert first["logo.png"] == second["logo.png"]
    assert json.loads(second["pass.json"])["serialNumber"] == SERIAL


def test_colours_are_spelled_as_apple_does() -> None:
    assert rgb("#1f3b2d") == "rgb(31, 59, 45)"


def test_the_fonts_come_with_their_licence_and_stay_small() -> None:
    assert "SIL OPEN FONT LICENSE" in (FONTS / "LICENSE.txt").read_text()
    assert sum(path.stat().st_size for path in FONTS.iterdir()) < 400_000
