"""A workspace whose folder is called as an address would not be: its database is the one that lies in it."""

import pytest

from core.errors import UserError
from tests.support.shop import Shop, shop
from tidings.commands.database import _file
from tidings.workspace import Workspace

__all__ = ["shop"]


@pytest.mark.parametrize("name", ["Café? No. 1", "shop#2", "50%20off", "50%", "a?mode=memory"])
def test_the_database_lies_beside_the_program(shop: Shop, name: str) -> None:
    odd = Shop(shop.path.rename(shop.path.with_name(name)), shop.monkeypatch, shop.capsys)
    said = odd.run("apply", "--yes")
    assert said.code == 0, said.err
    assert (odd.path / "tidings.db").is_file()
    assert list(odd.path.parent.iterdir()) == [odd.path]
    assert odd.run("db", "backup", str(odd.path / "kept.db")).code == 0
    address = Workspace(odd.path).database_url
    assert _file(str(odd.path / "tidings.db")) == _file(address) == address


def test_an_address_of_a_file_that_is_not_there_is_told_as_its_file() -> None:
    with pytest.raises(UserError, match=r"there is no database /gone/50%/tidings\.db; name the SQLite file"):
        _file("sqlite:////gone/50%25/tidings.db")
