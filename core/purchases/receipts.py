"""Receipts: recorded with their lines, earning and spending, one or thousands at a time."""

import gc
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, update

from core import tiers
from core.clock import EARLIEST, LATEST
from core.customers.holders import ATTEMPTS, CUSTOMER, Person, busy, people, people_held
from core.db import ask_ids
from core.db.bulk import COPY_FROM, commit_with_trip, mark, piped, unmark
from core.events import Happening, append
from core.fact import fact
from core.grants.promo_codes import Codes
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.operations import again_if_taken, ask_operations, digest_of, known_operations
from core.ledger.reading import HOLD
from core.ledger.replay import News, Replay, Replayed
from core.ledger.rewriting import rewrite
from core.program import Program
from core.program.versions import version_at
from core.purchases.answers import answer
from core.purchases.booking import Bought, Desk, Effect, payable
from core.purchases.buyers import ask_buyers
from core.purchases.cart import Cart, Item
from core.purchases.door import Door
from core.purchases.goods import NOTHING_KNOWN, Goods, ask_goods
from core.purchases.history import BuyerPast
from core.purchases.sales import Line, Purchase
from core.purchases.stats import Stats
from core.purchases.stored import LINE, RECEIPT
from core.purchases.written import Work, write_receipts
from core.tiers import Climb, Standing

__all__ = ["CUSTOMER", "LINE", "RECEIPT", "Line", "Outcome", "Purchase", "Recorded", "record"]

# Clocks of tills and of this service differ by so much and still mean the same moment.
SKEW = timedelta(minutes=5)


@fact
class Recorded:
    """The answer to a receipt; the same again when it is repeated."""

    answer: dict[str, Any]
    repeated: bool = False


Outcome = Recorded | Refusal


def record(
    connection: Connection,
    program: Program,
    purchases: Sequence[Purchase],
    recorded_at: datetime,
    *,
    live: bool,
    again: bool = True,
    last: bool = False,
) -> list[Outcome]:
    """Record purchases in the caller's write transaction; one outcome each, in their order.

    A refused purchase changes nothing and does not hold up the others. Reasons: `unknown_customer`,
    `conflict` (recorded with other content), `bad_amount`, `impossible_time`, `in_the_future`, `too_old`,
    `unknown_product`, `over_the_limit`, `insufficient_balance`, `confirmation_required`, `busy` (the account
    changed hands at every try), and those of promo codes. A live receipt that comes late is booked as if it
    had come in its time (core.ledger.replay).

    Without `again` the same receipt recorded at this very moment by another transaction is an IntegrityError,
    and the caller's transaction is lost: who begins it anew saves a savepoint each time. `last`: nothing
    follows in the transaction, so it may be committed by the way.
    """

    def work() -> list[Outcome]:
        return Recording(connection, program, purchases, recorded_at, live, marks=again, last=last).run()

    with uncollected() if len(purchases) >= COPY_FROM else nullcontext():
        return again_if_taken(connection, work, marked=True) if again else work()


