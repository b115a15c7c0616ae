"""Finds the channels: every folder here is one, there is no list to add it to."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import channels as home
from channels.base import Channel
from channels.board import Board
from core.errors import EnvironmentFault, UserError

AnyChannel = Channel[Any, Any, Any]


@cache
def discover() -> Mapping[str, type[AnyChannel]]:
    """Every channel by name, in alphabetical order. Imports no vendor library."""
    folders = sorted(module.name for module in pkgutil.iter_modules(home.__path__) if module.ispkg)
    return {name: _channel_in(name) for name in folders}


def create(
    name: str, config: Mapping[str, Any] | None, *, outbox_dir: Path, env_file: Path | None = None,
    board: Board | None = None,
) -> AnyChannel:  # fmt: skip
    """The channel `name`, set up from `channels.<name>` of program.yaml (None: it is not there) and from the
    environment.

    `board` is where messages are put that stay in the house (the wallet card); only sending needs it.

    Raises UserError for an unknown channel or wrong config, EnvironmentFault for wrong settings.
    """
    known = discover()
    if name not in known:
        raise UserError(f"program.yaml: channels.{name}: no such channel; there are {', '.join(known)}")
    return known[name].create(config, outbox_dir=outbox_dir, env_file=env_file, board=board)


class Channels(Mapping[str, AnyChannel]):
    """Every channel of a program by name, made when it is first asked for, with the errors of `create`."""

    def __init__(self, configs: Mapping[str, Any], **given: Any) -> None:
        """`configs` is what stands under `channels` of program.yaml; `given` is what `create` takes."""
        self._configs, self._given = configs, given
        self._made: dict[str, AnyChannel] = {}

    def __getitem__(self, name: str) -> AnyChannel:
        if name not in self._made:
            if name not in discover():
                raise KeyError(name)
            self._made[name] = create(name, self._configs.get(name), **self._given)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(discover())

    def __len__(self) -> int:
        return len(discover())


def usable(channels: Mapping[str, AnyChannel]) -> tuple[Mapping[str, AnyChannel], Mapping[str, str]]:
    """Those that can be made, and of each other one what is wrong with its configuration or settings."""
    made, wrong = {}, {}
    for name in channels:
        try:
            made[name] = channels[name]
        except (EnvironmentFault, UserError) as error:
            wrong[name] = str(error)
    return made, wrong


def _channel_in(folder: str) -> type[AnyChannel]:
    module = importlib.import_module(f"{home.__name__}.{folder}")
    found = [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Channel) and item is not Channel
    ]
    if len(found) != 1:
        raise ImportError(f"channels/{folder} must hold exactly one Channel class, not {len(found)}")
    return found[0]
