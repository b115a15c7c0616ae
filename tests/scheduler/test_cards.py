"""The wallet beat: a fact at the till becomes a push to the phone and a new Google object, once."""

import asyncio
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Connection, Row, select, update

from campaigns.bundle import Bundle
from campaigns.running import Running, make_ready
from campaigns.versions import Live, apply
from core.clock import MovableClock
from core.customers import merging
from core.customers.addresses import Addresses
from core.customers.consent import Choice, choose
from core.customers.profiles import CUSTOMER, Profile, save
from core.db import Database
from core.errors import EnvironmentFault, Problems
from core.events import CURSOR
from core.ledger.writing import LOT
from core.links import Links
from core.purchases.receipts import Line, Purchase, Recorded, record
from core.tables import Store
from scheduler.card_changes import READER
from scheduler.cards import Cards, CardsDone
from scheduler.deck import read_card
from scheduler.restored import set_aside
from tests.api.shop import EXAMPLE, private
from tests.wallet.acts import announce
from tidings.tick_view import show_cards
from wallet import issuing, passes, registrations
from wallet.apple.throwaway import throwaway
from wallet.issuing import Deed
from wallet.tables import DEVICE, PASS
from wallet.updates import COALESCE

NO_WAIT = timedelta(0)
STORE = Store.__table__  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.read(EXAMPLE)


@cache
def _compiled(digest: str) -> Running:
    return make_ready(_BUNDLES[digest])


_BUNDLES: dict[str, Bundle] = {}


def compiled(bundle: Bundle) -> Running:
    """Checked once for all tests."""
    _BUNDLES[bundle.digest] = bundle
    return _compiled(bundle.digest)


class Salon:
    """A program with cards."""

    def __init__(self, database: Database, bundle: Bundle, clock: MovableClock, outbox: Path) -> None:
        self.database, self.clock, self.outbox = database, clock, outbox
        self.addresses = Addresses(b"a secret for tests")
        self.live = Live(database)
        self.apply(bundle)
        self.cards = self.new_cards()

    def new_cards(
        self, env_file: Path | None = None, address: str = "https://loyalty.example",
        kind: type[Cards] = Cards,
    ) -> Cards:  # fmt: skip
        """What a process begins with."""
        return kind(
            self.database, self.live, lambda _: Links(address, b"a secret for tests"),
            self.clock, outbox=self.outbox, private=private(), env_file=env_file,
        )  # fmt: skip

    @property
    def running(self) -> Running:
        return self.live.running()

    def apply(self, bundle: Bundle) -> None:
        with self.database.write() as connection:
            apply(connection, compiled(bundle), "tests", self.clock.now())

    def register(self, external_id: str, **profile: Any) -> int:
        with self.database.write() as connection:
            mine = [Profile(external_id, **profile)]
            [saved] = save(
                connection, self.running.program, self.addresses, mine, self.clock.now(), live=True
            )
        return saved.customer_id

    def buy(
        self, external_id: str, receipt: str, total: int, store: str | None = None, live: bool = True,
        ahead: timedelta = NO_WAIT,
    ) -> None:  # fmt: skip
        """`total` in whole money; the till's clock is so far `ahead` of ours."""
        lines = (Line("flat-white", 1000, total * 100),)
        purchase = Purchase(receipt, external_id, self.clock.now() + ahead, lines, store)
        with self.database.write() as connection:
            record(connection, self.running.program, [purchase], self.clock.now(), live=live)

    def carry(self, customer_id: int, device: str) -> None:
        """A phone adds the customer's pass."""
        with self.database.write() as connection:
            row = passes.current(connection, customer_id)
            assert row is not None
            registrations.register(connection, row.serial, device, device.replace("-", ""), self.clock.now())

    def packed(self, connection: Connection, row: Row[Any]) -> bytes:
        return self.cards.packed(self.cards.faces(connection, [row.customer_id])[row.customer_id], row)

    def beat(self, wait: timedelta = NO_WAIT) -> CardsDone:
        return asyncio.run(self._beat(wait))

    async def _beat(self, wait: timedelta) -> CardsDone:
        try:
            return await self.cards.beat(wait)
        finally:
            await self.cards.close()

    def holder(self, external_id: str = "olena", device: str = "phone-1", **profile: Any) -> int:
        """A customer with the card on a phone and in Google's wallet, of which the beats know."""
        customer_id = self.register(external_id, **{"locale": "uk", **profile})
        asyncio.run(self._issue(customer_id))
        self.carry(customer_id, device)
        self.beat()
        return customer_id

    async def _issue(self, customer_id: int) -> None:
        try:
            await self.cards.issue(customer_id)
        finally:
            await self.cards.close()

    def pushes(self) -> list[str]:
        return sorted(path.stem for path in (self.outbox / "apple-wallet").glob("*.json"))

    def google_balance(self, customer_id: int) -> str:
        return str(self._google_object(customer_id)["loyaltyPoints"]["balance"]["string"])

    def google_state(self, customer_id: int) -> str:
        return str(self._google_object(customer_id)["state"])

    def _google_object(self, customer_id: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.google_file(customer_id).read_text("utf-8"))
        return found

    def google_file(self, customer_id: int) -> Path:
        """What Google was told last."""
        with self.database.read() as connection:
            name = connection.scalar(select(PASS.c.google_object_id).where(PASS.c.customer_id == customer_id))
        return self.outbox / "google-wallet" / "loyaltyObject" / f"{name}.json"


