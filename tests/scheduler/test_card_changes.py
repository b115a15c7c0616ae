"""Whatever changes what a card shows is found: by its event, by the household, by the sweep."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import func, select, update

from campaigns.bundle import Bundle
from core import tiers
from core.clock import MovableClock
from core.customers import households, merging
from core.customers.households import Change
from core.db import Database
from core.errors import EnvironmentFault
from core.events import CURSOR
from core.ledger import adjustments
from core.ledger.adjustments import Adjustment
from core.ledger.lots import Refusal
from core.ledger.writing import LOT
from core.purchases import returns
from core.purchases.receipts import Recorded
from scheduler import card_changes, cards
from scheduler.card_changes import SWEEP
from scheduler.restored import set_aside
from tests.scheduler.test_cards import NO_WAIT, STORE, Salon, bundle
from tests.wallet.conftest import p8
from tests.wallet.servers import Answer, Apns
from wallet import issuing, updates
from wallet.apple.live import SHORTEST_REST
from wallet.issuing import Deed
from wallet.tables import CURRENT, PASS

__all__ = ["bundle", "p8"]
Act = Callable[[Salon], object]


@pytest.fixture
def salon(database: Database, bundle: Bundle, clock: MovableClock, tmp_path: Path) -> Salon:
    """Olena, who bought for 1000, and her husband Ihor, who shares her bonuses, with a card each."""
    made = Salon(database, bundle, clock, tmp_path / "outbox")
    with database.write() as connection:
        for code, latitude in (("S1", 50.4), ("S2", 49.8)):
            values = {"code": code, "name": code, "city": "Kyiv", "latitude": latitude, "longitude": 30.5}
            connection.execute(STORE.insert().values(values))
    made.holder("olena", "phone-1", city="Kyiv")
    made.holder("ihor", "phone-2")
    made.buy("olena", "R1", 1000, store="S1")
    _shared(made)
    made.beat()
    return made


def _shared(salon: Salon) -> None:
    with salon.database.write() as connection:
        change = Change("olena", "ihor")
        joined = households.join(connection, salon.running.program, change, salon.clock.now(), live=True)
        assert isinstance(joined, Recorded), joined


def _outdated(salon: Salon) -> list[int]:
    """Customers whose card shows something else than their wallets were told."""
    with salon.database.read() as connection:
        everybody = connection.scalars(select(PASS.c.customer_id).where(CURRENT)).all()
        return updates.outdated(connection, everybody, salon.cards.faces)


def _adjusted(salon: Salon, points: int) -> None:
    with salon.database.write() as connection:
        request = Adjustment(f"A{points}", "olena", points, "maria", "goodwill")
        done = adjustments.adjust(connection, salon.running.program, request, salon.clock.now(), live=True)
        assert isinstance(done, Recorded), done


def _invited(salon: Salon) -> None:
    with salon.database.write() as connection:
        program, now = salon.running.program, salon.clock.now()
        done = tiers.invite(connection, program, "ihor", "gold", "maria", "a friend", now, live=True)
        assert isinstance(done, Recorded), done


def _returned(salon: Salon) -> None:
    with salon.database.write() as connection:
        wanted = returns.Return("R1", salon.clock.now())
        done = returns.take_back(connection, salon.running.program, wanted, salon.clock.now(), live=True)
        assert isinstance(done, Recorded), done


def _left(salon: Salon) -> None:
    with salon.database.write() as connection:
        change = Change("olena", "ihor")
        done = households.leave(connection, salon.running.program, change, salon.clock.now(), live=True)
        assert isinstance(done, Recorded), done


def _merged(salon: Salon) -> None:
    salon.register("twin")
    salon.buy("twin", "R7", 2000)
    with salon.database.write() as connection:
        request = merging.Merge("twin", "olena", "maria", "the same phone")
        done = merging.merge(connection, salon.running.program, request, salon.clock.now(), live=True)
        assert isinstance(done, Recorded), done


def _moved(salon: Salon) -> None:
    """The shop itself: nobody's event."""
    salon.clock.move_by(card_changes.STORES_AGE)
    with salon.database.write() as connection:
        connection.execute(update(STORE).where(STORE.c.code == "S2").values(latitude=50.5))


