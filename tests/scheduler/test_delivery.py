"""Senders: rates that they share, providers that are down, stopping, dying."""

import asyncio
import gc
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from channels import Failed, Outgoing
from channels.sending import Record
from core.clock import MovableClock
from core.customers.profiles import CUSTOMER
from core.db import Database
from core.errors import EnvironmentFault
from scheduler import delivery as module
from scheduler import line, throttle
from scheduler.claim import MOST_TRIES, Claimer, reap
from scheduler.delivery import Delivered, Delivery
from scheduler.outcomes import Settled, settle
from scheduler.throttle import CHANNEL, CHUNK
from tests.channels.providers.base import Verdict
from tests.scheduler.kiosk import MESSAGE, Kiosk


def crowd(kiosk: Kiosk, count: int, channel: str = "sms", then: str = "") -> None:
    """So many messages stand in the outbox for one channel, of a provider that accepts them."""
    kiosk.scenario(send=f"[{channel}]", then=then)
    key = {"sms": "phone", "email": "email", "push": "push"}[channel]
    kiosk.customers({f"anna{number}": {key: kiosk.to(channel, "accept", number)} for number in range(count)})
    kiosk.plan()


def with_rate(kiosk: Kiosk, rate: str) -> None:
    kiosk.write(
        program=kiosk.files["program.yaml"].replace("sender: Kiosk,", f"sender: Kiosk, rate: {rate},")
    )


async def two_senders(kiosk: Kiosk) -> list[Delivered]:
    """Two senders at the same time, each with everything of its own but the database."""
    async with kiosk.channels()["sms"] as first, kiosk.channels()["sms"] as second:
        return await asyncio.gather(*(kiosk.delivery({"sms": channel}).run() for channel in (first, second)))


def test_a_name_of_nothing_but_blanks_keeps_no_message_back(kiosk: Kiosk) -> None:
    kiosk.files["messages/hello/sms.txt"] = "Hello {{ customer.first_name }}\n"
    crowd(kiosk, 1)
    with kiosk.database.write() as connection:
        connection.execute(update(CUSTOMER).values(name="  "))
    kiosk.deliver()
    assert kiosk.state("anna0") == ("sent", None)
    assert [form["Body"] for form in kiosk.server("sms").forms] == ["Hello"]


def test_a_name_that_was_kept_with_control_characters_is_said_in_one_line(kiosk: Kiosk) -> None:
    kiosk.files["messages/hello/sms.txt"] = "{{ customer.name }}, {{ customer.first_name }}\n"
    crowd(kiosk, 1)
    with kiosk.database.write() as connection:
        connection.execute(update(CUSTOMER).values(name="O\x92Brien\r\nLee"))
    kiosk.deliver()
    assert [form["Body"] for form in kiosk.server("sms").forms] == ["OBrien Lee, OBrien"]


@pytest.mark.parametrize("locale", ["en-GB", "en_US"])
def test_the_programs_terms_are_said_in_the_language_of_the_message(kiosk: Kiosk, locale: str) -> None:
    kiosk.files["messages/hello/en-GB/sms.txt"] = "{{ program.terms }}\n"
    kiosk.write(
        program=kiosk.files["program.yaml"]
        .replace("locales: [en]", "locales: [uk, en-GB]")
        .replace("{en: [bonus, bonuses]}", "{uk: [бонус, бонуси, бонусів, бонуса], en-GB: [bonus, bonuses]}")
        + "terms: {uk: Умови., en-GB: The terms.}\n"
    )
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"), locale=locale)
    kiosk.plan()
    kiosk.deliver()
    assert [form["Body"] for form in kiosk.server("sms").forms] == ["The terms."]


