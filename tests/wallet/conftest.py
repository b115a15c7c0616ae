"""What the wallet's tests share: signing certificates, a customer, the example card."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import Connection, Table

from core.clock import MovableClock
from core.db import Database
from core.tables import Customer
from tests.wallet.cards import Guest, artwork, load_card
from tests.wallet.google import Google
from tests.wallet.servers import running
from wallet.apple.certificates import load
from wallet.apple.content import Issuer
from wallet.apple.package import Packager
from wallet.apple.settings import AppleSettings
from wallet.apple.signature import Signer
from wallet.apple.throwaway import throwaway
from wallet.artwork import Artwork
from wallet.design import Card
from wallet.google.account import Account, account_for
from wallet.google.account import load as load_account
from wallet.google.client import Wallet, wallet_for
from wallet.google.settings import GoogleSettings

if TYPE_CHECKING:
    from tests.wallet.till import Till

PASS_TYPE, TEAM = "pass.example.kavarnia", "ABCDE12345"
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

NewCustomer = Callable[[Connection, str], int]
Speak = Callable[[Callable[[Wallet], Awaitable[Any]]], Any]


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
def p8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "AuthKey_ABC123DEFG.p8"
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


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


@pytest.fixture(scope="session")
def account_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away service account's key file."""
    folder = tmp_path_factory.mktemp("google")
    account_for(GoogleSettings(), folder)
    return folder / "service-account.json"


@pytest.fixture
def account(account_file: Path) -> Account:
    return load_account(account_file)


@pytest.fixture
def google(account: Account) -> Google:
    return Google(public_key=account.key.public_key())


@pytest.fixture
def speak(google: Google, account: Account) -> Iterator[Speak]:
    """Runs something with a client of the local Google."""
    with running(google) as address:
        settings = GoogleSettings(
            transport="api", base_url=f"http://{address}/walletobjects/v1", requests_a_second=10_000
        )
        local = Account(account.email, account.key, {**account.info, "token_uri": f"http://{address}/token"})

        def run(task: Callable[[Wallet], Awaitable[Any]]) -> Any:
            async def whole() -> Any:
                wallet = wallet_for(settings, local, Path("unused"))
                try:
                    return await task(wallet)
                finally:
                    await wallet.close()

            return asyncio.run(whole())

        yield run


@pytest.fixture
def till(
    database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer,
    google: Google, card: Card, pictures: Artwork,
) -> "Till":  # fmt: skip
    """A shop whose cards are at Google, too."""
    from tests.wallet.shop import Shop  # which takes names from here
    from tests.wallet.till import Till

    return Till(Shop(database, clock, packager, new_customer), google, card, pictures)