@pytest.fixture
def salon(database: Database, bundle: Bundle, clock: MovableClock, tmp_path: Path) -> Salon:
    return Salon(database, bundle, clock, tmp_path / "outbox")


def test_a_purchase_wakes_the_phone_and_changes_the_google_object(salon: Salon) -> None:
    olena = salon.holder()
    salon.clock.move_by(timedelta(minutes=1))
    salon.buy("olena", "R1", 1000)
    done = salon.beat()
    [change] = done.changed
    assert (change.customer, change.tier, change.devices, change.google) == ("olena", "bronze", 1, "written")
    assert change.shows["Бонуси"] == "80"
    assert (done.pushes, done.google) == ({"accepted": 1}, {"written": 1})
    assert salon.pushes() == ["phone_1-1"]
    assert salon.google_balance(olena) == "80"
    assert any("throw-away" in note for note in done.notes)


def test_after_a_restore_google_shows_no_more_what_the_lost_life_wrote(salon: Salon) -> None:
    olena = salon.holder()
    assert salon.google_balance(olena) == "50"
    file = salon.google_file(olena)
    file.write_text(file.read_text("utf-8").replace('"string": "50"', '"string": "80"'), "utf-8")
    assert salon.google_balance(olena) == "80"
    set_aside(salon.database, salon.live, salon.clock, salon.clock.now() - timedelta(hours=1))
    salon.beat()
    assert salon.google_balance(olena) == "50"


def test_a_second_beat_has_nothing_to_do(salon: Salon) -> None:
    salon.holder()
    salon.buy("olena", "R1", 1000)
    assert salon.beat()
    again = salon.beat()
    assert not again
    assert again.changed == []


def test_what_does_not_show_on_the_card_wakes_nobody(salon: Salon) -> None:
    olena = salon.holder()
    with salon.database.write() as connection:
        choose(
            connection,
            [Choice(olena, "email", True, salon.clock.now(), "test")],
            salon.clock.now(),
            live=True,
        )
    assert not salon.beat()
    assert salon.pushes() == []


def test_only_the_customers_of_the_news_are_touched(salon: Salon) -> None:
    salon.holder("olena", "phone-1")
    salon.holder("taras", "phone-2")
    salon.register("without a card")
    salon.buy("taras", "R1", 1000)
    salon.buy("without a card", "R2", 1000)
    assert [change.customer for change in salon.beat().changed] == ["taras"]
    assert [name.split("-")[0] for name in salon.pushes()] == ["phone_2"]