@contextmanager
def uncollected() -> Iterator[None]:
    """A batch makes hundreds of thousands of objects that live to its end: whoever looks among them for
    garbage, again and again, finds none.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Recording:
    """One call of `record`: what it loads once, and what it writes once.

    `reckon` is all but the writing: with `lock=False`, and codes that are only asked, it changes nothing.
    """

    def __init__(
        self, connection: Connection, program: Program, purchases: Sequence[Purchase],
        recorded_at: datetime, live: bool, *, lock: bool = True, codes: Codes | None = None,
        marks: bool = False, last: bool = False,
    ) -> None:  # fmt: skip
        self.connection, self.program, self.purchases = connection, program, purchases
        self.recorded_at, self.live = recorded_at, live
        self.marks, self.last_act = marks, last
        self.door = Door(program, recorded_at, live)
        # A batch that was interrupted and is repeated asks first what is there, and locks the rest.
        keys = [it.key for it in purchases]
        self.known = known_operations(connection, keys) if len(keys) >= COPY_FROM else {}
        new = [it for it in purchases if it.key not in self.known and EARLIEST <= it.at < LATEST]
        times = [it.at for it in new] or [recorded_at]
        self.first, self.last = min(times), max(times)
        self._lock(new, lock=lock)
        self.codes = codes or Codes(connection, program, recorded_at)
        self.standings = {
            it.id: Standing(it.tier, it.tier_since, it.invited_to) for it in self.buyers.values()
        }
        self.pasts: dict[int, BuyerPast] = {}
        self.works: dict[int, list[Work]] = defaultdict(list)
        self.turns: dict[int, int] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.effects: list[tuple[Work, Effect]] = []
        self.left_out: dict[str, Mapping[str, Refusal]] = {}
        self.happenings: list[Happening] = []
        self.replays: list[Replayed] = []

    def _lock(self, new: Sequence[Purchase], *, lock: bool) -> None:
        """Hold the accounts of whoever buys; who changes hands meanwhile is asked again."""
        names = {it.customer for it in new}
        paying = {it.customer for it in new if self.live or it.pay_points}
        with piped(self.connection):
            if self.marks:
                mark(self.connection)
            found, held = people_held(self.connection, names, lock=lock)
        for _ in range(ATTEMPTS):
            earners = {it.holder for it in found.values()} - {
                found[it].holder for it in paying & found.keys()
            }
            # Whoever buys may lengthen the life of what they have: then all of it is looked at.
            extending = bool(self.program.extended_accounts)
            until = max(self.last, self.recorded_at) if self.live else self.last
            self.book = Book(
                self.connection, self.program, {it.holder for it in found.values()}, self.recorded_at,
                live=self.live, span=None if extending else (self.first, until),
                earners=() if extending else earners, lock=lock, held=held,
                beside=partial(self._ask, found, new), coming=len(new) if lock else 0,
            )  # fmt: skip
            self.buyers = self._answers[0]()
            if all(it.holder_id in self.book.lots for it in self.buyers.values()):
                break
            found = people(self.connection, names)
        self.known |= self._answers[1]()
        self.goods = self._answers[2]()

    def _ask(self, found: Mapping[str, Person], new: Sequence[Purchase]) -> None:
        """Everything else is asked under the accounts' lock: what another writer just did is seen."""
        self.stats = Stats(self.connection, sorted({it.id for it in found.values()}))
        self._answers = (
            ask_buyers(self.connection, found),
            ask_operations(self.connection, [it.key for it in new]),
            ask_goods(self.connection, new),
        )
        self.receipt_ids = ask_ids(self.connection, RECEIPT, len(new))

    # --- one after the other

    def run(self) -> list[Outcome]:
        repeats = self.reckon()
        self._write()
        for place in repeats:
            self.outcomes[place] = self._repeat(self.purchases[place])
        return [self.outcomes[place] for place in range(len(self.purchases))]

    def reckon(self) -> list[int]:
        """Work out what every purchase does; returns the places of those that were recorded before."""
        repeats = []
        for place, purchase in enumerate(self.purchases):
            if purchase.key in self.known:
                repeats.append(place)
            elif refusal := self._refused(purchase):
                self.outcomes[place] = refusal
            else:
                self._begin(place, purchase)
        self._book()
        return repeats

    def _begin(self, place: int, purchase: Purchase) -> None:
        buyer = self.buyers[purchase.customer]
        number, program = self._rules(purchase)
        cart = payable(program, self._cart(program, purchase))
        if isinstance(cart, Refusal):
            self.codes.release(purchase.external_id)
            self.outcomes[place] = cart
            return
        op = self.book.operation(
            buyer.holder_id, "purchase", purchase.key, purchase.body(), cart.at,
            partner=cart.partner, program_version=number,
        )  # fmt: skip
        bought = Bought(purchase.external_id, buyer.id, cart, program, live=self.live)
        self.known[purchase.key] = (op.digest, op.result)
        self.turns[place] = buyer.holder_id
        self.works[buyer.holder_id].append(Work(place, purchase, op, bought))

    def _rules(self, purchase: Purchase) -> tuple[int, Program]:
        """The rules of the purchase's own time; imported history goes by those of today."""
        if self.live and purchase.at < self.book.version_since:
            return version_at(self.connection, purchase.at)
        return self.book.version, self.program

    def _cart(self, program: Program, purchase: Purchase) -> Cart:
        goods = self.goods
        items = tuple([_item(line, goods.get(line.sku, NOTHING_KNOWN)) for line in purchase.lines])
        partner = program.partner_of(purchase.store)
        codes = self.codes.names(purchase.external_id)
        return Cart(self._moment(purchase), items, purchase.store, partner, codes, purchase.pay_points)

    def _moment(self, purchase: Purchase) -> datetime:
        """When it is booked: a till whose clock is a little behind pays with what has come meanwhile."""
        last = self.book.last_at[self.buyers[purchase.customer].holder_id]
        if not last or purchase.at >= last or last > self.recorded_at:
            return purchase.at
        behind = timedelta() <= self.recorded_at - purchase.at <= SKEW
        if not (behind and purchase.pay_points and self.live) or purchase.offline:
            return purchase.at
        # What was set aside at that time is spent at that time, even if it has expired since.
        return purchase.at if self.book.holds(purchase.external_id) else last

    # --- what is refused

    def _refused(self, purchase: Purchase) -> Refusal | None:
        if refusal := self.door.refused(purchase, self.buyers, self.goods):
            return refusal
        if self.buyers[purchase.customer].holder_id not in self.book.lots:
            return busy()
        return self._use_codes(purchase) if purchase.codes else None

    def _use_codes(self, purchase: Purchase) -> Refusal | None:
        """Take the codes; the goods of an offline receipt are gone, so what cannot be used is left out."""
        buyer_id, codes = self.buyers[purchase.customer].id, purchase.codes
        _, self.codes.program = self._rules(purchase)
        if not purchase.offline:
            return self.codes.use(codes, buyer_id, purchase.external_id, purchase.at)
        unfit = self.codes.use_some(codes, buyer_id, purchase.external_id, purchase.at)
        self.left_out[purchase.external_id] = unfit
        return None

    def _repeat(self, purchase: Purchase) -> Outcome:
        digest, said = self.known[purchase.key]
        if digest != digest_of(purchase.body()):
            return Refusal("conflict", f"receipt {purchase.external_id!r} is recorded with other content")
        return Recorded(said, repeated=True)

    # --- booking

    def _book(self) -> None:
        for works in self.works.values():
            works.sort(key=_time)
        late = {i: works for i, works in self.works.items() if self._late(i, works)}
        straight = {i: iter(works) for i, works in self.works.items() if i not in late}
        desk = self._desk([it for i in straight for it in self.works[i]])
        for holder_id, works in late.items():
            self._book_late(holder_id, works)
        # Everybody's own purchases by their times, and all in the order in which they came: an import that
        # was interrupted numbers its lots as one that was not.
        for place in sorted(it.place for i in straight for it in self.works[i]):
            work = next(straight[self.turns[place]])
            effect = desk.buy(work.op, work.bought, owing=work.purchase.owing)
            self._took_effect(work, effect)

    def _late(self, holder_id: int, works: Sequence[Work]) -> bool:
        first, last = works[0].bought.cart.at, self.book.last_at[holder_id]
        if last and first < last:
            return True
        return any((bought := self.stats.last(it.bought.buyer_id)) and first < bought for it in works)

    def _desk(self, works: Sequence[Work]) -> Desk:
        buyers = {it.bought.buyer_id for it in works}
        standings = {i: self.standings[i] for i in buyers}
        climb = Climb(
            self.connection, self.program, standings, self.first, self._climbers(works), until=self.last,
            rules=[it.bought.program for it in works if it.bought.program is not self.program],
        )  # fmt: skip
        self.pasts = {i: BuyerPast(self.connection, i, None, None, *self.stats.counts(i)) for i in buyers}
        return Desk(self.book, climb, standings, self.pasts)

    def _climbers(self, works: Sequence[Work]) -> set[int]:
        """Who may rise: only theirs are the receipts of the period looked up."""
        theirs: dict[int, list[Work]] = defaultdict(list)
        for work in works:
            theirs[work.bought.buyer_id].append(work)
        climbers = set()
        for i, some in theirs.items():
            purchases, spent = self.stats.counts(i)
            purchases, spent = purchases + len(some), spent + sum([it.purchase.total for it in some])
            # What is told after a change of the levels may reach one by those of its own time.
            for rules in {id(it.bought.program): it.bought.program for it in some}.values():
                if Climb.may_rise(rules, self.standings[i].tier, spent=spent, purchases=purchases):
                    climbers.add(i)
        return climbers

    def _book_late(self, holder_id: int, works: Sequence[Work]) -> None:
        replay = Replay(self.book, holder_id, works[0].bought.cart.at)
        news = [News(it.op, it.bought, owing=it.purchase.owing) for it in works]
        replayed = replay.run(news)
        for work in works:
            self._took_effect(work, replayed.effects[work.bought.external_id], replayed)
        if replayed.moves:
            self.replays.append(replayed)

    def _took_effect(self, work: Work, effect: Effect | Refusal, replayed: Replayed | None = None) -> None:
        if isinstance(effect, Refusal):
            del self.known[work.purchase.key]
            self.codes.release(work.purchase.external_id)
            self.outcomes[work.place] = effect
            return
        if replayed:
            # Of a late receipt the till hears where the customer stands now.
            effect = replace(effect, tier=replayed.tiers[work.bought.buyer_id])
        self.effects.append((work, effect))
        if work.purchase.codes:
            self._leave_codes(work.purchase.external_id, effect)
        corrects = replayed is not None and replayed.by is work.op
        work.op.result = answer(
            self.book, work.op.customer_id, work.bought, effect, live=self.live,
            customer=work.purchase.customer, corrected=replayed.corrected if replayed and corrects else None,
            left_out=self.left_out.get(work.purchase.external_id),
        )  # fmt: skip
        self.known[work.purchase.key] = (work.op.digest, work.op.result)
        self.outcomes[work.place] = Recorded(work.op.result)

    def _leave_codes(self, receipt: str, effect: Effect) -> None:
        why = {it.rule: it.detail for it in effect.earned.silences}
        unused = self.codes.leave(receipt, effect.codes, why)
        self.left_out[receipt] = {**self.left_out.get(receipt, {}), **unused}

    # --- writing

    def _write(self) -> None:
        self.effects.sort(key=lambda it: it[0].place)
        self.book.close(beside=self._write_rest, waits=bool(self.replays or self._held()))

    def _write_rest(self) -> None:
        self.happenings += write_receipts(self.connection, self.effects, self.receipt_ids(), self.recorded_at)
        self._settle()
        self.codes.close({work.purchase.external_id: work.op.id for work, _ in self.effects})
        self._release_holds()
        append(self.connection, self.happenings + self.book.happenings, self.recorded_at, live=self.live)
        if self.marks:
            unmark(self.connection)
        if self.last_act:
            commit_with_trip(self.connection)

    def _held(self) -> list[str]:
        """The receipts for which a till had set bonuses aside."""
        ids = (work.purchase.external_id for work, _ in self.effects)
        return [it for it in ids if self.book.holds(it)]

    def _release_holds(self) -> None:
        """What a till had set aside for these receipts is spent now, or was not needed."""
        if held := self._held():
            mine = update(HOLD).where(HOLD.c.external_id.in_(held), HOLD.c.state == "open")
            self.connection.execute(mine.values(state="committed", changed_at=self.recorded_at))

    def _settle(self) -> None:
        """Statistics and levels; of replays, also the receipts that came out differently."""
        replayed = {i for it in self.replays for i in it.moves}
        for work, effect in self.effects:
            if work.bought.buyer_id not in replayed:
                self.stats.purchase(work.bought.buyer_id, work.bought.cart.at, effect.money)
        for i in sorted(replayed):
            self.stats.recount(i)
        self.stats.close()
        straight = {i: it for i, it in self.standings.items() if i not in replayed}
        self.happenings += tiers.write(self.connection, straight, self.recorded_at)
        for replay in self.replays:
            self.happenings += rewrite(self.book, replay)


def _item(line: Line, known: Goods) -> Item:
    category, brand = line.category or known[0], line.brand or known[1]
    return Item(line.sku, line.quantity, line.total, category, brand, line.discounted)


def _time(work: Work) -> datetime:
    return work.bought.cart.at
