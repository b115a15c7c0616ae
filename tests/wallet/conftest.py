"""What the wallet's tests share: signing certificates, a customer, the example card."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table

from core.tables import Customer
from tests.wallet.cards import Guest, artwork, load_card
from wallet.apple.certificates import load
from wallet.apple.package import Issuer, Packager
from wallet.apple.settings import AppleSettings
from wallet.apple.signature import Signer
from wallet.apple.throwaway import throwaway
from wallet.artwork import Artwork
from wallet.design import Card

PASS_TYPE, TEAM = "pass.example.kavarnia", "ABCDE12345"
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

NewCustomer = Callable[[Connection, str], int]


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a throw-away chain."""
    folder = tmp_path_factory.mktemp("certificates")
    throwaway(folder, PASS_TYPE, TEAM, NOW)
    return folder


@pytest.fixture(scope="session")
def apple(chain: Path) -> AppleSettings:
    return throwaway(chain, PASS_TYPE, TEAM, NOW)


@pytest.fixture(scope="session")
def signer(apple: AppleSettings) -> Signer:
    return load(apple, PASS_TYPE, TEAM, NOW)


@pytest.fixture(scope="session")
def card() -> Card:
    return load_card()


@pytest.fixture(scope="session")
def pictures() -> Artwork:
    return artwork()


@pytest.fixture(scope="session")
def packager(pictures: Artwork, signer: Signer) -> Packager:
    issuer = Issuer(PASS_TYPE, TEAM, "https://loyalty.example/wallet/apple")
    return Packager(issuer, pictures, signer)


@pytest.fixture
def guest() -> Guest:
    return Guest()


@pytest.fixture
def new_customer() -> NewCustomer:
    """Writes a customer and gives the id."""

    def write(connection: Connection, name: str) -> int:
        values = {"external_id": name, "registered_at": NOW, "updated_at": NOW, "attributes": {}}
        customers: Table = Customer.__table__  # type: ignore[attr-defined]
        written = connection.execute(customers.insert().values(values).returning(customers.c.id))
        return int(written.scalar_one())

    return write