def test_imported_history_changes_cards_too(salon: Salon) -> None:
    salon.holder()
    salon.buy("olena", "R1", 1000, live=False)
    assert [change.customer for change in salon.beat().changed] == ["olena"]


def test_a_burst_is_one_push_after_a_short_wait(salon: Salon) -> None:
    salon.holder()
    salon.buy("olena", "R1", 1000)
    first = salon.beat(COALESCE)
    assert (len(first.changed), first.pushes) == (1, {})
    salon.buy("olena", "R2", 1000)
    assert salon.beat(COALESCE).pushes == {}
    salon.clock.move_by(COALESCE)
    assert salon.beat(COALESCE).pushes == {"accepted": 1}
    assert len(salon.pushes()) == 1


def test_a_crash_between_the_card_and_the_reading_repeats_nothing(salon: Salon) -> None:
    salon.holder()
    salon.buy("olena", "R1", 1000)
    assert salon.beat().pushes == {"accepted": 1}
    with salon.database.write() as connection:
        connection.execute(update(CURSOR).where(CURSOR.c.reader == READER).values(transaction=0, event_id=0))
    assert not salon.beat()


def test_a_new_version_looks_at_every_card_once(salon: Salon, bundle: Bundle) -> None:
    salon.holder()
    text = bundle.files["cards/loyalty.yaml"].decode().replace("Бонуси", "Зернята")
    salon.apply(Bundle({**bundle.files, "cards/loyalty.yaml": text.encode()}))
    [change] = salon.beat().changed
    assert change.shows["Зернята"] == "50"
    assert not salon.beat()


def test_a_version_that_changes_nothing_on_the_card_wakes_nobody(salon: Salon, bundle: Bundle) -> None:
    salon.holder()
    text = bundle.files["scenarios/birthday.yaml"].decode().replace("priority: 90", "priority: 80")
    salon.apply(Bundle({**bundle.files, "scenarios/birthday.yaml": text.encode()}))
    assert not salon.beat()


def test_bonuses_that_begin_later_appear_on_their_day_without_any_event(salon: Salon) -> None:
    olena = salon.holder()
    salon.buy("olena", "R1", 1000)
    with salon.database.write() as connection:
        later = salon.clock.now() + timedelta(days=2)
        own = (LOT.c.customer_id == olena) & (LOT.c.reason == "purchase")
        connection.execute(update(LOT).where(own).values(active_from=later))
    salon.beat()
    assert salon.google_balance(olena) == "50"
    salon.clock.move_by(timedelta(days=1))
    assert not salon.beat()
    salon.clock.move_by(timedelta(days=1, hours=1))
    assert salon.beat().changed
    assert salon.google_balance(olena) == "80"


def test_spend_that_leaves_the_rolling_year_moves_the_next_level_away(salon: Salon) -> None:
    salon.holder()
    salon.buy("olena", "R1", 1000)
    [near] = salon.beat().changed
    salon.clock.move_by(timedelta(days=366))
    [far] = salon.beat().changed
    assert (near.shows["До наступного"], far.shows["До наступного"]) == (
        "4\u00a0000\u00a0₴",
        "5\u00a0000\u00a0₴",
    )


def test_the_card_names_the_stores_nearest_to_where_the_customer_shops(salon: Salon) -> None:
    stores = [
        ("kyiv-1", "Kyiv", 50.45, 30.52),
        ("lviv-1", "Lviv", 49.84, 24.03),
        ("nowhere", "Kyiv", None, None),
    ]
    with salon.database.write() as connection:
        rows = [
            {"code": c, "name": c, "city": city, "latitude": y, "longitude": x} for c, city, y, x in stores
        ]
        connection.execute(STORE.insert(), rows)
    olena = salon.holder(city="Kyiv")
    face = salon.cards.face(olena)
    assert face is not None
    assert [place.text.partition(":")[0] for place in face.places] == ["kyiv-1", "lviv-1"]
    salon.buy("olena", "R1", 100, store="lviv-1")
    face = salon.cards.face(olena)
    assert face is not None
    assert [place.text.partition(":")[0] for place in face.places] == ["lviv-1", "kyiv-1"]


