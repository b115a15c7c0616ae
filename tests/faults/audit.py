"""The audit: what the promises of the design come to, read from the ledger, the outbox and the providers.

Every promise is a function from evidence to findings. None looks at what the service says of itself: the
providers' records and the till's notes stand outside of it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from campaigns.gates import NAMES
from campaigns.tables import Attempt, Decision, MessageState
from campaigns.verdicts import verdicts
from channels import discover
from core.customers.addresses import ADDRESS
from core.customers.profiles import CUSTOMER
from core.ledger.writing import ACCOUNT, ENTRY, LOT, OPERATION
from core.purchases.receipts import RECEIPT
from core.tables.references import dangling
from tests.faults.evidence import MESSAGE, Evidence, digests
from tests.faults.providers import Taken

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
DECISION = Decision.__table__  # type: ignore[attr-defined]
STATE = MessageState.__table__  # type: ignore[attr-defined]

SCALE = 100
# What ends a message; whatever else it is, somebody still has it to do.
ENDS = ("sent", "delivered", "unknown", "failed", "recalled", "expired")
SILENT = ("failed", "recalled", "expired", "unknown")


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison: what was compared, how many, and what does not agree."""

    promise: str
    compared: str
    count: int
    wrong: Sequence[str] = ()

    @property
    def kept(self) -> bool:
        """Nothing disagrees."""
        return not self.wrong


@dataclass(frozen=True, slots=True)
class Told:
    """A message of the outbox, as the providers' records name it."""

    id: int
    key: tuple[str, str]
    state: str
    reason: str | None
    channel: str


class Case:
    """The evidence with what every promise reads of the database, at one moment."""

    def __init__(self, evidence: Evidence, connection: Connection) -> None:
        self.evidence, self.connection = evidence, connection
        own = connection.execute(select(ADDRESS.c.customer_id, ADDRESS.c.kind, ADDRESS.c.value))
        self._addresses = {(row.customer_id, row.kind): row.value for row in own}
        self.messages = [self._told(row) for row in connection.execute(_messages())]
        self.copies: dict[tuple[str, str, str], list[Taken]] = {}
        for it in evidence.taken:
            self.copies.setdefault((it.channel, it.address, it.text), []).append(it)

    def _told(self, row: Any) -> Told:
        kind = discover()[row.channel].address_kind
        address = self._addresses.get((row.customer_id, kind), "")
        about = row.facts["receipt"] if row.scenario == "thanks" else row.external_id
        key = (address, f"{row.scenario} {about}")
        return Told(row.id, key, row.state, row.reason, row.channel)

    def copies_of(self, it: Told) -> list[Taken]:
        """What its provider took over of a message."""
        return self.copies.get((it.channel, *it.key), [])

    def rows(self, statement: Any) -> Sequence[Any]:
        """The answer of the database."""
        return self.connection.execute(statement).all()


Promise = Callable[[Case], Iterator[Finding]]


def audit(evidence: Evidence) -> list[Finding]:
    """Every promise, one after the other."""
    with evidence.database.read() as connection:
        case = Case(evidence, connection)
        return [finding for promise in PROMISES for finding in promise(case)]


def cards_agree(evidence: Evidence) -> bool:
    """Whether every phone shows what the ledger has."""
    with evidence.database.read() as connection:
        return all(it.kept for it in cards_true(Case(evidence, connection)))


def unanswered(evidence: Evidence) -> list[str]:
    """Occasions that are due and have neither a message nor a named decision, and receipts not answered."""
    with evidence.database.read() as connection:
        case = Case(evidence, connection)
        silent = _without_a_word(case)
    return silent + [name for name in evidence.unheard if not name.endswith("7")]


# --- 1 the ledger adds up


