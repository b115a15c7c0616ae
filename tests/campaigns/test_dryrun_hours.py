"""When messages would leave: by each clock, after quiet hours, at the channel's rate."""

from collections import Counter
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.dryrun.hours import Batch, Plan, Spread
from channels.warm_up import WarmUp
from core.db import Database
from core.units import Rate, at_local
from tests.support.world import World, kyiv, scenario

KYIV, KATHMANDU = ZoneInfo("Europe/Kyiv"), ZoneInfo("Asia/Kathmandu")
NINE = kyiv("2026-03-02 09:00")


def spread(*batches: Batch, rate: str | None = None) -> Spread:
    made = Spread()
    made.add(batches, {"sms": Rate.parse(rate) if rate else None}, KYIV)
    return made


def test_without_a_rate_everybody_hears_at_once() -> None:
    found = spread(Batch("sms", KYIV, NINE, 5000))
    assert found.by_program == {"2026-03-02T09:00:00+02:00": Counter(sms=5000)}
    assert found.by_customer == {"2026-03-02 09:00": Counter(sms=5000)}


def test_a_rate_spreads_them_over_the_hours_and_loses_nobody() -> None:
    found = spread(Batch("sms", KYIV, NINE, 2500), rate="1000 per hour")
    hours = {hour[11:13]: send["sms"] for hour, send in found.by_program.items()}
    assert hours == {"09": 1000, "10": 1000, "11": 500}


def test_a_warm_up_plan_spreads_them_over_the_days_once_each_opens() -> None:
    plan = WarmUp.model_validate({"from": "2026-03-01", "per_day": [50, 100, 200, 400]})

    def nine(at: datetime, zone: ZoneInfo) -> datetime:
        return max(at, at_local(at.astimezone(zone).date(), time(9), zone))

    made = Spread()
    valid = NINE + timedelta(days=2)
    batches = [Batch("sms", KYIV, NINE, 250, valid), Batch("sms", KYIV, NINE + timedelta(days=1), 600, valid)]
    made.add(batches, {}, KYIV, {"sms": Plan(plan, KYIV, nine)})
    assert {hour: send["sms"] for hour, send in made.by_customer.items()} == {
        "2026-03-02 09:00": 100, "2026-03-03 09:00": 200, "2026-03-04 09:00": 400, "2026-03-05 09:00": 150,
    }  # fmt: skip
    assert made.too_late == 550


def test_what_a_plan_has_no_place_for_within_a_week_is_counted() -> None:
    plan = WarmUp.model_validate({"from": "2026-03-01", "per_day": [1] * 30})
    made = Spread()
    made.add([Batch("sms", KYIV, NINE, 20)], {}, KYIV, {"sms": Plan(plan, KYIV, lambda at, _: at)})
    assert (len(made.by_program), made.later) == (8, 12)


def test_who_comes_later_stands_behind_who_came_before() -> None:
    early = Batch("sms", KYIV, NINE, 1500)
    late = Batch("sms", KYIV, NINE + timedelta(hours=1), 500)
    found = spread(late, early, rate="1000 per hour")
    hours = {hour[11:13]: send["sms"] for hour, send in found.by_program.items()}
    assert hours == {"09": 1000, "10": 1000}


def test_each_customers_clock_is_their_own_to_the_quarter_of_an_hour() -> None:
    found = spread(Batch("sms", KATHMANDU, NINE + timedelta(minutes=30), 7))
    assert found.by_program == {"2026-03-02T09:00:00+02:00": Counter(sms=7)}
    # 13:15 in Kathmandu, which is 5 hours and 45 minutes ahead of UTC.
    assert found.by_customer == {"2026-03-02 13:00": Counter(sms=7)}


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    night = kyiv("2026-10-25 02:30")
    found = spread(Batch("sms", KYIV, night, 3000), rate="1000 per hour")
    assert [hour for hour in found.by_program if "T03" in hour] == [
        "2026-10-25T03:00:00+03:00",
        "2026-10-25T03:00:00+02:00",
    ]
    assert sum(send["sms"] for send in found.by_program.values()) == 3000


def test_what_a_slow_rate_keeps_too_long_is_said() -> None:
    found = spread(Batch("sms", KYIV, NINE, 300, NINE + timedelta(hours=12)), rate="1 per hour")
    assert (found.later, found.too_late) == (300 - 7 * 24, 7 * 24 - 12)
    assert sum(send["sms"] for send in found.by_program.values()) + found.later == 300


def test_a_dry_run_tells_the_hours_of_everybodys_morning(database: Database) -> None:
    text = scenario("{schedule: {at: '2026-03-01 22:00'}}", schedule="")
    channels = {"sms": {"sender": "Kavarnia", "rate": "1 per hour"}, "email": {"from": "a@example.com"}}
    world = World(database, {"one": text}, program={"quiet_hours": "21:00-09:00", "channels": channels})
    for name in ("anna", "ihor", "olha"):
        world.customer(name)
    hours = world.dry("2026-03-01 22:00")["one"].as_json()["hours"]
    assert hours["customers"] == [
        {"hour": f"2026-03-02 {it}:00", "send": {"sms": 1}} for it in ("09", "10", "11")
    ]
    assert hours["program"][0]["hour"] == "2026-03-02T09:00:00+02:00"
