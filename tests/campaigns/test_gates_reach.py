"""Which consent, address and suppression is meant: of this channel, for this purpose, and in force."""

from sqlalchemy import select

from campaigns.tables import Decision
from core.customers import consent
from core.customers.consent import Choice
from core.db import Database
from tests.support.happenings import add_card
from tests.support.world import World, scenario

DECISION = Decision.__table__  # type: ignore[attr-defined]
DAILY = "{schedule: {every: day at 10:00}}"


def world_of(database: Database, cascade: str) -> World:
    steps = f"[{{id: hello, message: hello, send: {cascade}}}]"
    return World(database, {"one": scenario(DAILY, schedule="", steps=steps)})


def test_who_agreed_to_something_else_agreed_to_no_marketing(database: Database) -> None:
    world = world_of(database, "[sms]")
    anna = world.customer("anna", consent=())
    choices = [
        Choice(anna, "sms", True, world.now, "test", purpose="research"),
        Choice(anna, "email", True, world.now, "test"),
    ]
    with database.write() as connection:
        consent.choose(connection, choices, world.now, live=True)
    assert world.look("2026-03-01 10:00") == {"anna": "no_consent"}


def test_an_address_that_the_customer_has_given_up_is_no_address(database: Database) -> None:
    world = world_of(database, "[sms]")
    world.customer("anna")
    world.change("anna", phone="")
    assert world.look("2026-03-01 10:00") == {"anna": "unreachable"}


def test_an_address_is_suppressed_for_the_channel_that_it_was_suppressed_for(database: Database) -> None:
    """The same digest on another channel of the cascade says nothing."""
    world = world_of(database, "[email, sms]")
    world.customer("anna", consent=("sms", "email"))
    world.suppress("anna", "email", kind="phone")
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    assert [it.channel for it in world.messages()] == ["sms"]


def test_options_of_those_whose_turn_it_is_are_closed_and_of_nobody_else(database: Database) -> None:
    """Anna's second occasion finds the channel used up by her first; what became of it says both channels."""
    steps = "[{id: hello, message: hello, send: [sms, email]}]"
    allowances = {"marketing": {"sms": "1 per 7 days", "email": "1 per 7 days"}}
    text = scenario("{bonus_expiring: {ahead: 14 days}}", steps=steps)
    world = World(database, {"one": text}, program={"allowances": allowances})
    for name in ("anna", "ihor"):
        world.customer(name, consent=("sms", "email"), email=f"{name}@example.com")
    for name, day in (("anna", 10), ("anna", 11), ("anna", 12), ("ihor", 10)):
        world.bonuses(name, 100, f"2026-03-{day}")
    assert world.looked("2026-03-01 10:00") == {"planned": 3, "capped": 1}
    assert sorted((it.external_id, it.subject, it.channel) for it in world.messages()) == [
        ("anna", "2026-03-10", "sms"), ("anna", "2026-03-11", "email"), ("ihor", "2026-03-10", "sms"),
    ]  # fmt: skip
    used = "capped (1 per 7 days used by one)"
    with database.read() as connection:
        said = connection.scalars(select(DECISION.c.detail).where(DECISION.c.verdict == "capped")).all()
    assert said == [f"sms: {used}, email: {used}"]


def test_a_channel_that_needs_no_address_is_open_to_everybody_who_agreed(database: Database) -> None:
    steps = "[{id: hello, message: hello, send: [sms, webhook]}]"
    text = scenario(DAILY, schedule="", steps=steps)
    asked = text.rstrip() + "\naudience: {reachable: webhook}\n"
    world = World(
        database, {"one": text, "two": asked}, program={"channels": {"sms": {}, "webhook": {}}},
        files={"messages/hello/webhook.txt": "Hello!", "messages/hello/email.txt": ""},
    )  # fmt: skip
    for name, channels in (("anna", ["webhook"]), ("ihor", ["sms", "webhook"]), ("olha", ["sms"])):
        world.customer(name, consent=channels, phone="")
    world.look("2026-03-01 10:00")
    assert sorted((row.external_id, row.scenario, row.channel) for row in world.messages()) == [
        ("anna", "one", "webhook"), ("anna", "two", "webhook"),
        ("ihor", "one", "webhook"), ("ihor", "two", "webhook"),
    ]  # fmt: skip
    assert {name for name, *_, verdict in world.decisions() if verdict == "unreachable"} == {"olha"}


def told_by(database: Database, cascade: str, *capped: str, **parts: str) -> World:
    """A daily campaign in a program that has these channels; of some of them once a week is enough."""
    steps = f"[{{id: hello, message: hello, send: {cascade}}}]"
    text = scenario(DAILY, schedule="", steps=steps, **parts)
    program = {
        "channels": {"sms": {}, "webhook": {}, "wallet": {}},
        "allowances": {"marketing": dict.fromkeys(capped, "1 per 7 days")},
    }
    files = {
        "messages/hello/webhook.txt": "Hello!", "messages/hello/email.txt": "",
        "messages/hello/wallet.txt": "---\ntitle: News\n---\nHello!", "messages/hello/push.txt": "",
    }  # fmt: skip
    return World(database, {"one": text}, program=program, files=files)


def test_a_card_is_an_address_of_its_own_while_it_is_in_a_wallet(database: Database) -> None:
    world = told_by(database, "[wallet, sms]", "wallet")
    for name, phone in (("card", ""), ("phone", "+380501112233"), ("nothing", "")):
        world.customer(name, consent=("wallet", "sms"), phone=phone)
    add_card(world, "card")
    reached = {"phone": "planned", "nothing": "unreachable"}
    assert world.look("2026-03-01 10:00") == {"card": "planned", **reached}
    assert world.detail("nothing") == "wallet: unreachable, sms: unreachable"
    world.settle()
    assert world.look("2026-03-02 10:00") == {"card": "capped", **reached}
    assert world.detail("card") == "wallet: capped (1 per 7 days used by one), sms: unreachable"
    assert {it.external_id: it.channel for it in world.messages()} == {"card": "wallet", "phone": "sms"}


def test_a_channel_that_needs_no_address_has_an_allowance_like_any_other(database: Database) -> None:
    world = told_by(database, "[webhook, sms]", "webhook")
    world.customer("anna", consent=("webhook", "sms"), phone="")
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    world.settle()
    assert world.look("2026-03-02 10:00") == {"anna": "capped"}
    assert world.detail("anna") == "webhook: capped (1 per 7 days used by one), sms: unreachable"


def test_a_service_message_by_a_channel_that_needs_no_address_asks_for_nothing(database: Database) -> None:
    world = told_by(database, "[webhook]", purpose="service")
    world.customer("anna", consent=(), phone="")
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}


def test_each_goes_on_by_the_next_channel_of_their_own_and_who_is_new_by_the_first(
    database: Database,
) -> None:
    steps = "[{id: hello, message: hello, send: [sms, email, push]}]"
    text = scenario(DAILY, schedule="", steps=steps)
    world = World(database, {"one": text}, program={"allowances": {"marketing": {"sms": "1 per 7 days"}}})
    world.customer("anna", consent=("sms", "email"), email="anna@example.com")
    world.customer("ihor", consent=("sms", "push"), push=True)
    world.look("2026-03-01 10:00")
    world.settle()
    world.customer("olha")
    world.look("2026-03-02 10:00")
    assert {it.external_id: it.channel for it in world.messages(state="planned")} == {
        "anna": "email", "ihor": "push", "olha": "sms",
    }  # fmt: skip
