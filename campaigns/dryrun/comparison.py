"""Two versions of the same scenarios, side by side: who gains, who loses, whose text changes.

Each version is rehearsed over the same snapshot, and its verdicts are kept in a temporary table; what differs
is then a join.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    String,
    Subquery,
    Table,
    case,
    func,
    literal,
    null,
    select,
)

from campaigns.commit import verdict
from campaigns.dryrun.differing import Piece, differing
from campaigns.dryrun.forecast import SENDS, Forecast
from campaigns.dryrun.pricing import PRICED
from campaigns.dryrun.run import DryRun
from campaigns.gates import Step
from campaigns.scenario import Scenario
from campaigns.staging import CANDIDATE
from core.db import Id, Json
from core.tables import Customer
from templates.environment import RenderError
from templates.facts import contexts, with_trigger
from templates.library import Rendered
from triggers import discover

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
BEFORE, AFTER = "before", "after"
NOT_DUE = "not_due"
# What both versions said of everybody; facts only of those who get a message.
COMPARED = Table(
    "dry_run_compared", MetaData(),
    Column("id", Integer, primary_key=True),
    Column("side", String, nullable=False),
    Column("scenario", String, nullable=False),
    Column("customer_id", Id, nullable=False, index=True),
    Column("step", String, nullable=False),
    Column("said", String, nullable=False),
    Column("channel", String),
    Column("message", String),
    Column("facts", Json),
    prefixes=["TEMPORARY"],
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Changed:
    """One customer for whom something differs; `pieces` are both texts as one, where they go
    by the same channel.
    """

    customer: str
    before: str
    after: str
    before_channel: str | None = None
    after_channel: str | None = None
    before_text: str | None = None
    after_text: str | None = None
    pieces: tuple[Piece, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As the documented JSON has it."""
        found = {
            "customer": self.customer, "before": {"verdict": self.before, "channel": self.before_channel,
            "text": self.before_text}, "after": {"verdict": self.after, "channel": self.after_channel,
            "text": self.after_text},
        }  # fmt: skip
        return found | ({"diff": [it.as_json() for it in self.pieces]} if self.pieces else {})


