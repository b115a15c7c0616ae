"""What most tests begin with, kept for the whole run: what the same few files come to, and a new database.

Reading, checking and compiling a bundle depends on its files alone, and a channel's settings on the variables
alone, so a result is as good as another reading; everything that a database has to do with it (applying,
reading the files back) still happens.
"""

import os
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main
from sqlalchemy import Engine

from campaigns import running
from campaigns.bundle import Bundle, Loaded
from channels.settings import ChannelSettings, load_settings
from core import yaml_text
from core.db import Database
from core.db import database as databases
from core.db.compiled import Compiled
from core.errors import Problem
from templates.library import Library
from templates.sources import ROOT
from tidings import schema

KEPT_AT_MOST = 200
# Where a workspace keeps its database if nobody says otherwise.
OWN_FILE = "tidings.db"


class Readings:
    """The newest results, by the digest of the files."""

    def __init__(self) -> None:
        self._read = running._read
        self._known: OrderedDict[str, tuple[Loaded | None, list[Problem]]] = OrderedDict()

    def read(self, bundle: Bundle) -> tuple[Loaded | None, list[Problem]]:
        """As `campaigns.running` reads a bundle."""
        key = bundle.digest
        if key not in self._known:
            self._known[key] = self._read(bundle)
        self._known.move_to_end(key)
        if len(self._known) > KEPT_AT_MOST:
            self._known.popitem(last=False)
        loaded, problems = self._known[key]
        return loaded, [*problems]

    def forget(self) -> None:
        """Read everything anew: the code that reads has changed."""
        self._known.clear()


READINGS = Readings()


class Composed:
    """Texts of YAML as their nodes, which nobody changes; what cannot be read is read again each time."""

    def __init__(self) -> None:
        self._compose = yaml_text._compose
        self._known: OrderedDict[str, Any] = OrderedDict()

    def compose(self, text: str, file: str, problems: list[Problem]) -> Any:
        """As `core.yaml_text` composes a text."""
        if text not in self._known:
            if (root := self._compose(text, file, problems)) is None:
                return None
            self._known[text] = root
        self._known.move_to_end(text)
        if len(self._known) > KEPT_AT_MOST:
            self._known.popitem(last=False)
        return self._known[text]


class Libraries:
    """Messages of the same files, in a program that speaks alike, are taken apart and compiled once; what is
    asked of them is asked each time.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Any, Library] = OrderedDict()

    def make(self, files: Mapping[str, bytes], **said: Any) -> Library:
        """As `campaigns.running` makes a library."""
        texts = {path: content for path, content in files.items() if path.startswith(ROOT)}
        key = (frozenset(texts.items()), repr(sorted(said.items())))
        if key not in self._known:
            self._known[key] = Library(texts, **said)
        self._known.move_to_end(key)
        if len(self._known) > KEPT_AT_MOST:
            self._known.popitem(last=False)
        return self._known[key]


class Variables:
    """What variables come to as a channel's settings, of which a delivery reads those of every channel: they
    are frozen. What names a file is read each time, and so is what is wrong.
    """

    def __init__(self) -> None:
        self._load = load_settings
        self._known: OrderedDict[Any, ChannelSettings] = OrderedDict()

    def load(self, settings: type[ChannelSettings], env_file: Path | None) -> ChannelSettings:
        """As `channels.settings` loads them."""
        given = sorted(it for it in os.environ.items() if it[0].upper().startswith("TIDINGS_"))
        written = env_file.read_bytes() if env_file and env_file.exists() else b""
        if any(name.upper().endswith("_FILE") for name, _ in given) or b"_file" in written.lower():
            return self._load(settings, env_file)
        key = (settings, written, *given)
        if key not in self._known:
            self._known[key] = self._load(settings, env_file)
        self._known.move_to_end(key)
        if len(self._known) > KEPT_AT_MOST:
            self._known.popitem(last=False)
        return self._known[key]


class Engines:
    """Whatever database a test opens: what SQLAlchemy has compiled for one of its kind stays compiled."""

    def __init__(self) -> None:
        self._make = databases._engine
        self._compiled = Compiled()

    def make(self, url: str, durable: bool) -> Engine:
        """As `core.db.database` makes one."""
        engine = self._make(url, durable)
        engine.update_execution_options(compiled_cache=self._compiled)
        return engine


class Migrated:
    """A workspace's own file is copied from one that was migrated: a tenth of the time."""

    def __init__(self, folder: Path) -> None:
        self._prepare: Callable[[Database], None] = schema.prepare
        self._template = folder / OWN_FILE

    def prepare(self, database: Database) -> None:
        """As `tidings.schema` prepares a database."""
        file = Path(database.engine.url.database or "")
        if database.dialect == "sqlite" and file.name == OWN_FILE and not file.exists():
            if not self._template.exists():
                self._migrate()
            # Where nothing can be written, the product says so.
            with suppress(OSError):
                shutil.copyfile(self._template, file)
        self._prepare(database)

    def _migrate(self) -> None:
        template = Database(f"sqlite:///{self._template}", durable=False)
        self._prepare(template)
        template.close()


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """From now on a text or bundle is read, messages and statements are compiled, the tables of a workspace
    and its commands are made, and the certificates that every HTTP client trusts are loaded once. `folder` is
    for what is kept as a file.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_read", READINGS.read)
        patch.setattr(running, "Library", Libraries().make)
        patch.setattr(yaml_text, "_compose", Composed().compose)
        patch.setattr("channels.base.load_settings", Variables().load)
        patch.setattr(databases, "_engine", Engines().make)
        patch.setattr(schema, "prepare", Migrated(folder).prepare)
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        patch.setattr("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context))
        yield