def test_the_same_card_is_issued_again_and_again(salon: Salon) -> None:
    olena = salon.register("olena", locale="en", name="Olena")

    async def twice() -> list[Any]:
        issued = [await salon.cards.issue(olena) for _ in range(2)]
        await salon.cards.close()
        return issued

    first, again = asyncio.run(twice())
    assert first.serial == again.serial
    assert first.face.holder == "Olena"
    assert first.pkpass[:2] == b"PK"
    assert first.google_link.startswith("https://pay.google.com/gp/v/save/")
    assert len(first.notes) == 2


class SlowLink(Cards):
    """Something happens between the moment a card is issued and the one in which it is written to Google."""

    meanwhile: Callable[[], object]

    def _issue(self, *asked: Any) -> Any:
        issued = super()._issue(*asked)
        self.meanwhile()
        return issued


def slow_link(
    salon: Salon, customer_id: int, meanwhile: Callable[[], object]
) -> tuple[str | None, str | None]:
    cards = salon.new_cards(kind=SlowLink)
    assert isinstance(cards, SlowLink)
    cards.meanwhile = meanwhile

    async def link() -> tuple[str | None, str | None]:
        try:
            return await cards.google_link(customer_id)
        finally:
            await cards.close()

    return asyncio.run(link())


def test_who_buys_while_google_is_told_of_the_card_sees_the_new_balance_there(salon: Salon) -> None:
    olena = salon.holder()

    def buy() -> None:
        salon.buy("olena", "R1", 1000)
        asyncio.run(salon.cards.look(NO_WAIT))

    link, trouble = slow_link(salon, olena, buy)
    assert (link is not None, trouble) == (True, None)
    salon.beat()
    assert salon.google_balance(olena) == "80"


def test_a_card_that_is_revoked_while_its_link_is_made_has_none(salon: Salon) -> None:
    olena = salon.holder()

    def revoke() -> None:
        with salon.database.write() as connection:
            issuing.revoke(connection, olena, Deed("maria", "stolen"), salon.clock.now())

    assert slow_link(salon, olena, revoke) == (None, "refused: no card")
    salon.beat()
    assert salon.google_state(olena) == "INACTIVE"


def test_passes_that_no_phone_could_update_are_told_of_in_time(salon: Salon, tmp_path: Path) -> None:
    made, env = (
        throwaway(tmp_path, "pass.example.kavarnia", "ABCDE12345", salon.clock.now()),
        tmp_path / ".env",
    )
    files = {"CERTIFICATE": made.certificate, "KEY": made.key, "WWDR": made.wwdr}
    env.write_text("".join(f"TIDINGS_APPLE_{name}={file}\n" for name, file in files.items()), "utf-8")
    for address, told in (("http://localhost:8000", True), ("https://loyalty.example", False)):
        kit = salon.new_cards(env, address).kit()
        assert kit is not None
        assert any("over https only" in it and f"is {address};" in it for it in kit.notes) is told


def test_a_message_on_the_card_reaches_the_phone(salon: Salon) -> None:
    olena = salon.holder()
    with salon.database.write() as connection:
        announce(connection, olena, "Кава −20% до неділі", now=salon.clock.now())
        connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == olena).values(city="Lviv"))
    salon.buy("olena", "R1", 100)
    assert salon.beat().pushes == {"accepted": 1}
    face = salon.cards.face(olena)
    assert face is not None
    assert (face.back[0].label, face.back[0].value) == ("Новини", "Кава −20% до неділі")


