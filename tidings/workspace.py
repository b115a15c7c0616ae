"""A workspace and everything that belongs to it, wired together."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import EnvironmentFault
from tidings.settings import Settings, read_settings

if TYPE_CHECKING:
    from campaigns.bundle import Bundle
    from campaigns.running import Running
    from campaigns.versions import Live
    from channels.base import Channel
    from channels.board import Board
    from core.customers.addresses import Addresses
    from core.db import Database
    from core.links import Links
    from core.program import Program


class Workspace:
    """A folder with program.yaml, its settings, and what they lead to; each part is made when first used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def settings(self) -> Settings:
        """The environment and .env."""
        return read_settings(self.path)

    @property
    def env_file(self) -> Path:
        """Where secrets stand."""
        return self.path / ".env"

    @property
    def outbox(self) -> Path:
        """Where the folder transports write."""
        return self.path / self.settings.outbox

    @cached_property
    def secret(self) -> bytes:
        """The installation's secret; EnvironmentFault if there is none."""
        secret = self.settings.secret
        if secret is None or len(secret.get_secret_value()) < 16:
            raise EnvironmentFault(
                f"TIDINGS_SECRET is missing or shorter than 16 characters; write one into {self.env_file} "
                "(`tidings init` makes a workspace with one; it must never change later)"
            )
        return secret.get_secret_value().encode()

    @cached_property
    def link_keys(self) -> tuple[bytes, ...]:
        """What signs customers' links, the newest first; EnvironmentFault for one that is too short."""
        from tidings.link_keys import read

        keys = self.settings.link_keys
        return read(keys.get_secret_value() if keys else "", self.secret, self.env_file)

    def bundle(self) -> "Bundle":
        """The files as they stand in the folder."""
        from campaigns.bundle import Bundle

        return Bundle.read(self.path)

    def files(self) -> "Running":
        """The files, checked and ready to run; Problems with everything that is wrong."""
        from campaigns.running import make_ready

        return make_ready(self.bundle())

    @cached_property
    def database_url(self) -> str:
        """From the settings, else a file beside program.yaml; UserError where neither stands."""
        if self.settings.database:
            return self.settings.database
        from campaigns.bundle import require_program

        file = self.path / "tidings.db"
        if not file.exists():
            # In any other folder a database would be made that nobody asked for.
            require_program(self.path)
        return address_of(file)

    @cached_property
    def database(self) -> "Database":
        """The database, its tables made if it is new."""
        from core.db import Database
        from tidings.schema import prepare

        database = Database(self.database_url)
        try:
            prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    @cached_property
    def live(self) -> "Live":
        """What was applied."""
        from campaigns.versions import Live

        return Live(self.database)

    @cached_property
    def addresses(self) -> "Addresses":
        """The keeper of addresses."""
        from core.customers.addresses import Addresses

        return Addresses(self.secret)

    def links(self, program: "Program") -> "Links":
        """The maker of customers' links."""
        from core.links import Links

        url = self.settings.public_url or program.public_url or "http://localhost:8000"
        newest, *earlier = self.link_keys
        return Links(url.rstrip("/"), newest, tuple(earlier))

    @cached_property
    def board(self) -> "Board":
        """Where messages are put that stay in the house: the cards."""
        from scheduler.board import CardBoard, LiveDeck

        return CardBoard(self.database, LiveDeck(self.live, self.links))

    def channels(self, program: "Program") -> dict[str, "Channel[Any, Any, Any]"]:
        """Every channel as the program and the settings say; not yet open."""
        return dict(self.each_channel(program))

    def each_channel(self, program: "Program") -> "Mapping[str, Channel[Any, Any, Any]]":
        """The same, each made when it is asked for: what is wrong with one is no other's fault."""
        from channels.discovery import Channels

        configs: Mapping[str, Any] = program.channels
        given: Mapping[str, Any] = {
            "outbox_dir": self.outbox, "env_file": self.env_file, "board": self.board,
        }  # fmt: skip
        return Channels(configs, **given)

    @contextmanager
    def closing(self) -> Iterator["Workspace"]:
        """Give back the database's connections at the end."""
        try:
            yield self
        finally:
            if "database" in self.__dict__:
                self.database.close()


def address_of(file: Path) -> str:
    """An SQLite file as the address of a database; in one `?` and `%` mean something else."""
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(file.absolute())).render_as_string()
