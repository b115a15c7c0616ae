"""A look at the past knows the bonuses that were used up by then, and finds people as fast as a live one."""

from campaigns.past import as_of
from core.db import Database
from core.ledger.expiry import expire
from tests.support.world import World, kyiv, scenario


def test_a_crossing_is_dated_by_when_used_up_bonuses_had_begun(database: Database) -> None:
    reached = scenario("{balance_reached: {at_least: 100}}", purpose="service")
    world = World(database, {"reached": reached})
    world.customer("anna")
    world.bonuses("anna", 150, starts=kyiv("2026-03-04 00:00"))
    world.move("2026-03-05 12:00")
    world.redeem("anna", 150)
    world.bonuses("anna", 150)
    world.move("2026-03-06 12:00")
    then = world.foreseen()
    world.move("2026-03-09 12:00")
    world.redeem("anna", 10)
    assert world.foreseen("2026-03-06 12:00") == then


def test_expired_bonuses_are_still_told_of_in_the_past(database: Database) -> None:
    world = World(
        database, {"expired": scenario("{bonus_expired: {}}", purpose="service", schedule="")}
    )  # fmt: skip
    world.customer("anna")
    world.bonuses("anna", 100, "2026-03-02")
    world.move("2026-03-03 08:00")
    expire(world.database, world.program, world.now)
    world.move("2026-03-03 09:00")
    [now] = world.dry()["expired"].samples
    world.move("2026-03-09 12:00")
    world.bonuses("anna", 5)
    [then] = world.dry("2026-03-03 09:00")["expired"].samples
    assert (then.occasion, then.meaning) == (now.occasion, now.meaning)


def test_who_was_merged_into_somebody_is_looked_up_in_the_past_too(sqlite_database: Database) -> None:
    world = World(sqlite_database, {"reached": scenario("{balance_reached: {at_least: 100}}")})
    then = world.now
    world.move("2026-03-02 12:00")
    world.customer("anna", live=True)
    asked = "EXPLAIN QUERY PLAN SELECT 1 FROM customer WHERE merged_into = 1"
    with sqlite_database.read() as connection:
        assert as_of(connection, world.program, then)
        [plan] = connection.exec_driver_sql(asked).all()
    assert "INDEX past_customer_merged_into (merged_into=?)" in plan.detail
