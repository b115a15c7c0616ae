"""A new sender's first weeks: so many marketing messages a day, the rest waits for tomorrow."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from channels import Failed, Outcome, Outgoing, create
from core.errors import UserError
from scheduler.delivery import Delivered
from scheduler.throttle import CHANNEL
from tests.scheduler.kiosk import Kiosk

FIRST_DAY = "2026-03-01"
WELCOME = """
purpose: service
when: {bonus_accrued: {at_least: 1}}
steps: [{id: first, message: thanks, send: [email]}]
"""
THANKS = "---\nsubject: Thanks\n---\n{{ trigger.amount | points }}\n"


def plan(kiosk: Kiosk, *per_day: int, begins: str = FIRST_DAY) -> None:
    program = kiosk.files["program.yaml"].split("  email: {")
    rest = program[1].split("\n", 1)[1]
    email = f'from: "Kiosk <hello@kiosk.example>", warm_up: {{from: {begins}, per_day: {list(per_day)}}}'
    kiosk.write(program=f"{program[0]}  email: {{{email}}}\n{rest}")


def crowd(kiosk: Kiosk, count: int, **limits: str) -> None:
    kiosk.scenario(send="[email]", **limits)
    people = {f"anna{n}": {"email": kiosk.to("email", "accept", n)} for n in range(count)}
    kiosk.customers(people)
    kiosk.plan()


def used(kiosk: Kiosk) -> int:
    with kiosk.database.read() as connection:
        return connection.scalar(select(CHANNEL.c.day_count).where(CHANNEL.c.channel == "email")) or 0


def test_a_day_has_so_many_places_and_the_next_one_more(kiosk: Kiosk) -> None:
    plan(kiosk, 3, 5)
    crowd(kiosk, 12)
    seen = []
    for _ in range(3):
        kiosk.deliver()
        kiosk.deliver()
        seen.append(kiosk.states().get("sent", 0))
        kiosk.later(days=1)
    assert seen == [3, 8, 12], "after the plan's last day as many leave as want"


def test_senders_side_by_side_keep_to_one_plan(kiosk: Kiosk) -> None:
    plan(kiosk, 7)
    crowd(kiosk, 30)

    async def two() -> list[Delivered]:
        async with kiosk.channels()["email"] as first, kiosk.channels()["email"] as second:
            senders = (kiosk.delivery({"email": channel}) for channel in (first, second))
            return await asyncio.gather(*(sender.run() for sender in senders))

    asyncio.run(two())
    assert kiosk.states() == {"planned": 23, "sent": 7}


def test_what_a_customer_waits_for_is_counted_and_not_held(kiosk: Kiosk) -> None:
    plan(kiosk, 3)
    kiosk.files["messages/thanks/email.txt"] = THANKS
    kiosk.write(welcome=WELCOME)
    crowd(kiosk, 5)
    kiosk.later(minutes=1)
    for number in range(2):
        kiosk.give(f"anna{number}", 10)
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.states() == {"planned": 4, "sent": 3}, "service messages took two of the three places"
    kiosk.later(minutes=1)
    for number in range(4):
        kiosk.give(f"anna{number}", 20)
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.states() == {"planned": 4, "sent": 7}
    assert used(kiosk) == 7


def test_what_did_not_leave_gives_its_place_back(kiosk: Kiosk) -> None:
    plan(kiosk, 2)
    crowd(kiosk, 4)
    kiosk.shut_down("email")
    kiosk.deliver()
    assert used(kiosk) == 0
    kiosk.server("email")
    kiosk.later(minutes=10)
    kiosk.deliver()
    assert kiosk.states() == {"planned": 2, "sent": 2}


def test_what_was_begun_before_midnight_and_did_not_leave_gives_no_place_of_the_new_day_back(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(kiosk, 3, 3)
    kiosk.write(program=kiosk.files["program.yaml"].replace("quiet_hours: 21:00-09:00\n", ""))
    crowd(kiosk, 9)
    kiosk.clock.move_to(datetime(2026, 3, 1, 21, 59, tzinfo=UTC))
    assert kiosk.live.running().program.day_of(kiosk.clock.now()).isoformat() == FIRST_DAY

    async def over_midnight() -> None:
        async with kiosk.channels()["email"] as slow, kiosk.channels()["email"] as other:

            async def send(batch: Sequence[Outgoing], record: Callable[[str, Outcome], None]) -> None:
                kiosk.later(minutes=2)
                await kiosk.delivery({"email": other}).run()
                for outgoing in batch:
                    record(outgoing.key, Failed("temporary", "server_closing"))

            monkeypatch.setattr(slow, "send", send)
            await kiosk.delivery({"email": slow}).run()

    asyncio.run(over_midnight())
    assert (kiosk.states(), used(kiosk)) == ({"planned": 6, "sent": 3}, 3)


def test_what_is_not_good_until_tomorrow_expires(kiosk: Kiosk) -> None:
    plan(kiosk, 1)
    crowd(kiosk, 2, limits="{valid_for: 12 hours}")
    kiosk.deliver()
    kiosk.later(days=1)
    kiosk.deliver()
    assert kiosk.states() == {"expired": 1, "sent": 1}


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"from": "2026-03-01", "per_day": [100, 50]}, "50 a day comes after 100"),
        ({"from": "2026-03-01", "per_day": []}, "expected at least one"),
        ({"from": "2026-03-01", "per_day": [0]}, "one message a day at least"),
        ({"from": "March", "per_day": [50]}, "expected a date, got 'March'"),
        ({"per_day": [50]}, "warm_up.from"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_one_sentence(
    plan: Mapping[str, Any], said: str, tmp_path: Any
) -> None:
    with pytest.raises(UserError, match=r"program\.yaml: channels\.email\.warm_up") as caught:
        create("email", {"from": "a@b.example", "warm_up": plan}, outbox_dir=tmp_path)
    assert said in str(caught.value)