class TestRates:
    def test_no_more_leaves_in_a_second_than_the_rate_allows(self, kiosk: Kiosk) -> None:
        with_rate(kiosk, "10 per second")
        crowd(kiosk, 25)
        kiosk.deliver()
        assert kiosk.states() == {"sent": 25}
        # Ten, ten, five, and a look whether there are more.
        assert kiosk.naps == pytest.approx([1.0, 1.0, 0.5])

    def test_a_slow_rate_is_waited_for_before_anything_is_claimed(self, kiosk: Kiosk) -> None:
        with_rate(kiosk, "1 per minute")
        crowd(kiosk, 2)
        seen: list[dict[str, int]] = []

        async def nap(seconds: float) -> None:
            seen.append(kiosk.states())
            kiosk.later(seconds=seconds)

        kiosk.deliver(sleep=nap)
        assert seen[0] == {"planned": 1, "sent": 1}
        assert kiosk.states() == {"sent": 2}

    def test_the_row_of_the_channel_binds_every_sender(self, kiosk: Kiosk) -> None:
        with_rate(kiosk, "10 per second")
        crowd(kiosk, 10)
        kiosk.deliver()
        kiosk.customer("boris", phone=kiosk.to("sms", "accept", 99))
        kiosk.later(days=1)
        with kiosk.database.write() as connection:
            ahead = kiosk.clock.now() + timedelta(seconds=3)
            connection.execute(update(CHANNEL).where(CHANNEL.c.channel == "sms").values(next_at=ahead))
        kiosk.plan()
        kiosk.naps.clear()
        kiosk.deliver()
        assert sum(kiosk.naps) == pytest.approx(3.0 + 0.1)

    def test_a_stop_is_heard_while_waiting_for_the_rate(self, kiosk: Kiosk) -> None:
        with_rate(kiosk, "1 per day")
        crowd(kiosk, 2)
        naps: list[float] = []
        senders: list[Delivery] = []

        async def nap(seconds: float) -> None:
            naps.append(seconds)
            senders[0].stop()

        async def run() -> None:
            channels = kiosk.channels()
            async with channels["sms"]:
                senders.append(kiosk.delivery({"sms": channels["sms"]}, sleep=nap))
                await senders[0].run()

        asyncio.run(run())
        assert naps == [1.0]
        assert kiosk.states() == {"planned": 1, "sent": 1}

    def test_two_senders_side_by_side_keep_to_the_one_rate(self, kiosk: Kiosk) -> None:
        with_rate(kiosk, "10 per second")
        crowd(kiosk, 60)
        began = kiosk.clock.now()
        asyncio.run(two_senders(kiosk))
        assert kiosk.states() == {"sent": 60}
        with kiosk.database.read() as connection:
            next_at = connection.scalar(select(CHANNEL.c.next_at).where(CHANNEL.c.channel == "sms"))
        # Each chunk began only where the one before, whoever sent it, had used up its time.
        assert next_at is not None
        assert next_at >= began + timedelta(seconds=6)

    def test_two_senders_side_by_side_send_nothing_twice(self, kiosk: Kiosk) -> None:
        crowd(kiosk, 250)
        done = asyncio.run(two_senders(kiosk))
        assert sum(each.by_channel["sms"]["sent"] for each in done if each.by_channel) == 250
        to = [form["To"] for form in kiosk.server("sms").forms]
        assert len(to) == len(set(to)) == 250


class Stopping:
    """A channel during whose first message the sender is told to stop."""

    def __init__(self, channel: Any, senders: list[Delivery]) -> None:
        self._channel, self._senders = channel, senders

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    async def send(self, batch: Sequence[Outgoing], record: Record) -> None:
        self._senders[0].stop()
        await self._channel.send(batch, record)


def test_a_stop_finishes_the_chunk_under_way_and_begins_no_other(kiosk: Kiosk) -> None:
    crowd(kiosk, CHUNK + 20, "email")
    senders: list[Delivery] = []

    async def run() -> None:
        channel = kiosk.channels()["email"]
        async with channel:
            senders.append(kiosk.delivery({"email": Stopping(channel, senders)}))  # type: ignore[dict-item]
            await senders[0].run()

    asyncio.run(run())
    assert kiosk.states() == {"planned": 20, "sent": CHUNK}