def _begun(salon: Salon) -> None:
    """Bonuses that begin at midnight."""
    salon.clock.move_by(timedelta(days=1))
    with salon.database.write() as connection:
        connection.execute(update(LOT).values(active_from=salon.clock.now() + timedelta(hours=1)))
    salon.beat()
    salon.clock.move_by(timedelta(days=1))


ACTS: dict[str, tuple[Act, set[str]]] = {
    "a profile": (lambda it: it.register("olena", name="Олена Коваль", card="KV-77"), {"olena"}),
    "a language": (lambda it: it.register("ihor", locale="en"), {"ihor"}),
    "a member buys": (lambda it: it.buy("ihor", "R2", 500), {"olena", "ihor"}),
    "an import": (lambda it: it.buy("olena", "R3", 500, live=False), {"olena", "ihor"}),
    "given by hand": (lambda it: _adjusted(it, 1000), {"olena", "ihor"}),
    "taken by hand": (lambda it: _adjusted(it, -500), {"olena", "ihor"}),
    "a level by hand": (_invited, {"ihor"}),
    "a return": (_returned, {"olena", "ihor"}),
    "a merge": (_merged, {"olena", "ihor"}),
    "a store that moved": (_moved, {"olena", "ihor"}),
    "midnight": (_begun, {"olena", "ihor"}),
    "leaving the household": (_left, {"ihor"}),
}


def test_every_change_reaches_every_card_that_shows_it(salon: Salon) -> None:
    for name, (act, whose) in ACTS.items():
        act(salon)
        assert len(_outdated(salon)) == len(whose), f"{name} is to change what these cards show"
        assert (name, {change.customer for change in salon.beat().changed}) == (name, whose)
        assert (name, _outdated(salon)) == (name, [])
        assert not salon.beat(), name
        salon.clock.move_by(timedelta(minutes=1))