def adds_up(case: Case) -> Iterator[Finding]:
    """Sum of entries = sum of lots = balance, lot by lot and customer by customer; entries stay."""
    promise = "1 the ledger adds up"
    balances = {row.customer_id: row.total for row in case.rows(select(ACCOUNT))}
    entries = _sums(case, ENTRY.c.customer_id, ENTRY.c.amount)
    lots = _sums(case, LOT.c.customer_id, LOT.c.remaining)
    names = sorted({*balances, *entries, *lots})
    off = [it for it in names if not balances.get(it, 0) == entries.get(it, 0) == lots.get(it, 0)]
    yield Finding(promise, "customers: entries = lots = balance", len(names), _named("customer", off))
    of_lots = _sums(case, ENTRY.c.lot_id, ENTRY.c.amount)
    left = {row.id: row.remaining for row in case.rows(select(LOT.c.id, LOT.c.remaining))}
    wrong = [it for it in sorted({*of_lots, *left}) if of_lots.get(it, 0) != left.get(it, 0)]
    if not off:
        yield Finding(promise, "lots: what remains = its entries", len(left), _named("lot", wrong))
    now = digests(case.connection)
    changed = [it for it, digest in case.evidence.entries.items() if now.get(it) != digest]
    yield Finding(
        promise, "entries seen at a fault are as they were", len(case.evidence.entries),
        _named("entry", changed),
    )  # fmt: skip


def _sums(case: Case, by: Any, amount: Any) -> dict[int, int]:
    rows = case.rows(select(by.label("who"), func.sum(amount).label("points")).group_by(by))
    return {row.who: int(row.points) for row in rows}


# --- 2 one occasion, one message


def one_message(case: Case) -> Iterator[Finding]:
    """Unique in the outbox; and nothing was taken over that the outbox does not know."""
    promise = "2 one occasion, one message"
    columns = (MESSAGE.c.customer_id, MESSAGE.c.scenario, MESSAGE.c.occasion, MESSAGE.c.step)
    twice = case.rows(select(*columns).group_by(*columns).having(func.count() > 1))
    yield Finding(
        promise, "messages: one a customer, scenario, occasion, step", len(case.messages),
        [f"customer {row.customer_id}: {row.scenario} {row.occasion} twice" for row in twice],
    )  # fmt: skip
    known = {(it.channel, *it.key) for it in case.messages}
    stray = [it for it in case.copies if it not in known]
    yield Finding(
        promise, "what providers took over is of a message", len(case.evidence.taken),
        [f"{channel}: '{text}' is of no message" for channel, _, text in stray],
    )  # fmt: skip


# --- 3 nothing is lost


def nothing_lost(case: Case) -> Iterator[Finding]:
    """What was acknowledged is booked once; what is due was decided; what was planned came to an end."""
    promise = "3 nothing is lost"
    evidence = case.evidence
    booked = Counter(row.external_id for row in case.rows(select(RECEIPT.c.external_id)))
    wrong = [f"{it} {booked[it]} times" for it in evidence.acknowledged if booked[it] != 1]
    wrong += [f"{it}: booked for another amount" for it in _otherwise(case)]
    yield Finding(
        promise, "receipts answered with 2xx: booked once, as answered", len(evidence.acknowledged), wrong
    )
    wrong = [it for it in sorted(evidence.unsure) if booked[it] > 1]
    wrong += [it for it in sorted(evidence.refused) if booked[it]]
    yield Finding(
        promise, "receipts unanswered: at most once; refused: never",
        len(evidence.unsure) + len(evidence.refused), wrong,
    )  # fmt: skip
    if evidence.imported:
        lost = [it for it in sorted(evidence.imported) if booked[it] != 1]
        yield Finding(promise, "rows of imported files: booked once", len(evidence.imported), lost)
    due = _due(case).total()
    yield Finding(promise, "occasions due: a message or a decision each", due, _without_a_word(case))
    left = [f"message {it.id} is {it.state}" for it in case.messages if it.state not in ENDS]
    yield Finding(promise, "messages planned: all came to an end", len(case.messages), left)
    gone = [it for it in case.messages if it.state in ("sent", "delivered") and not case.copies_of(it)]
    yield Finding(
        promise, "messages called sent: the provider has them",
        sum(it.state in ("sent", "delivered") for it in case.messages),
        [f"message {it.id} ({it.channel}) never arrived there" for it in gone],
    )  # fmt: skip


