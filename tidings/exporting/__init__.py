"""A scenario test that begins with a customer of the live ledger, their personal data masked."""

import asyncio
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ruamel.yaml import YAML
from sqlalchemy import Connection

from campaigns.dryrun import DryRun
from campaigns.dryrun.forecast import SENDS
from campaigns.look import zone_info
from campaigns.running import Running
from campaigns.scenariotest import Entry, read_test
from channels.base import Channel
from core.errors import Problem, Problems
from core.links import Links
from core.schedule import times_between
from core.tables import Customer
from tidings.exporting.masking import Mask
from tidings.exporting.reading import Facts
from tidings.scenariotests import known_to
from tidings.scenariotests.comparing import Comparing, Said, Verdict
from tidings.scenariotests.results import Mismatch
from tidings.scenariotests.stage import Stage
from triggers import discover

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
# How far the test goes, and at how many times it asks at most.
AHEAD, ENTRIES = timedelta(days=1), 6
FILE = "tests/exported.yaml"
# A part of a text that tells it from others, without links.
PART = 60


class Exporter:
    """Writes the test of one customer. `secret` makes the masking the same every time."""

    def __init__(
        self, connection: Connection, running: Running, channels: Mapping[str, Channel[Any, Any, Any]],
        links: Links, secret: bytes,
    ) -> None:  # fmt: skip
        self.connection, self.running, self.channels = connection, running, channels
        self.links, self.secret = links, secret

    def test_of(self, row: Any, at: datetime) -> str:
        """The text of the file, which runs green as it is written. `row` is the customer's."""
        mask = Mask(self.secret, row.external_id)
        key, full_name = mask.name(row.locale or self.running.program.locale)
        start = at.astimezone(self.running.program.zone).replace(second=0, microsecond=0)
        given = Facts(self.connection, self.running, row, at, mask).given(key, full_name)
        document: dict[str, Any] = {
            "about": "What a customer of the ledger hears in a day, with their personal data masked.",
            "scenarios": sorted(self.running.scenarios), "start": _wall(start), "given": {key: given},
            "timeline": [{"at": _wall(stop), "expect": {key: "nothing"}} for stop in self._stops(start, row)],
        }  # fmt: skip
        for entry, expected in zip(document["timeline"], self._play(document, key), strict=True):
            entry["expect"] = {key: expected}
        return "".join(f"# {line}\n" for line in self._dry(row, at)) + _dumped(document)

    def _stops(self, start: datetime, row: Any) -> list[datetime]:
        """The looks of the coming day."""
        program, since = self.running.program, start.astimezone(UTC)
        zones = {program.zone, zone_info(program, row.time_zone)}
        found = {start + AHEAD}
        for scenario in self.running.scenarios.values():
            for zone in zones:
                own = discover()[scenario.trigger].times(scenario.parameters, since, since + AHEAD, zone)
                if own is None:
                    schedule = scenario.schedule
                    own = times_between(schedule, since, since + AHEAD, zone) if schedule else []
                found |= {it.astimezone(program.zone) for it in own[:2]}
        return sorted(found)[:ENTRIES]

    def _play(self, document: Mapping[str, Any], key: str) -> list[Any]:
        """What the test says at each of its entries, found by running it."""
        problems: list[Problem] = []
        known = known_to(self.running.loaded.bundle, self.running.program, self.running.scenarios)
        test = read_test("exported", _dumped(document), FILE, known, problems)
        if test is None:
            raise Problems(problems)
        stage = Stage(self.running, test)
        stage.comparing = listening = Listening(test, stage.people, stage.post, stage.cards, self.links)
        listening.who = key
        asyncio.run(stage.run())
        return listening.found

    def _dry(self, row: Any, at: datetime) -> Iterator[str]:
        """What the dry run says of the customer now, for whoever reads the file."""
        yield f"The dry run of {_wall(at.astimezone(self.running.program.zone))} on the live ledger:"
        dry = DryRun(self.connection, self.running, self.channels, self.links, at, customer=row.external_id)
        for scenario in self.running.by_priority:
            samples = dry.run(scenario).samples
            said = [f"{it.step} {it.verdict if it.verdict in SENDS else it.reason}" for it in samples]
            yield f"  {scenario.name}: {', '.join(dict.fromkeys(said)) or 'not due'}"


class Listening(Comparing):
    """Writes down what is heard instead of comparing it."""

    who = ""

    def compare(self, connection: Connection, index: int, entry: Entry, at: datetime) -> list[Mismatch]:
        """Nothing is wrong with what is written down."""
        got, verdicts = self.heard(connection), self.fresh(connection)
        self._before |= verdicts
        said = got.get(self.who, [])
        self.found.append(_messages(said) if said else _silence(self.of(verdicts, self.who)))
        return []

    @property
    def found(self) -> list[Any]:
        """An expectation for each entry so far."""
        return self.__dict__.setdefault("_found", [])  # type: ignore[no-any-return]


def _silence(verdicts: Sequence[Verdict]) -> str:
    quiet = [it.gate for it in verdicts if it.gate not in ("sent", "planned")]
    return quiet[0] if quiet and verdicts[0].gate == quiet[0] else "nothing"


def _messages(said: Sequence[Said]) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for one in said:
        found.setdefault(one.channel, []).append(_wording(one))
    return {channel: many[0] if len(many) == 1 else many for channel, many in found.items()}


def _wording(said: Said) -> dict[str, Any]:
    subject = said.part("subject")
    text = subject or said.text.partition("http")[0].strip()
    part = text if len(text) <= PART else text[:PART].rpartition(" ")[0]
    return {"scenario": said.scenario, "subject" if subject else "has": part}


def _wall(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _dumped(document: Mapping[str, Any]) -> str:
    yaml = YAML()
    yaml.width, yaml.allow_unicode = 100, True
    yaml.default_flow_style = None
    out = io.StringIO()
    yaml.dump(dict(document), out)
    return out.getvalue()