class TestASweep:
    @pytest.fixture
    def crowd(
        self, database: Database, bundle: Bundle, clock: MovableClock, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Salon:  # fmt: skip
        """Five card holders, of whom a sweep looks at two at a time."""
        monkeypatch.setattr(card_changes, "CARDS_AT_ONCE", 2)
        made = Salon(database, bundle, clock, tmp_path / "outbox")
        for number in range(5):
            made.holder(f"guest-{number}", f"phone-{number}")
        return made

    def new_words(self, salon: Salon, word: str) -> None:
        files = salon.running.loaded.bundle.files
        text = files["cards/loyalty.yaml"].decode().replace("Бонуси", word)
        salon.apply(Bundle({**files, "cards/loyalty.yaml": text.encode()}))

    def step(self, salon: Salon) -> cards.CardsDone:
        async def look() -> cards.CardsDone:
            try:
                return await salon.cards.look(NO_WAIT)
            finally:
                await salon.cards.close()

        return asyncio.run(look())

    def test_goes_on_after_a_restart_where_it_stood(self, crowd: Salon, tmp_path: Path) -> None:
        self.new_words(crowd, "Зернята")
        first = self.step(crowd)
        assert (first.marked, first.more) == (2, True)
        crowd.cards = crowd.new_cards()
        assert [self.step(crowd).marked for _ in range(2)] == [2, 1]
        assert _outdated(crowd) == []
        with crowd.database.read() as connection:
            assert connection.scalar(select(CURSOR.c.event_id).where(CURSOR.c.reader == SWEEP)) is None

    def test_lets_live_changes_go_first(self, crowd: Salon) -> None:
        self.new_words(crowd, "Зернята")
        assert self.step(crowd).more
        crowd.buy("guest-4", "R1", 1000)
        done = self.step(crowd)
        assert (done.marked, done.more) == (3, True)
        assert {it.split("-")[0] for it in crowd.pushes()} == {
            "phone_0",
            "phone_1",
            "phone_2",
            "phone_3",
            "phone_4",
        }

    def test_begins_anew_if_something_else_changes_meanwhile(self, crowd: Salon) -> None:
        self.new_words(crowd, "Зернята")
        assert self.step(crowd).more
        files = crowd.running.loaded.bundle.files
        text = files["cards/loyalty.yaml"].decode().replace("Зернята", "Зірки")
        crowd.apply(Bundle({**files, "cards/loyalty.yaml": text.encode()}))
        assert crowd.beat().marked == 5
        assert _outdated(crowd) == []

    def test_after_a_restore_every_phone_is_told_above_any_mark_of_the_lost_life(self, crowd: Salon) -> None:
        with crowd.database.read() as connection:
            known = connection.scalar(select(func.max(PASS.c.tag))) or 0
        crowd.clock.move_by(timedelta(hours=1))
        set_aside(crowd.database, crowd.live, crowd.clock, crowd.clock.now() - timedelta(minutes=5))
        assert crowd.beat().marked == 5
        with crowd.database.read() as connection:
            tags = list(connection.scalars(select(PASS.c.tag)))
        assert min(tags) > known + 1_000_000

    def test_of_many_changed_cards_only_the_first_are_described(
        self, crowd: Salon, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cards, "TOLD_AT_MOST", 3)
        self.new_words(crowd, "Зернята")
        done = crowd.beat()
        assert (done.marked, len(done.changed)) == (5, 3)


def test_that_apple_refuses_us_is_told_once_and_when_it_is_over(
    salon: Salon, p8: Path, tmp_path: Path
) -> None:
    refusal: Answer = (403, {"reason": "InvalidProviderToken"})
    apns = Apns(answers={"phone1": [refusal] * 2, "phone2": [refusal] * 2})
    with apns.behind_tls(tmp_path) as url, structlog.testing.capture_logs() as log:
        (tmp_path / ".env").write_text(
            f"TIDINGS_APPLE_TRANSPORT=apns\nTIDINGS_APPLE_APNS_URL={url}\nTIDINGS_APPLE_APNS_CA=server.pem\n"
            f"TIDINGS_APPLE_APNS_KEY={p8}\nTIDINGS_APPLE_APNS_KEY_ID=ABC123DEFG\n"
        )
        salon.cards = salon.new_cards(tmp_path / ".env")
        salon.buy("olena", "R2", 500)
        for _ in range(3):
            salon.beat()
        asked = len(apns.seen)
        salon.clock.move_by(SHORTEST_REST)
        salon.beat()
        assert len(apns.seen) == asked + 1
        salon.clock.move_by(timedelta(hours=1))
        salon.beat()
        salon.clock.move_by(timedelta(hours=1))
        salon.beat()
    assert [(it["log_level"], it["event"], it.get("reason")) for it in log if "apple" in it["event"]] == [
        ("error", "apple takes no pushes; cards wait", "InvalidProviderToken"),
        ("info", "apple takes pushes again", None),
    ]
    assert _outdated(salon) == []


def test_a_setting_of_apples_that_is_wrong_holds_up_no_card_at_google(salon: Salon, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TIDINGS_APPLE_TRANSPORT=apns\n")
    salon.cards = salon.new_cards(tmp_path / ".env")
    for receipt in ("R2", "R3"):
        salon.buy("olena", receipt, 500)
        with pytest.raises(EnvironmentFault, match="pushes need TIDINGS_APPLE_CERTIFICATE"):
            salon.beat()
        assert not _outdated(salon)
    assert asyncio.run(salon.cards.tell_google()) == {"written": 2}


def test_what_a_till_records_ahead_of_its_time_reaches_the_card_when_the_time_comes(salon: Salon) -> None:
    begun, minute = salon.clock.now(), timedelta(minutes=1)
    salon.buy("olena", "R2", 1000, ahead=2 * minute)
    salon.buy("olena", "R3", 1000, ahead=4 * minute)
    seen: list[tuple[int, datetime | None]] = []
    for minutes in (0, 2, 4, 5):
        salon.clock.move_to(begun + minutes * minute)
        salon.cards = salon.new_cards()  # a restart forgets nothing
        marked = salon.beat().marked
        assert not _outdated(salon)
        seen.append((marked, asyncio.run(salon.cards.look()).next_at))
    assert seen[1:] == [(2, begun + 4 * minute), (2, None), (0, None)]
    assert seen[0][1] == begun + 2 * minute


def _steps_back(salon: Salon, step: timedelta) -> None:
    """Somebody sets the machine's clock right, by whose time R2 was recorded."""
    salon.clock._at -= step


def _buys_again(salon: Salon) -> None:
    salon.buy("ihor", "R3", 500)


def _nothing_else(salon: Salon) -> None:
    """But for the step into another day, of which the sweep takes notice."""


@pytest.mark.parametrize(
    ("step", "act"), [(timedelta(hours=1), _buys_again), (timedelta(days=1), _nothing_else)]
)
@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_recorded_before_the_clock_stepped_back_comes_to_the_card_again(
    salon: Salon, step: timedelta, act: Act, restarted: bool
) -> None:
    salon.clock.move_by(timedelta(days=2))
    salon.buy("olena", "R2", 1000)
    salon.beat()
    recorded = salon.clock.now()
    _steps_back(salon, step)
    if restarted:
        salon.cards = salon.new_cards()
    act(salon)
    salon.beat()
    assert not _outdated(salon)
    for left in (timedelta(minutes=1), timedelta(0)):
        salon.clock.move_to(recorded - left)
        marked = salon.beat().marked
        assert not _outdated(salon)
    assert marked == 2


def test_a_card_that_is_added_before_that_time_learns_of_it_too(salon: Salon) -> None:
    customer_id = salon.register("danylo", locale="uk")
    salon.buy("danylo", "R2", 1000, ahead=timedelta(minutes=2))
    salon.beat()
    asyncio.run(salon.cards.issue(customer_id))
    salon.clock.move_by(timedelta(minutes=2))
    assert [it.customer for it in salon.beat().changed] == ["danylo"]
    assert not _outdated(salon)


def _danylo_joins_the_family(salon: Salon) -> Recorded | Refusal:
    with salon.database.write() as connection:
        change = Change("olena", "danylo")
        return households.join(connection, salon.running.program, change, salon.clock.now(), live=True)


def _danylo_is_found_to_be_olena(salon: Salon) -> Recorded | Refusal:
    with salon.database.write() as connection:
        request = merging.Merge("olena", "danylo", "maria", "the same phone")
        return merging.merge(connection, salon.running.program, request, salon.clock.now(), live=True)


@pytest.mark.parametrize("act", [_danylo_joins_the_family, _danylo_is_found_to_be_olena])
def test_who_comes_to_share_it_before_that_time_learns_of_it_too(
    salon: Salon, act: Callable[[Salon], Recorded | Refusal]
) -> None:
    danylo = salon.holder("danylo", "phone-3")
    salon.buy("olena", "R2", 1000, ahead=timedelta(hours=3))
    salon.beat()
    outcome = act(salon)
    assert isinstance(outcome, Recorded), outcome
    salon.beat()
    before = int(salon.google_balance(danylo))
    salon.clock.move_by(timedelta(hours=3))
    salon.beat()
    assert not _outdated(salon)
    assert int(salon.google_balance(danylo)) == before + 30


def test_a_card_that_is_replaced_before_that_time_leaves_nothing_to_look_at(salon: Salon) -> None:
    customer_id = salon.holder("danylo", "phone-3")
    salon.buy("danylo", "R2", 1000, ahead=timedelta(minutes=2))
    salon.beat()
    with salon.database.write() as connection:
        issuing.revoke(connection, customer_id, Deed("maria", "misused"), salon.clock.now())
    salon.clock.move_by(timedelta(minutes=5))
    salon.beat()
    assert asyncio.run(salon.cards.look()).next_at is None