def _otherwise(case: Case) -> list[str]:
    """Acknowledged receipts whose booking is not what the till was told."""
    found = {
        row.external_id: (row.earned_points, row.paid_points)
        for row in case.rows(select(RECEIPT.c.external_id, RECEIPT.c.earned_points, RECEIPT.c.paid_points))
    }
    return [
        name
        for name, it in case.evidence.acknowledged.items()
        if name in found and found[name] != (_points(it.earned), _points(it.spent))
    ]


def _points(said: str) -> int:
    return round(float(said) * SCALE)


def _due(case: Case) -> Counter[tuple[str, int]]:
    """Scenario and customer → how many occasions: each purchase that earned, each gift that expires."""
    bought = select(RECEIPT.c.customer_id).join(OPERATION, OPERATION.c.id == RECEIPT.c.operation_id)
    earned = case.rows(bought.where(OPERATION.c.live, RECEIPT.c.earned_points >= SCALE))
    gifts = case.rows(select(LOT.c.customer_id).where(LOT.c.reason == "gift"))
    found = Counter(("thanks", row.customer_id) for row in earned)
    return found + Counter(("reminder", row.customer_id) for row in gifts)


def _without_a_word(case: Case) -> list[str]:
    said = verdicts().c
    words = case.rows(select(said.scenario, said.customer_id))
    told = Counter((row.scenario, row.customer_id) for row in words)
    return [
        f"{scenario}: customer {customer} has {count} occasions, {told[scenario, customer]} decided"
        for (scenario, customer), count in _due(case).items()
        if told[scenario, customer] < count
    ]


# --- 4 never a silent duplicate


def no_silent_twin(case: Case) -> Iterator[Finding]:
    """By each channel's policy; what is unknown is bounded, and told of."""
    promise = "4 never a silent duplicate"
    policies = {name: kind.policy for name, kind in discover().items()}
    tries = Counter(row.message_id for row in case.rows(select(ATTEMPT.c.message_id)))
    for channel in sorted({it.channel for it in case.messages}):
        mine = [it for it in case.messages if it.channel == channel]
        copies = sum(len(case.copies_of(it)) for it in mine)
        if policies[channel] == "at_most_once":
            twins = [it for it in mine if len(case.copies_of(it)) > 1]
            compared = f"{channel}: taken over once at most"
        else:
            twins = [it for it in mine if _silent(case, it, tries[it.id])]
            compared = f"{channel}: no copy without a try on record, one Message-ID"
        wrong = [f"message {it.id}: {len(case.copies_of(it))} copies" for it in twins]
        yield Finding(promise, compared, copies, wrong)
    yield from _unknown(case, promise, policies)


def _silent(case: Case, it: Told, tries: int) -> bool:
    """An email came more often than it was tried, but for one of a frozen process; or by another name."""
    copies = case.copies_of(it)
    allowed = tries + (it.id in case.evidence.frozen)
    return len(copies) > max(1, allowed) or len({copy.name for copy in copies}) > 1


def _unknown(case: Case, promise: str, policies: Any) -> Iterator[Finding]:
    unknown = [it for it in case.messages if it.state == "unknown"]
    by_channel = Counter(it.channel for it in unknown)
    most = case.evidence.interruptions * case.evidence.at_most
    many = [f"{count} on {channel}, at most {most}" for channel, count in by_channel.items() if count > most]
    yield Finding(
        promise, f"unknown: ≤ {case.evidence.at_most} × {case.evidence.interruptions} faults a channel",
        len(unknown), many,
    )  # fmt: skip
    told = {row.message_id for row in case.rows(select(STATE.c.message_id).where(STATE.c.state == "unknown"))}
    tried = {
        row.message_id
        for row in case.rows(select(ATTEMPT.c.message_id).where(ATTEMPT.c.outcome == "unknown"))
    }
    wrong = [it.id for it in unknown if it.id not in told or it.id not in tried]
    yield Finding(promise, "unknown: in its history and its tries", len(unknown), _named("message", wrong))
    silent = [it for it in case.messages if it.state in SILENT]
    heard = [it for it in silent if case.copies_of(it)]
    lied = [f"message {it.id} is {it.state}, the provider has it" for it in heard if it.state != "unknown"]
    yield Finding(promise, "taken over, not called sent: all unknown", len(heard), lied)