@dataclass(slots=True)
class Comparison:
    """What differs in one scenario. `moves`: (verdict before, verdict after) → customers.

    `changed` texts are counted from so many pairs that `estimated` says whether they are all of them.
    """

    scenario: str
    versions: tuple[str, str]
    before: Forecast | None
    after: Forecast | None
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    changed: int = 0
    estimated: bool = False
    gains: list[Changed] = field(default_factory=list)
    loses: list[Changed] = field(default_factory=list)
    changes: list[Changed] = field(default_factory=list)

    def count(self, before: bool, after: bool) -> int:
        """How many customers get a message in neither, one or both of the versions."""
        return sum(
            number for (was, now), number in self.moves.items()
            if ((was in SENDS), (now in SENDS)) == (before, after)
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """The documented interface."""
        return {
            "scenario": self.scenario, "before": self.versions[0], "after": self.versions[1],
            "gain": self.count(False, True), "lose": self.count(True, False),
            "both": self.count(True, True), "text_changes": self.changed, "estimated": self.estimated,
            "cost": {"before": _cost(self.before), "after": _cost(self.after)},
            "moves": [
                {"before": was, "after": now, "customers": number}
                for (was, now), number in self.moves.most_common()
            ],
            "samples": {
                "gain": [it.as_json() for it in self.gains], "lose": [it.as_json() for it in self.loses],
                "text_changes": [it.as_json() for it in self.changes],
            },
        }  # fmt: skip


def _cost(forecast: Forecast | None) -> str | None:
    return None if forecast is None else str(forecast.cost)


@dataclass(frozen=True, slots=True)
class Side:
    """One version: what it is called, a dry run of it over the snapshot that both share, and its scenarios.

    `scenarios` go by the names that they have in the newer version.
    """

    called: str
    run: DryRun
    scenarios: Mapping[str, Scenario]


def compare(
    connection: Connection, older: tuple[str, DryRun], newer: tuple[str, DryRun], names: Sequence[str],
    sample: int = 3,
) -> list[Comparison]:  # fmt: skip
    """Compare the scenarios of these names (of either version) in two versions, each `(its name, dry run)`.

    One that a version does not have reaches nobody in it.
    """
    COMPARED.create(connection)
    latest = newer[1].running.scenarios
    before, after = (Side(called, run, _wanted(run, latest, names)) for called, run in (older, newer))
    was, now = _rehearse(before, BEFORE), _rehearse(after, AFTER)
    found = []
    for name in names:
        one = Comparison(name, (before.called, after.called), was.get(name), now.get(name))
        one.moves = _moves(connection, name)
        one.gains = _one_sided(connection, name, BEFORE, AFTER, after, sample)
        one.loses = _one_sided(connection, name, AFTER, BEFORE, before, sample)
        _texts(connection, one, before, after, sample)
        found.append(one)
    return found


def _wanted(run: DryRun, latest: Mapping[str, Scenario], names: Sequence[str]) -> dict[str, Scenario]:
    """The version's scenarios by the newer names: one that was renamed says what it was called."""
    own, found = run.running.scenarios, {}
    for name in names:
        called = name if name in own or name not in latest else latest[name].formerly
        if called is not None and called in own:
            found[name] = own[called]
    return found


def _rehearse(side: Side, which: str) -> dict[str, Forecast]:
    """Every scenario in the order of its looks."""
    names = {scenario.name: name for name, scenario in side.scenarios.items()}
    found = {}
    for scenario in side.run.running.by_priority:
        if scenario.name in names:
            side.run.watch = _keeper(which, names[scenario.name])
            found[names[scenario.name]] = side.run.run(scenario)
    return found


def _keeper(which: str, name: str) -> Any:
    columns = ("side", "scenario", "customer_id", "step", "said", "channel", "message", "facts")

    def keep(step: Step) -> None:
        passed = CANDIDATE.c.gate.is_(None)
        rows = select(
            literal(which), literal(name), CANDIDATE.c.customer_id, literal(step.step.id), verdict(step),
            CANDIDATE.c.channel, CANDIDATE.c.message, case((passed, CANDIDATE.c.facts), else_=null()),
        ).where(_news())  # fmt: skip
        step.connection.execute(COMPARED.insert().from_select(columns, rows.order_by(CANDIDATE.c.id)))

    return keep


def _news() -> ColumnElement[bool]:
    """Who entered before has entered in either version."""
    return func.coalesce(CANDIDATE.c.gate, "") != "already_entered"


def _by_customer(name: str, which: str) -> Subquery:
    """One verdict for each customer: a message, if any occasion has one."""
    sends = COMPARED.c.said.in_(SENDS)
    said = func.coalesce(func.min(case((sends, COMPARED.c.said))), func.min(COMPARED.c.said))
    first = func.min(case((sends, COMPARED.c.id)))
    rows = select(COMPARED.c.customer_id, said.label("said"), first.label("first"))
    rows = rows.where(COMPARED.c.scenario == name, COMPARED.c.side == which)
    return rows.group_by(COMPARED.c.customer_id).subquery(which)


def _moves(connection: Connection, name: str) -> Counter[tuple[str, str]]:
    was, now = _by_customer(name, BEFORE), _by_customer(name, AFTER)
    same = was.c.customer_id == now.c.customer_id
    after = func.coalesce(now.c.said, NOT_DUE)
    both = select(was.c.said, after, func.count()).select_from(was.outerjoin(now, same))
    fresh = select(literal(NOT_DUE), now.c.said, func.count()).select_from(now.outerjoin(was, same))
    found: Counter[tuple[str, str]] = Counter()
    for statement in (
        both.group_by(was.c.said, after),
        fresh.where(was.c.customer_id.is_(None)).group_by(now.c.said),
    ):
        for before, then, number in connection.execute(statement):
            found[before, then] += number
    return found


def _one_sided(
    connection: Connection, name: str, without: str, having: str, side: Side, sample: int
) -> list[Changed]:
    """Customers whom only one version reaches, with the message that they get in it."""
    lacks, has = _by_customer(name, without), _by_customer(name, having)
    joined = has.outerjoin(lacks, lacks.c.customer_id == has.c.customer_id)
    joined = joined.join(COMPARED, COMPARED.c.id == has.c.first)
    other = func.coalesce(lacks.c.said, NOT_DUE)
    rows = select(COMPARED, other.label("other")).select_from(joined)
    rows = rows.where(other.not_in(SENDS)).order_by(has.c.customer_id).limit(sample)
    staged = connection.execute(rows).all()
    texts = _render(connection, side, name, staged)
    return [_alone(row, texts[row.id], having == AFTER) for row in staged]


def _alone(row: Any, spoken: tuple[str, Rendered | None], newer: bool) -> Changed:
    who, rendered = spoken
    text = words_of(rendered)
    if newer:
        return Changed(who, row.other, row.said, after_channel=row.channel, after_text=text)
    return Changed(who, row.said, row.other, before_channel=row.channel, before_text=text)


def _texts(connection: Connection, one: Comparison, before: Side, after: Side, sample: int) -> None:
    """Render what both versions send to the same customers, and count where it differs."""
    was, now = _by_customer(one.scenario, BEFORE), _by_customer(one.scenario, AFTER)
    pairs = select(was.c.first.label("old"), now.c.first.label("new"))
    pairs = pairs.join(now, now.c.customer_id == was.c.customer_id).order_by(was.c.customer_id)
    pairs = pairs.where(was.c.first.is_not(None), now.c.first.is_not(None))
    step = -(-one.count(True, True) // PRICED) or 1
    pairs = pairs.where(was.c.customer_id * 7919 % 100_003 % step == 0)
    chosen = connection.execute(pairs.limit(2 * PRICED)).all()
    old = _rows(connection, [it.old for it in chosen])
    new = _rows(connection, [it.new for it in chosen])
    said_before = _render(connection, before, one.scenario, list(old.values()))
    said_after = _render(connection, after, one.scenario, list(new.values()))
    differ = [it for it in chosen if _differs(said_before[it.old][1], said_after[it.new][1])]
    one.changed = round(len(differ) * one.count(True, True) / max(1, len(chosen)))
    one.estimated = len(chosen) < one.count(True, True)
    for it in differ[:sample]:
        who, then = said_before[it.old]
        one.changes.append(_pair(who, old[it.old], new[it.new], then, said_after[it.new][1]))


def _pair(who: str, old: Any, new: Any, was: Rendered | None, now: Rendered | None) -> Changed:
    before, after = words_of(was), words_of(now)
    # Word by word an email and an SMS tell nothing of each other.
    pieces = differing(before or "", after or "") if old.channel == new.channel else ()
    return Changed(
        who, old.said, new.said, old.channel, new.channel, before, after, tuple(pieces)
    )  # fmt: skip


def _differs(was: Rendered | None, now: Rendered | None) -> bool:
    return (was and (was.channel, was.parts)) != (now and (now.channel, now.parts))


def words_of(rendered: Rendered | None) -> str | None:
    """What a person reads: the subject or title, then the text."""
    if rendered is None:
        return None
    parts = rendered.parts
    lines = (parts.get("subject"), parts.get("title"), parts.get("text") or parts.get("body"))
    return "\n".join(line for line in lines if line)


def _rows(connection: Connection, ids: Sequence[int]) -> dict[int, Any]:
    return {row.id: row for row in connection.execute(select(COMPARED).where(COMPARED.c.id.in_(ids)))}


def _render(
    connection: Connection, side: Side, name: str, rows: Sequence[Any]
) -> Mapping[int, tuple[str, Rendered | None]]:
    """Row's id → whose it is, and the message as that version says it."""
    run, ids = side.run, sorted({row.customer_id for row in rows})
    if not ids:
        return {}
    program, at = run.running.program, run.at
    found = contexts(connection, program, ids, at, run.speaker.links)
    locales = select(CUSTOMER.c.id, CUSTOMER.c.locale).where(CUSTOMER.c.id.in_(ids))
    own = {row.id: row.locale for row in connection.execute(locales)}
    trigger = discover()[side.scenarios[name].trigger]
    said = {}
    for row in rows:
        context = found[row.customer_id]
        whole = with_trigger(context, trigger.read(row.facts, program, at), row.channel)
        try:
            text = run.running.library.render(row.message, row.channel, own[row.customer_id], whole)
        except RenderError:
            text = None
        said[row.id] = (context["customer"].external_id, text)
    return said