def test_a_run_that_is_cancelled_carries_its_chunk_through(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone=kiosk.to("sms", "hang"))
    kiosk.plan()

    async def run() -> None:
        channel = kiosk.channels()["sms"]
        async with channel:
            task = asyncio.create_task(kiosk.delivery({"sms": channel}).run())
            await asyncio.to_thread(kiosk.server("sms").wait_until_hanging)
            task.cancel()
            await asyncio.sleep(0)
            kiosk.shut_down("sms")
            await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert kiosk.state("anna") == ("unknown", "connection_lost")


def claimed(kiosk: Kiosk, channel: str, lease: timedelta = timedelta(minutes=5)) -> None:
    """A sender claimed everything that is due, and died."""
    with kiosk.database.write() as connection:
        Claimer(kiosk.live.running(), kiosk.links, kiosk.clock.now(), lease).claim(connection, channel)


class TestReaper:
    def test_nothing_is_touched_while_the_lease_holds(self, kiosk: Kiosk) -> None:
        crowd(kiosk, 1)
        claimed(kiosk, "sms")
        kiosk.later(minutes=5)
        assert kiosk.deliver().unknown == 0
        assert kiosk.states() == {"sending": 1}

    def test_at_most_once_becomes_unknown_is_reported_and_never_sent_again(self, kiosk: Kiosk) -> None:
        crowd(kiosk, 2, then="1 day")
        claimed(kiosk, "sms")
        kiosk.later(minutes=6)
        assert kiosk.deliver().unknown == 2
        assert kiosk.state("anna0") == ("unknown", "interrupted")
        assert kiosk.verdict("anna0") == ("unknown", "interrupted while sending")
        assert kiosk.attempts("anna0") == [("sms", 1, "unknown", "interrupted")]
        assert kiosk.anchor("anna0") == kiosk.clock.now()
        kiosk.later(days=1)
        kiosk.deliver()
        assert kiosk.server("sms").requests == []

    def test_at_least_once_is_sent_again_with_the_same_message_id(self, kiosk: Kiosk) -> None:
        crowd(kiosk, 1, "email")
        claimed(kiosk, "email")
        kiosk.later(minutes=6)
        assert kiosk.deliver().unknown == 0
        assert kiosk.state("anna0") == ("sent", None)
        again = kiosk.message("anna0").provider_id
        kiosk.set("anna0", state="sending", lease_until=kiosk.clock.now())
        kiosk.later(minutes=1)
        kiosk.deliver()
        assert kiosk.message("anna0").provider_id == again
        assert len(kiosk.server("email").accepted) == 2

    def test_a_message_that_kills_its_sender_time_and_again_is_given_up(self, kiosk: Kiosk) -> None:
        crowd(kiosk, 1, "email")
        for _ in range(MOST_TRIES):
            claimed(kiosk, "email")
            kiosk.later(minutes=6)
            with kiosk.database.write() as connection:
                reap(connection, {"email": "at_least_once"}, kiosk.clock.now())
        assert kiosk.state("anna0") == ("unknown", "interrupted")

    def test_no_more_are_called_dead_in_one_go_than_the_limit(self, kiosk: Kiosk) -> None:
        crowd(kiosk, 3)
        claimed(kiosk, "sms")
        kiosk.later(minutes=6)
        unknown = []
        for _ in range(3):
            with kiosk.database.write() as connection:
                unknown.append(reap(connection, {"sms": "at_most_once"}, kiosk.clock.now(), limit=2))
        assert unknown == [2, 1, 0]

    def test_the_outcome_of_a_sender_that_was_called_dead_changes_nothing(self, kiosk: Kiosk) -> None:
        crowd(kiosk, 1)
        with kiosk.database.write() as connection:
            claim = Claimer(kiosk.live.running(), kiosk.links, kiosk.clock.now()).claim(connection, "sms")
        kiosk.later(minutes=6)
        kiosk.deliver()
        channel = kiosk.channels()["sms"]
        late = Settled(claim.messages[0], Failed("permanent", "late"))
        with kiosk.database.write() as connection:
            settlement = settle(
                connection, kiosk.live.running(), channel, claim.fence, [late], kiosk.clock.now()
            )
        assert settlement.lost == 1
        assert kiosk.state("anna0") == ("unknown", "interrupted")