# --- 7 every silence has a name


def named(case: Case) -> Iterator[Finding]:
    """Who was not told, by which gate or for which reason."""
    promise = "7 every silence has a name"
    by_gate = Counter(row.verdict for row in case.rows(select(DECISION.c.verdict)))
    unnamed = [f"{count} decisions '{verdict}'" for verdict, count in by_gate.items() if verdict not in NAMES]
    said = ", ".join(f"{count} {verdict}" for verdict, count in by_gate.most_common())
    yield Finding(promise, f"decisions: a gate each ({said or 'none'})", by_gate.total(), unnamed)
    silent = [it for it in case.messages if it.state in SILENT]
    reasons = Counter(it.reason or "" for it in silent)
    said = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common() if reason)
    wrong = [f"message {it.id} is {it.state} for no reason" for it in silent if not it.reason]
    yield Finding(promise, f"messages not sent: a reason each ({said or 'none'})", len(silent), wrong)


# --- 8 nobody against their will, 9 still true when it is said


def wanted(case: Case) -> Iterator[Finding]:
    """After a STOP or a withdrawn consent nothing came that had not begun to leave."""
    yield _honoured(case, "8 nobody against their will", ("STOP", "withdrawn"), "STOPs, withdrawn consents")


def still_true(case: Case) -> Iterator[Finding]:
    """Who had spent their bonuses was not reminded of them, unless it had begun to leave."""
    yield _honoured(case, "9 still true when said", ("spent",), "bonuses spent in between")


def _honoured(case: Case, promise: str, kinds: Sequence[str], compared: str) -> Finding:
    wishes = [it for it in case.evidence.wishes if it.kind in kinds]
    wrong = []
    for wish in wishes:
        after = [
            it for it in case.evidence.taken
            if it.address == wish.address and it.at > wish.at and (not wish.texts or it.text in wish.texts)
        ]  # fmt: skip
        if len(after) > wish.begun:
            wrong.append(f"{wish.customer}: '{after[-1].text}' came after all")
    return Finding(promise, f"{compared}: nothing came afterwards", len(wishes), wrong)


# --- the cards


def cards_true(case: Case) -> Iterator[Finding]:
    """What a phone shows that is woken by nothing but pushes is what the ledger has."""
    shown = case.evidence.shown
    if not shown:
        return
    totals = select(CUSTOMER.c.external_id, ACCOUNT.c.total).join(
        CUSTOMER, CUSTOMER.c.id == ACCOUNT.c.customer_id
    )
    has = {row.external_id: row.total for row in case.rows(totals.where(CUSTOMER.c.external_id.in_(shown)))}
    wrong = [f"{who} sees {it}" for who, it in shown.items() if _points(it.replace(",", "")) != has.get(who)]
    yield Finding("cards: phones told of every change", "phones: shown = the balance", len(shown), wrong)


# --- what PostgreSQL has no foreign keys for


def belong(case: Case) -> Iterator[Finding]:
    """Each message has its customer and its enrolment, each try its message, and so on."""
    wrong = [f"{rows} of {name}" for name, rows in dangling(case.connection).items()]
    compared = "messages, tries, decisions: refer to rows"
    yield Finding("rows: all belong to somebody", compared, len(case.messages), wrong)


PROMISES: Sequence[Promise] = (
    adds_up, one_message, nothing_lost, no_silent_twin, named, wanted, still_true, cards_true, belong,
)  # fmt: skip


def _messages() -> Any:
    columns = (
        MESSAGE.c.id, MESSAGE.c.scenario, MESSAGE.c.state, MESSAGE.c.reason, MESSAGE.c.channel,
        MESSAGE.c.facts, MESSAGE.c.customer_id, CUSTOMER.c.external_id,
    )  # fmt: skip
    return select(*columns).join(CUSTOMER, CUSTOMER.c.id == MESSAGE.c.customer_id).order_by(MESSAGE.c.id)


def _named(what: str, ids: Sequence[Any]) -> list[str]:
    return [f"{what} {it}" for it in ids]
