"""What one applied version needs for its card: pictures, signer, Google's account; made once a version."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from campaigns.running import Running
from core.clock import Clock
from core.environment import variable
from core.errors import EnvironmentFault
from core.links import Links
from core.program import Program
from scheduler.deck import Deck, read_card
from wallet.apple.certificates import configured, nfc_key, signer_for
from wallet.apple.content import Issuer
from wallet.apple.package import Packager
from wallet.apple.push import Pusher, pusher_for
from wallet.apple.settings import AppleSettings
from wallet.artwork import Artwork
from wallet.design import Card, Face
from wallet.google.account import Account, account_for
from wallet.google.bodies import GoogleIssuer
from wallet.google.client import Wallet, wallet_for
from wallet.google.links import save_link
from wallet.google.live import GoogleCards
from wallet.google.settings import GoogleSettings

THROWAWAY = (
    "passes are signed by a throw-away certificate, which no phone trusts; set TIDINGS_APPLE_CERTIFICATE"
)
NEVER_UPDATED = (
    "iPhones ask for changes over https only, and a pass keeps the address it was made with, which is {}; "
    "set TIDINGS_PUBLIC_URL to one with https:// before cards are given out"
)
THROWAWAY_GOOGLE = (
    "Google links are signed by a throw-away key, which Google refuses; set TIDINGS_GOOGLE_SERVICE_ACCOUNT"
)
# Paths below the public address; the API mounts them.
APPLE_PATH, GOOGLE_PICTURES, GOOGLE_PATH = "wallet/apple", "wallet/google/pictures", "wallet/google"

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


@dataclass(frozen=True, slots=True)
class AppleIdentity:
    """Whose passes they are."""

    pass_type: str
    team: str


@dataclass(slots=True)
class GoogleKit:
    """Google's side of one version."""

    account: Account
    issuer: GoogleIssuer
    name: str
    card: Card
    artwork: Artwork
    keys_url: str
    _cards: tuple[Wallet, GoogleCards] | None = None

    def cards(self, wallet: Wallet) -> GoogleCards:
        """The writer of classes and objects by one connection; it remembers which classes it has written."""
        if self._cards is None or self._cards[0] is not wallet:
            made = GoogleCards(wallet, self.issuer, self.name, self.card, self.artwork)
            self._cards = (wallet, made)
        return self._cards[1]

    def save_link(self, wallet: Wallet, face: Face, serial: str, now: datetime) -> str:
        """Where the customer saves the card; its object must be written before."""
        return save_link(self.account, *self.cards(wallet).ids(face, serial), now)