class Slow(Stopping):
    """A channel that takes four minutes for each part of a chunk."""

    def __init__(self, channel: Any, senders: list[Delivery], clock: MovableClock) -> None:
        super().__init__(channel, senders)
        self._clock = clock

    async def send(self, batch: Sequence[Outgoing], record: Record) -> None:
        await super().send(batch, record)
        self._clock.move_by(timedelta(minutes=4))


def test_nothing_is_begun_when_the_lease_is_nearly_over(kiosk: Kiosk) -> None:
    kiosk.settings = {"TIDINGS_EMAIL_CONCURRENCY": "5"}
    crowd(kiosk, 60, "email")
    senders: list[Delivery] = []

    async def run() -> None:
        channel = kiosk.channels()["email"]
        async with channel:
            senders.append(kiosk.delivery({"email": Slow(channel, senders, kiosk.clock)}))  # type: ignore[dict-item]
            await senders[0].run()

    asyncio.run(run())
    # Five at a time and four rounds within the lease's last part: twenty, then the clock had run too far.
    assert kiosk.states() == {"planned": 40, "sent": 20}
    assert kiosk.attempts("anna59") == []
    assert kiosk.message("anna59").tries == 0


def test_chunks_that_are_quick_and_slow_by_turns_lose_nothing(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "CHUNK", 5)
    monkeypatch.setattr(throttle, "LARGE_CHUNK", 10)
    crowd(kiosk, 95, "email")

    class Moody(Stopping):
        async def send(self, batch: Sequence[Outgoing], record: Record) -> None:
            monkeypatch.setattr(line, "QUICK", 0.0 if len(kiosk.server("email").accepted) % 30 < 10 else 60.0)
            await self._channel.send(batch, record)

    async def run() -> None:
        channel = kiosk.channels()["email"]
        async with channel:
            await kiosk.delivery({"email": Moody(channel, [])}).run()  # type: ignore[dict-item]

    asyncio.run(run())
    assert kiosk.states() == {"sent": 95}
    accepted = kiosk.server("email").accepted
    assert len(accepted) == len(set(accepted)) == 95


def test_a_stop_puts_back_what_was_only_made_ready(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "CHUNK", 5)
    monkeypatch.setattr(throttle, "LARGE_CHUNK", 10)
    monkeypatch.setattr(line, "QUICK", 60.0)
    # However slow the machine: the second chunk is not recorded before the third is claimed.
    monkeypatch.setattr(module, "RECORD_EVERY", 60.0)
    crowd(kiosk, 40, "email")
    senders: list[Delivery] = []

    class Later(Stopping):
        """Is told to stop during its second chunk, once the third is claimed."""

        async def send(self, batch: Sequence[Outgoing], record: Record) -> None:
            await self._channel.send(batch, record)
            if len(batch) == 10:
                while kiosk.states().get("sending", 0) < 20:  # noqa: ASYNC110 - only the database tells
                    await asyncio.sleep(0)
                self._senders[0].stop()

    async def run() -> None:
        channel = kiosk.channels()["email"]
        async with channel:
            senders.append(kiosk.delivery({"email": Later(channel, senders)}))  # type: ignore[dict-item]
            await senders[0].run()

    asyncio.run(run())
    assert kiosk.states() == {"planned": 25, "sent": 15}
    assert len(kiosk.server("email").accepted) == 15


