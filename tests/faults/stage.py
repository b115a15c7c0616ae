"""What a scene is given: a place, a seed, a while, and a database of the kind that it asks for."""

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.audit import Finding, audit
from tests.faults.disk import Disk
from tests.faults.town import Hand, Plan, Town
from tests.support.postgres_binaries import find
from tests.support.postgres_server import Server

# How long a server that was killed needs, at most, until it lets another one begin.
AGAIN_SECONDS = 20.0


@dataclass(slots=True)
class Stage:
    """One performance of a scene. `rounds` is how often the faults of a scene come in the short form, once if
    it does not say; None is as often as `seconds` allow.
    """

    folder: Path
    stack: ExitStack
    seed: int
    kind: str = "sqlite"
    seconds: float = 30.0
    rounds: Mapping[str, int] | None = None
    each: int = 60
    server: Server | None = None
    disk: Disk | None = None
    url: str = ""
    say: Callable[[str], Any] = print
    findings: list[Finding] = field(default_factory=list)
    dice: random.Random = field(init=False)
    _began: float = field(init=False)
    _town: Town | None = None

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self._began = time.monotonic()

    def town(self, **wishes: Any) -> Town:
        """A town on this stage's database."""
        plan: dict[str, Any] = {"each": self.each, "url": self.url, "seed": self.seed} | wishes
        town = self._town = Town(self.folder, self.stack, Plan(**plan))
        self._began = time.monotonic()
        return town

    def turns(self, scene: str) -> Iterator[int]:
        """One fault of a scene after another, until the time or the rounds are over."""
        most = None if self.rounds is None else self.rounds.get(scene, 1)
        number = 1
        self._keep()
        yield number
        while number < most if most else time.monotonic() - self._began < self.seconds:
            number += 1
            self._keep()
            yield number

    def _keep(self) -> None:
        assert self._town is not None, "a scene begins with its town"
        self._town.evidence.keep_entries()

    def hands(self, town: Town, *, serves: int = 1) -> list[Hand]:
        """The service: `serve`, and on PostgreSQL a worker beside it; who lives already is not started."""
        wanted = Counter({"serve": serves, "worker": int(self.kind == "postgresql")})
        wanted -= Counter(it.words[0] for it in town.living())
        for words in wanted.elements():
            town.start(words)
        return town.living()

    def pause(self, most: float) -> None:
        """A moment of the seed's choosing; what happens in it is decided by the machine."""
        time.sleep(self.dice.uniform(0.02, most))

    def restart(self, town: Town, mode: str) -> None:
        """PostgreSQL ends: `fast`, `immediate` or `kill` (SIGKILL of its postmaster); and begins again."""
        town.evidence.interruptions += len(town.living())
        stop(self._own(), mode)
        begin(self._own())
        town.database.close()
        town.evidence.keep_entries()

    def _own(self) -> Server:
        assert self.server is not None, "this scene needs a server of its own"
        return self.server


def stop(server: Server, mode: str) -> None:
    """End a server; its backends end after their postmaster, by themselves."""
    if mode != "kill":
        server.stop(mode)
        return
    process = server._process
    assert process is not None
    process.kill()
    process.wait()


def begin(server: Server) -> None:
    """Begin again, as soon as what is left of the one before has gone."""
    end = time.monotonic() + AGAIN_SECONDS
    while True:
        try:
            server.start()
            return
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def own_server(stack: ExitStack, folder: Path | None = None) -> Server:
    """A PostgreSQL server that a scene may break; its data lie below the folder, if one is given."""
    before = tempfile.tempdir
    tempfile.tempdir = str(folder) if folder else before
    try:
        server = Server(find())
    finally:
        tempfile.tempdir = before
    stack.callback(server.remove)
    return server


def close(stage: Stage, town: Town) -> list[Finding]:
    """The end of a scene: everything comes to its end, then the audit."""
    town.finish()
    return audit(town.evidence) + stage.findings
