"""Channel by channel: which consent, since when and where from, which address, which suppression."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select

from campaigns.dryrun.evidence.facts import Batch, Told
from campaigns.dryrun.forecast import Evidence
from campaigns.gates.reach import open_further
from campaigns.staging import CANDIDATE, OPTION
from channels.base import CARD, NO_ADDRESS
from core.customers.consent import KINDS, MARKETING
from core.db import json_text
from core.events import EVENT
from core.tables import Address, Consent, Suppression
from wallet.holding import wallets_of

ADDRESS = Address.__table__  # type: ignore[attr-defined]
CONSENT = Consent.__table__  # type: ignore[attr-defined]
SUPPRESSION = Suppression.__table__  # type: ignore[attr-defined]
# What a reader calls an address of each kind.
CALLED = {
    "email": "email address", "phone": "phone number", "push": "app on a phone", "telegram": "Telegram chat",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Known:
    """Of the batch's customers: consents, addresses by kind, the suppressions of these, and the wallets that
    have their card.
    """

    consents: Mapping[tuple[int, str], Any]
    addresses: Mapping[tuple[int, str], list[Any]]
    suppressed: Mapping[tuple[int, str], list[Any]]
    sources: Mapping[tuple[int, str, datetime], str]
    wallets: Mapping[int, Sequence[str]]


def channels(batch: Batch) -> Told:
    """Each channel of the cascade, open or closed, in its order."""
    ids = [row.id for row in batch.entering]
    if not ids:
        return
    open_further(batch.step, CANDIDATE.c.id.in_(ids))
    options = select(OPTION).where(OPTION.c.candidate_id.in_(ids)).order_by(OPTION.c.position)
    known = _read(batch)
    for option in batch.connection.execute(options):
        yield option.candidate_id, _tell(batch, option, known)


def _read(batch: Batch) -> _Known:
    who = sorted({row.customer_id for row in batch.entering})
    consents = select(CONSENT).where(CONSENT.c.customer_id.in_(who), CONSENT.c.purpose == MARKETING)
    addresses = select(ADDRESS).where(ADDRESS.c.customer_id.in_(who)).order_by(ADDRESS.c.id)
    blocked = select(ADDRESS.c.customer_id, SUPPRESSION).join(
        SUPPRESSION, SUPPRESSION.c.digest == ADDRESS.c.digest
    )
    blocked = blocked.where(and_(ADDRESS.c.customer_id.in_(who), ADDRESS.c.active))
    by_kind, by_channel = defaultdict(list), defaultdict(list)
    for it in batch.connection.execute(addresses):
        by_kind[it.customer_id, it.kind].append(it)
    for it in batch.connection.execute(blocked):
        by_channel[it.customer_id, it.channel].append(it)
    given = {(it.customer_id, it.channel): it for it in batch.connection.execute(consents)}
    cards = CARD in {batch.step.kinds[channel] for channel in batch.step.step.send}
    wallets = wallets_of(batch.connection, who) if cards else {}
    return _Known(given, by_kind, by_channel, _sources(batch, given), wallets)


def _sources(batch: Batch, given: Mapping[tuple[int, str], Any]) -> dict[tuple[int, str, datetime], str]:
    """Where consents came from that do not say so themselves (those of the past): their events know."""
    who = sorted({customer_id for (customer_id, _), it in given.items() if it.source is None})
    if not who:
        return {}
    said = select(EVENT.c.customer_id, EVENT.c.subject, EVENT.c.at, json_text(EVENT.c.data, "source"))
    said = said.where(EVENT.c.customer_id.in_(who), EVENT.c.kind.in_(KINDS.values()))
    return {(owner, channel, at): source for owner, channel, at, source in batch.connection.execute(said)}


def _tell(batch: Batch, option: Any, known: _Known) -> Evidence:
    values: dict[str, Any] = {"channel": option.channel, "open": option.gate is None}
    if option.gate not in (None, *_SAID):
        return Evidence(option.gate, f"{option.channel}: {option.detail or option.gate}", values)
    if option.gate is not None:
        said, more = _SAID[option.gate](batch, option, known)
        return Evidence(option.gate, f"{option.channel}: {said}", values | more)
    said, more = _consent(batch, option, known) if batch.step.marketing else ("needs no consent", {})
    reached, where = _address(batch, option, known)
    return Evidence("consent", f"{option.channel}: {said}; {reached}", values | more | where)


def _consent(batch: Batch, option: Any, known: _Known) -> tuple[str, dict[str, Any]]:
    """Which consent, with when and where from."""
    it = known.consents.get((option.customer_id, option.channel))
    if it is None:
        return "never said yes or no to marketing here", {}
    verb = "said yes" if it.granted else "withdrew"
    where = it.source or known.sources.get((option.customer_id, option.channel, it.at))
    source = f" ({where})" if where else ""
    values = {"granted": it.granted, "at": it.at.isoformat(), "source": where}
    return f"{verb} on {batch.words.moment(it.at)}{source}", values


def _address(batch: Batch, option: Any, known: _Known) -> tuple[str, dict[str, Any]]:
    if option.kind == NO_ADDRESS:
        return "needs no address", {}
    if option.kind == CARD:
        wallets = list(known.wallets.get(option.customer_id, ()))
        names = " and ".join(wallet.capitalize() for wallet in wallets)
        return f"the card is in {names} Wallet", {"wallets": wallets}
    active = [it for it in known.addresses[option.customer_id, option.kind] if it.active]
    if not active:
        return f"no {_called(option)} known", {}
    newest = active[-1].since
    return f"{_called(option)} known since {batch.words.day(batch.step.program.day_of(newest))}", {
        "address_since": newest.isoformat()
    }


def _suppression(batch: Batch, option: Any, known: _Known) -> tuple[str, dict[str, Any]]:
    it = known.suppressed[option.customer_id, option.channel][-1]
    values = {"reason": it.reason, "at": it.at.isoformat()}
    return f"the {_called(option)} is suppressed since {batch.words.moment(it.at)} ({it.reason})", values


def _no_address(batch: Batch, option: Any, known: _Known) -> tuple[str, dict[str, Any]]:
    if option.kind == CARD:
        return "no card in a wallet", {}
    dropped = known.addresses[option.customer_id, option.kind]
    if dropped:
        since = batch.words.day(batch.step.program.day_of(dropped[-1].since))
        return f"the {_called(option)} known since {since} is no longer in use", {}
    return f"no {_called(option)} known", {}


def _called(option: Any) -> str:
    return CALLED.get(option.kind) or str(option.kind)


_SAID = {"no_consent": _consent, "suppressed": _suppression, "unreachable": _no_address}