def test_outcomes_are_recorded_though_the_database_is_away_for_a_while(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(kiosk, 3)
    away = [EnvironmentFault("gone"), EnvironmentFault("gone")]

    def settle_at_last(*given: Any) -> Any:
        if away:
            raise away.pop()
        return settle(*given)

    monkeypatch.setattr(module, "settle", settle_at_last)
    kiosk.deliver()
    assert kiosk.states() == {"sent": 3}
    assert kiosk.naps == [0.1, 0.5]


@pytest.mark.parametrize("faults", [[EnvironmentFault("gone")] * 2, [ValueError("of ours")]])
def test_a_chunk_comes_to_its_end_whatever_cannot_be_recorded_halfway(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch, faults: Sequence[Exception]
) -> None:
    crowd(kiosk, 3, "email")
    monkeypatch.setattr(module, "RECORD_EVERY", 0.0)
    monkeypatch.setattr(module, "AGAIN", (0.1,))
    left = [*faults]

    def settle_at_last(*given: Any) -> Any:
        if left:
            raise left.pop()
        return settle(*given)

    class Slow(Stopping):
        async def send(self, batch: Sequence[Outgoing], record: Record) -> None:
            await self._channel.send(batch[:1], record)
            while left:  # noqa: ASYNC110 - only the database tells
                await asyncio.sleep(0)
            await self._channel.send(batch[1:], record)

    async def run() -> None:
        channel = kiosk.channels()["email"]
        async with channel:
            await kiosk.delivery({"email": Slow(channel, [])}).run()  # type: ignore[dict-item]

    monkeypatch.setattr(module, "settle", settle_at_last)
    asyncio.run(run())
    assert kiosk.states() == {"sent": 3}


def test_a_channel_that_breaks_altogether_is_no_reason_to_lose_its_messages(kiosk: Kiosk) -> None:
    crowd(kiosk, 3, "email")

    class Broken(Stopping):
        async def send(self, batch: Sequence[Outgoing], record: Record) -> None:
            raise RuntimeError("a bug")

    async def run() -> None:
        channel = kiosk.channels()["email"]
        async with channel:
            await kiosk.delivery({"email": Broken(channel, [])}).run()  # type: ignore[dict-item]

    asyncio.run(run())
    assert kiosk.states() == {"planned": 3}
    assert kiosk.attempts("anna0") == [("email", 1, "unknown", "sender_failed")]


def test_what_fails_on_several_channels_at_once_is_told_of_once(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncio complains of an error that nobody asks for, in its own words, which may be personal."""
    kiosk.scenario(send="[sms, email]")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"))
    kiosk.customer("boris", email=kiosk.to("email", "accept"))
    kiosk.plan()
    complaints: list[str] = []

    def broken(*_: Any) -> Any:
        raise RuntimeError("Key (value)=(anna@example.com)")

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, about: complaints.append(about["message"]))
        with pytest.raises(RuntimeError):
            await kiosk.delivering()
        gc.collect()

    monkeypatch.setattr(Claimer, "claim", broken)
    asyncio.run(run())
    assert complaints == []


def test_channels_go_side_by_side_and_a_cascade_runs_through_in_one_delivery(kiosk: Kiosk) -> None:
    for number in range(4):
        verdict: Verdict = "accept" if number % 2 else "dead"
        person = {"push": kiosk.to("push", verdict, number), "phone": kiosk.to("sms", "accept", number)}
        kiosk.customer(f"anna{number}", **person)
    kiosk.plan()
    delivered = kiosk.deliver()
    assert delivered.by_channel == {"push": {"sent": 2, "fallback": 2}, "sms": {"sent": 2}}


def test_nothing_is_waited_for_when_nothing_is_due(kiosk: Kiosk) -> None:
    assert kiosk.deliver() == Delivered()


def test_in_memory_channels_share_the_one_connection(
    clock: MovableClock, tmp_path: Any, monkeypatch: Any
) -> None:
    database = Database("sqlite://")
    database.create_all()
    kiosk = Kiosk(database, clock, tmp_path, monkeypatch)
    kiosk.write()
    for number in range(60):
        address = (
            {"phone": f"+3805010000{number:02}"} if number % 2 else {"email": f"anna{number}@example.com"}
        )
        kiosk.customer(f"anna{number}", **address)
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.states() == {"sent": 60}
    database.close()


def test_the_outbox_is_left_alone_by_a_sender_that_has_none_of_its_channels(kiosk: Kiosk) -> None:
    crowd(kiosk, 1)
    asyncio.run(kiosk.delivery({}).run())
    assert kiosk.states() == {"planned": 1}
    with kiosk.database.write() as connection:
        connection.execute(
            update(MESSAGE).values(state="sending", lease_until=kiosk.clock.now() - timedelta(days=1))
        )
    asyncio.run(kiosk.delivery({}).run())
    assert kiosk.states() == {"sending": 1}
