"""The beats of `serve`: woken by facts, kept by the clock, outliving what fails."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from campaigns.bundle import Bundle
from campaigns.running import Running, make_ready
from campaigns.tables import Message
from campaigns.versions import apply
from core.clock import MovableClock
from core.customers.letters import EXPORT, Wanted, plan, reachable
from core.customers.profiles import Profile, save
from core.db import Database
from core.errors import EnvironmentFault, UserError
from core.purchases.receipts import Line, Purchase, record
from scheduler.beat import Beat, Pulse, explained
from scheduler.beats import Beats, Pace
from scheduler.looks import Looked, Looks
from tests.api.shop import EXAMPLE, make_workspace
from tidings.cards import cards_of
from tidings.workspace import Workspace
from wallet import passes, registrations
from wallet.tables import DEVICE
from wallet.updates import COALESCE

MESSAGE = Message.__table__  # type: ignore[attr-defined]
# Longer than any test: only what is rung by something else happens.
NEVER = Pace(news=3600, look=3600, delivery=3600, letters=3600, wallet=3600, google=3600)


@pytest.fixture(scope="module")
def compiled() -> Running:
    return make_ready(Bundle.read(EXAMPLE), 1)


@pytest.fixture
def workspace(tmp_path: Path, database: Database, compiled: Running, clock: MovableClock) -> Workspace:
    return make_workspace(tmp_path / "shop", database, compiled, clock)


def beats_of(workspace: Workspace, clock: MovableClock, pace: Pace = NEVER) -> Beats:
    return Beats(
        workspace.database, workspace.live, clock, cards_of(workspace, clock),
        channels=workspace.channels, links=workspace.links, pace=pace,
    )  # fmt: skip


async def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait for something to become true."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + seconds
    while not await asyncio.to_thread(condition):
        assert loop.time() < limit, "it did not come true"
        await asyncio.sleep(0.02)


def run(
    workspace: Workspace, clock: MovableClock, story: Callable[[Beats], Awaitable[None]], **more: Any
) -> bool:
    """Start the beats, live through the story, stop them; whether all ended in time."""

    async def live() -> bool:
        beats = beats_of(workspace, clock, **more)
        try:
            await beats.start()
            await story(beats)
        finally:
            ended = await beats.stop()
            await beats.close()
        return ended

    return asyncio.run(live())


def register(workspace: Workspace, clock: MovableClock) -> int:
    program = workspace.live.running().program
    mine = [Profile("olena", email="olena@example.com", locale="uk")]
    with workspace.database.write() as connection:
        [saved] = save(connection, program, workspace.addresses, mine, clock.now(), live=True)
    return saved.customer_id


def buy(workspace: Workspace, clock: MovableClock, receipt: str = "R1") -> None:
    program = workspace.live.running().program
    purchase = Purchase(receipt, "olena", clock.now(), (Line("flat-white", 1000, 50_000),))
    with workspace.database.write() as connection:
        record(connection, program, [purchase], clock.now(), live=True)


def states(workspace: Workspace) -> list[str]:
    with workspace.database.read() as connection:
        return sorted(connection.scalars(select(MESSAGE.c.state)))


def letters(workspace: Workspace) -> list[Path]:
    return sorted((workspace.outbox / "email").glob("*.eml"))


def test_a_recorded_fact_becomes_a_message_as_soon_as_the_beats_are_woken(
    workspace: Workspace, clock: MovableClock
) -> None:
    register(workspace, clock)

    async def story(beats: Beats) -> None:
        buy(workspace, clock)
        clock.move_by(timedelta(seconds=1))
        beats.wake()
        await until(lambda: states(workspace) == ["sent"])

    assert run(workspace, clock, story)
    assert len(letters(workspace)) == 1


def test_a_phone_is_woken_when_its_push_is_due_and_not_when_somebody_looks_again(
    workspace: Workspace, clock: MovableClock
) -> None:
    olena = register(workspace, clock)
    cards = cards_of(workspace, clock)
    assert cards.apple_pass(olena) is not None
    with workspace.database.write() as connection:
        row = passes.current(connection, olena)
        assert row is not None
        registrations.register(connection, row.serial, "phone", "aa", clock.now())
    asyncio.run(cards.beat(timedelta(0)))
    asyncio.run(cards.close())

    def pushed() -> list[str]:
        return [path.name for path in (workspace.outbox / "apple-wallet").glob("*.json")]

    def is_marked() -> bool:
        with workspace.database.read() as connection:
            return connection.scalar(select(DEVICE.c.push_at)) is not None

    async def story(beats: Beats) -> None:
        buy(workspace, clock)
        clock.move_by(timedelta(milliseconds=1))
        beats.wake()
        await until(is_marked)
        assert pushed() == []
        clock.move_by(COALESCE)
        await until(pushed)

    assert run(workspace, clock, story)
    assert len(pushed()) == 1


def test_without_being_woken_the_clock_finds_it(workspace: Workspace, clock: MovableClock) -> None:
    register(workspace, clock)

    async def story(_beats: Beats) -> None:
        buy(workspace, clock)
        clock.move_by(timedelta(seconds=1))
        await until(lambda: states(workspace) == ["sent"])

    run(workspace, clock, story, pace=Pace(news=0.05, look=3600, delivery=3600, wallet=3600))


def test_what_was_due_while_the_service_was_down_is_sent_at_its_start(
    workspace: Workspace, clock: MovableClock
) -> None:
    register(workspace, clock)
    buy(workspace, clock)
    clock.move_by(timedelta(minutes=5))

    async def story(_beats: Beats) -> None:
        await until(lambda: states(workspace) == ["sent"])

    run(workspace, clock, story)


def test_a_new_version_takes_hold_without_a_restart(workspace: Workspace, clock: MovableClock) -> None:
    register(workspace, clock)
    bundle = Bundle.read(EXAMPLE)
    path = "messages/bonus-accrued/uk/email.mjml"
    text = bundle.files[path].decode().replace("subject:", "subject: Новинка!", 1)
    program = bundle.files["program.yaml"].decode().replace("hello@kavarnia", "news@kavarnia")
    changed = make_ready(Bundle({**bundle.files, path: text.encode(), "program.yaml": program.encode()}), 2)

    async def story(beats: Beats) -> None:
        with workspace.database.write() as connection:
            apply(connection, changed, "tests", clock.now())
        workspace.live.compiled = changed  # type: ignore[attr-defined]
        buy(workspace, clock)
        clock.move_by(timedelta(seconds=1))
        beats.wake()
        await until(lambda: states(workspace) == ["sent"])

    run(workspace, clock, story)
    [letter] = letters(workspace)
    assert b"news@kavarnia" in letter.read_bytes()


def test_decisions_are_made_one_at_a_time(
    workspace: Workspace, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    deciding: list[int] = []
    most: list[int] = []
    own = Looks.run

    def look(self: Looks, *args: Any, **more: Any) -> list[Looked]:
        deciding.append(1)
        most.append(len(deciding))
        try:
            return own(self, *args, **more)
        finally:
            deciding.pop()

    monkeypatch.setattr(Looks, "run", look)

    async def story(_beats: Beats) -> None:
        await until(lambda: len(most) > 12)

    run(workspace, clock, story, pace=Pace(news=0.01, look=0.01, delivery=3600, wallet=3600))
    assert max(most) == 1


def test_a_missing_credential_stops_the_start_with_one_sentence(
    workspace: Workspace, clock: MovableClock
) -> None:
    with workspace.env_file.open("a") as environment:
        environment.write("TIDINGS_EMAIL_TRANSPORT=smtp\n")

    async def nothing(_beats: Beats) -> None:
        """It does not come to this."""

    with pytest.raises(EnvironmentFault, match="TIDINGS_EMAIL_HOST is not set"):
        run(workspace, clock, nothing)


def test_a_letter_that_somebody_waits_for_leaves_as_soon_as_it_is_asked_for_also_by_night(
    workspace: Workspace, clock: MovableClock
) -> None:
    customer = register(workspace, clock)
    clock.move_by(timedelta(hours=15))

    async def story(beats: Beats) -> None:
        with workspace.database.write() as connection:
            found = reachable(connection, customer)
            assert found
            plan(connection, [Wanted(customer, EXPORT, found[0], found[2])], clock.now())
        beats.wake()
        await until(lambda: letters(workspace))

    run(workspace, clock, story)
    assert len(letters(workspace)) == 1


def test_every_beat_has_a_pulse(workspace: Workspace, clock: MovableClock) -> None:
    async def story(beats: Beats) -> None:
        assert [pulse.name for pulse in beats.pulses()] == [
            "news",
            "look",
            "wallet",
            "google",
            "delivery",
            "letters",
            "asking",
            "retention",
        ]
        assert all(pulse.alive(clock.now()) for pulse in beats.pulses())

    run(workspace, clock, story)


def test_waking_before_the_start_or_after_the_end_does_no_harm(
    workspace: Workspace, clock: MovableClock
) -> None:
    kept: list[Beats] = []

    async def story(beats: Beats) -> None:
        kept.append(beats)

    run(workspace, clock, story)
    kept[0].wake()


def test_work_that_fails_is_tried_again_until_it_succeeds(clock: MovableClock) -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise RuntimeError("olena@example.com")

    async def story() -> Beat:
        beat = Beat("news", work, clock, first_pause=0.001)
        task = asyncio.create_task(beat.run())
        beat.ring()
        await until(lambda: len(runs) == 3 and beat.pulse.failures == 0)
        beat.stop()
        await task
        return beat

    assert asyncio.run(story()).pulse.reason is None


def test_a_beat_that_keeps_failing_is_not_alive_after_a_minute(clock: MovableClock) -> None:
    now = clock.now()
    failing = Pulse("news", now, failures=3, reason="x")
    assert failing.alive(now + timedelta(seconds=50))
    assert not failing.alive(now + timedelta(seconds=70))
    assert not Pulse("news", now, busy_since=now + timedelta(seconds=65), failures=3).alive(
        now + timedelta(seconds=70)
    )


def test_a_long_run_is_alive_and_an_endless_one_is_not(clock: MovableClock) -> None:
    now = clock.now()
    busy = Pulse("delivery", now, busy_since=now)
    assert busy.alive(now + timedelta(minutes=10))
    assert not busy.alive(now + timedelta(minutes=20))


def test_rings_during_a_run_make_one_more(clock: MovableClock) -> None:
    runs: list[int] = []

    async def story() -> None:
        gate = asyncio.Event()

        async def work() -> None:
            runs.append(1)
            await gate.wait()

        beat = Beat("news", work, clock)
        task = asyncio.create_task(beat.run())
        beat.ring()
        await until(lambda: len(runs) == 1)
        for _ in range(5):
            beat.ring()
        gate.set()
        await until(lambda: len(runs) == 2)
        beat.stop()
        await task

    asyncio.run(story())
    assert len(runs) == 2


def test_the_log_tells_our_own_sentences_and_only_the_place_of_foreign_ones() -> None:
    with pytest.raises(ValueError, match="380") as raised:
        raise ValueError("+380501234567")
    assert explained(raised.value).startswith("ValueError at test_beats.py:")
    assert explained(UserError("nothing is live")) == "nothing is live"
