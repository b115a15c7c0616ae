"""The barcode on the picture: what is drawn is what a till reads."""

from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from tests.wallet.cards import designed
from tests.wallet.test_preview import subject
from wallet import preview
from wallet.artwork import Artwork
from wallet.preview.remarks import remarks


@pytest.mark.parametrize("wallet", preview.WALLETS)
@pytest.mark.parametrize("kind", ["qr", "aztec", "pdf417", "code128"])
def test_a_scanner_reads_the_message_off_the_picture(
    pictures: Artwork, kind: str, wallet: preview.WalletName
) -> None:
    card = designed(barcode={"kind": kind, "message": "KV20261234"})
    drawn = preview.draw(subject(pictures, card=card), wallet)
    picture = Image.open(BytesIO(preview.png(drawn.svg(), zoom=1.0 if kind == "qr" else 2.0))).convert("L")
    [read] = zxingcpp.read_barcodes(picture)
    assert (read.text, read.format.name.lower()) == ("KV20261234", "qrcode" if kind == "qr" else kind)


def test_a_code_that_a_scanner_cannot_read_is_told(pictures: Artwork) -> None:
    def told(kind: str, message: str) -> str:
        card = designed(barcode={"kind": kind, "message": message})
        return " ".join(remarks(subject(pictures, card=card)))

    assert "bars are 0.7 points thin" in told("code128", "KAVARNIA-LOYALTY-2026-000000012345678")
    assert "cannot hold" in told("code128", "Кава")
    assert "cannot hold" in told("qr", "x" * 3000)
    assert told("qr", "KV1") == told("aztec", "KV1") == told("pdf417", "KV1") == ""