@dataclass(frozen=True, slots=True)
class Kit:
    """Everything for the card of one version. `notes` say what keeps it from being real."""

    deck: Deck
    artwork: Artwork
    apple: AppleIdentity | None
    packager: Packager | None
    google: GoogleKit | None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class KitMaker:
    """Makes kits, keeps the newest, and holds the connections, which outlive versions."""

    links: Callable[[Program], Links]
    clock: Clock
    outbox: Path
    private: Path
    env_file: Path | None = None
    _made: dict[int, Kit | None] = field(default_factory=dict)
    _pushers: dict[AppleIdentity, Pusher] = field(default_factory=dict)
    _wallet: Wallet | None = None
    # Two threads must not both make throw-away certificates.
    _making: threading.Lock = field(default_factory=threading.Lock)

    def of(self, running: Running) -> Kit | None:
        """The kit of a version; None if it has no card."""
        with self._making:
            if running.version not in self._made:
                self._made = {running.version: self._make(running)}
            return self._made[running.version]

    def pusher(self, kit: Kit) -> Pusher:
        """Wakes Apple's devices."""
        identity = kit.apple
        assert identity is not None, "asked only for a program with an Apple card"
        if identity not in self._pushers:
            settings = apple_settings(self.env_file)
            folder = self.outbox / "apple-wallet"
            self._pushers[identity] = pusher_for(
                settings, folder, identity.pass_type, identity.team, self.clock
            )
        return self._pushers[identity]

    def wallet(self, kit: Kit) -> Wallet:
        """Writes to Google."""
        assert kit.google is not None, "asked only for a program with a Google card"
        if self._wallet is None:
            settings = google_settings(self.env_file)
            self._wallet = wallet_for(settings, kit.google.account, self.outbox / "google-wallet")
        return self._wallet

    async def close(self) -> None:
        """Close connections; they are opened again when they are needed."""
        for pusher in self._pushers.values():
            await pusher.close()
        if self._wallet is not None:
            await self._wallet.close()
        self._pushers, self._wallet = {}, None

    def _make(self, running: Running) -> Kit | None:
        files = running.loaded.bundle.files
        found = read_card(files)
        if found is None:
            return None
        name, card = found
        artwork = Artwork.of(card, files.get)
        links = self.links(running.program)
        deck = Deck(running, name, card, artwork, links)
        identity = apple_identity(running.program)
        packager, notes = self._packager(identity, artwork, links) if identity else (None, [])
        google = self._google(running.program, name, card, artwork, links)
        if google and google_settings(self.env_file).service_account is None:
            notes.append(THROWAWAY_GOOGLE)
        return Kit(deck, artwork, identity, packager, google, tuple(notes))

    def _packager(
        self, identity: AppleIdentity, artwork: Artwork, links: Links
    ) -> tuple[Packager, list[str]]:
        settings = apple_settings(self.env_file)
        folder = self.private / "certificates"
        signer = signer_for(settings, folder, identity.pass_type, identity.team, self.clock.now())
        service = f"{links.public_url}/{APPLE_PATH}"
        issuer = Issuer(identity.pass_type, identity.team, service, nfc_key(settings))
        return Packager(issuer, artwork, signer), list(_notes(settings, links.public_url))

    def _google(
        self, program: Program, name: str, card: Card, artwork: Artwork, links: Links
    ) -> GoogleKit | None:
        number = google_issuer(program)
        if number is None:
            return None
        settings = google_settings(self.env_file)
        account = account_for(settings, self.private / "certificates")
        issuer = GoogleIssuer(
            number,
            # The pictures' digest in their address: Google keeps what it has fetched.
            f"{links.public_url}/{GOOGLE_PICTURES}/{artwork.digest}",
            f"{links.public_url}/{GOOGLE_PATH}/callback" if settings.transport == "api" else None,
            tuple(settings.smart_tap_issuers),
            program.locale,
        )
        return GoogleKit(account, issuer, name, card, artwork, settings.keys_url)


def _notes(settings: AppleSettings, address: str) -> Iterator[str]:
    """What keeps passes from working on phones."""
    if not configured(settings):
        yield THROWAWAY
    elif not address.startswith("https://"):
        yield NEVER_UPDATED.format(address)


def apple_settings(env_file: Path | None) -> AppleSettings:
    """What the environment and .env say of Apple; EnvironmentFault names a variable that cannot be used."""
    return _settings(AppleSettings, env_file)


def google_settings(env_file: Path | None) -> GoogleSettings:
    """The same of Google."""
    return _settings(GoogleSettings, env_file)


def apple_identity(program: Program) -> AppleIdentity | None:
    """`wallet.apple` in program.yaml; None for a program without an Apple card."""
    config = _config(program, "apple")
    if not (config.get("pass_type") and config.get("team")):
        return None
    return AppleIdentity(str(config["pass_type"]), str(config["team"]))


def google_issuer(program: Program) -> str | None:
    """`wallet.google.issuer` in program.yaml; None for a program without a Google card."""
    issuer = _config(program, "google").get("issuer")
    return str(issuer) if issuer else None


def _config(program: Program, wallet: str) -> Mapping[str, Any]:
    return program.wallet.get(wallet) or {}


def _settings(kind: type[SettingsT], env_file: Path | None) -> SettingsT:
    """The environment first, then .env; file names count from where .env stands."""
    place = env_file or "the environment"
    try:
        made = kind(_env_file=env_file)
    except ValidationError as error:
        names = ", ".join(variable(kind, str(it["loc"][0])) for it in error.errors())
        fault = f"{names} has a value that cannot be used; correct it in {place}"
        raise EnvironmentFault(fault) from None
    except SettingsError as error:  # nothing but its words says which
        names = ", ".join(variable(kind, name) for name in kind.model_fields if f'"{name}"' in str(error))
        raise EnvironmentFault(f'{names} is not a list; write it as ["1", "2"] in {place}') from None
    base = env_file.parent if env_file else Path()
    placed = {name: base / value for name, value in made if isinstance(value, Path)}
    return made.model_copy(update=placed)