def test_the_card_of_a_duplicate_is_void_once_the_profiles_are_merged(salon: Salon) -> None:
    duplicate = salon.holder("olena", "phone-1")
    survivor = salon.holder("olena-2", "phone-2")
    with salon.database.write() as connection:
        request = merging.Merge("olena", "olena-2", "maria", "the same phone")
        outcome = merging.merge(connection, salon.running.program, request, salon.clock.now(), live=True)
        assert isinstance(outcome, Recorded), outcome
    salon.beat()
    assert "phone_1-1" in salon.pushes()
    with salon.database.read() as connection:
        rows = {it.customer_id: it for it in connection.execute(select(PASS))}
        assert (rows[duplicate].voided, rows[survivor].voided) == (True, False)
        assert b'"voided":true' in pass_of(salon.packed(connection, rows[duplicate]))
        assert b'"voided":true' not in pass_of(salon.packed(connection, rows[survivor]))
    assert salon.google_state(duplicate) == "INACTIVE"
    assert salon.google_state(survivor) == "ACTIVE"


def pass_of(package: bytes) -> bytes:
    """The card's own file, without blanks."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return archive.read("pass.json").replace(b" ", b"")


def test_without_a_card_in_the_workspace_nothing_happens(salon: Salon, bundle: Bundle) -> None:
    olena = salon.holder()
    salon.apply(Bundle({path: it for path, it in bundle.files.items() if not path.startswith("cards/")}))
    salon.buy("olena", "R1", 1000)
    assert not salon.beat()
    assert salon.cards.face(olena) is None
    assert salon.cards.apple_pass(olena) is None
    assert asyncio.run(salon.cards.issue(olena)) is None


def test_a_card_that_cannot_be_filled_in_holds_up_no_other(salon: Salon, bundle: Bundle) -> None:
    text = (
        bundle.files["cards/loyalty.yaml"]
        .decode()
        .replace("{{ balance | number }}", "{{ 1 / (balance - 50) }}")
    )
    salon.apply(Bundle({**bundle.files, "cards/loyalty.yaml": text.encode()}))
    salon.register("poor")
    rich = salon.register("rich")
    salon.buy("rich", "R1", 1000)
    with salon.database.read() as connection:
        kit = salon.cards.kit()
        assert kit is not None
        assert list(kit.deck.faces(connection, [rich - 1, rich], salon.clock.now())) == [rich]
    with pytest.raises(EnvironmentFault, match="cannot be filled in just now"):
        salon.cards.apple_pass(rich - 1)


def test_a_card_file_that_is_wrong_is_told_with_its_line(bundle: Bundle) -> None:
    text = bundle.files["cards/loyalty.yaml"].decode().replace("front:", "frunt:")
    with pytest.raises(Problems) as wrong:
        read_card({"cards/loyalty.yaml": text.encode()})
    assert "cards/loyalty.yaml:8:1: frunt: no such key; did you mean 'front'?" in str(wrong.value)


def test_two_cards_in_one_workspace_are_one_too_many(bundle: Bundle) -> None:
    card = bundle.files["cards/loyalty.yaml"]
    with pytest.raises(Problems, match=r"cards/second.yaml: is a second card"):
        read_card({"cards/loyalty.yaml": card, "cards/second.yaml": card})


def test_a_phone_that_is_gone_is_left_out_of_the_summary(salon: Salon) -> None:
    olena = salon.holder()
    with salon.database.write() as connection:
        registrations.forget_device(connection, "phone-1", salon.clock.now())
        assert connection.execute(select(DEVICE)).all() == []
    salon.buy("olena", "R1", 1000)
    [change] = salon.beat().changed
    assert (change.devices, change.google) == (0, "written")
    assert salon.google_balance(olena) == "80"


def test_a_customers_number_may_hold_what_a_terminal_takes_for_markup(salon: Salon) -> None:
    salon.holder("[/bold]", "phone-7", name="[red]")
    salon.buy("[/bold]", "R1", 1000)
    out = io.StringIO()
    show_cards(Console(file=out, width=120), salon.beat())
    assert "[/bold]" in out.getvalue()
