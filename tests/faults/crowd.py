"""A shop on PostgreSQL whose messages several processes send, to be stopped, killed and frozen."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from campaigns.tables import Message, ScenarioRun
from core.db import Database
from scheduler.presence import PROCESS
from tests.faults.clock import MovedClock
from tests.faults.launch import Orders, run
from tests.faults.processes import PROCESSES
from tests.scheduler.kiosk import PROGRAM, SECRET, Kiosk
from tidings.schema import HEAD

MESSAGE = Message.__table__  # type: ignore[attr-defined]
RUN = ScenarioRun.__table__  # type: ignore[attr-defined]
# Longer than anything takes on a busy machine; nothing is asserted about speed.
PATIENCE = 120.0
TOKEN = "a token for tills and shops"


class Crowd:
    """Customers, planned messages, and the processes of the service; their clock is the kiosk's, going on."""

    def __init__(self, kiosk: Kiosk, stack: ExitStack) -> None:
        self.kiosk, self._stack, self.folder = kiosk, stack, kiosk.folder
        self._clock = MovedClock(self.folder / "clock")
        self._clock.show(kiosk.clock.now())
        kiosk.files["program.yaml"] = PROGRAM.replace("quiet_hours: 21:00-09:00\n", "")
        kiosk.files["messages/thanks/sms.txt"] = "{{ trigger.amount | points }}\n"
        self.processes: list[Any] = []
        with kiosk.database.write() as connection:
            connection.execute(
                text("CREATE TABLE alembic_version AS SELECT :head AS version_num"), {"head": HEAD}
            )

    @property
    def database(self) -> Database:
        """The database of all of them."""
        return self.kiosk.database

    def start(self, *words: str) -> Any:
        """A process; its log is beside the others."""
        environment = {
            "TIDINGS_SECRET": SECRET.decode(), "TIDINGS_API_TOKEN": TOKEN, "TIDINGS_LOG_LEVEL": "INFO",
            "TIDINGS_DATABASE": self._url(),
        }  # fmt: skip
        for known in self.kiosk.environments.values():
            environment |= known
        (self.folder / "program.yaml").write_text(self.kiosk.files["program.yaml"])
        log = self.folder / f"{len(self.processes)}.log"
        orders = Orders(words, self.folder, environment | self.kiosk.settings, self._clock.file, log)
        process: Any = PROCESSES.Process(target=run, args=(orders,))
        process.log = log
        process.start()
        self._stack.callback(process.kill)
        self.processes.append(process)
        return process

    def _url(self) -> str:
        return self.database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until something is true; returns it."""
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < end, f"it did not come true: {what}\n{self.logs()}"
            time.sleep(0.02)
        return found

    def leader(self, but: Any = None) -> Any:
        """The process that leads, if it is one of these, and not `but`."""
        with self.database.read() as connection:
            pid = connection.scalar(select(PROCESS.c.pid).where(PROCESS.c.led_at.is_not(None)))
        return next((it for it in self.processes if it.pid == pid and it.is_alive() and it is not but), None)

    def present(self) -> int:
        """How many processes have said that they are there."""
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(PROCESS)) or 0

    def answered(self, name: str) -> bool:
        """Whether a customer's newest message is sent."""
        with self.database.read() as connection:
            own = select(MESSAGE.c.state).where(MESSAGE.c.customer_id == self.kiosk.ids[name])
            return connection.scalar(own.order_by(MESSAGE.c.id.desc()).limit(1)) == "sent"

    def accepted_more(self, than: int) -> bool:
        """Whether the provider of SMS has taken over more messages than so many."""
        return len(self.kiosk.server("sms").accepted) > than

    def looks(self) -> Counter[str]:
        """Scenario → how many looks were kept."""
        with self.database.read() as connection:
            return Counter(connection.scalars(select(RUN.c.scenario)))

    def stop(self, process: Any) -> int | None:
        """SIGTERM; returns the exit code."""
        os.kill(process.pid, signal.SIGTERM)
        process.join(PATIENCE)
        code: int | None = process.exitcode
        return code

    def logs(self) -> str:
        """What all of them said last."""
        return "\n".join(Path(it.log).read_text()[-3000:] for it in self.processes if Path(it.log).exists())
