"""Several passes in one file."""

from io import BytesIO
from zipfile import ZipFile

import pytest

from core.errors import UserError
from tests.wallet.cards import Guest
from tests.wallet.conftest import NOW
from wallet.apple.bundle import MIME, bundle
from wallet.apple.package import Packager


def test_a_bundle_is_a_zip_of_passes(packager: Packager, guest: Guest) -> None:
    made = {name: packager.build(guest.face(), name, "1" * 32, NOW) for name in ("olena", "a/b")}
    content = bundle(made)
    with ZipFile(BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a%2Fb.pkpass", "olena.pkpass"]
        assert archive.read("olena.pkpass") == made["olena"]
    assert bundle(dict(reversed(made.items()))) == content
    assert MIME == "application/vnd.apple.pkpasses"


def test_a_bundle_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="at least one"):
        bundle({})
    with pytest.raises(UserError, match="at most 10 passes, not 11"):
        bundle({str(number): b"" for number in range(11)})
    monkeypatch.setattr("wallet.apple.bundle.BYTES_AT_MOST", 1_000_000)
    with pytest.raises(UserError, match="at most 1 MB, not 2"):
        bundle({"a": b"x" * 1_000_000, "b": b"x" * 1_000_000})
