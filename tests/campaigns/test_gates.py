"""Every gate with its name, in its order, and what it means for who is asked again."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text

from campaigns.dryrun import DryRun
from campaigns.gates import Step
from campaigns.gates.holdout import is_drawn, salt
from campaigns.staging import CANDIDATE
from core.db import Database, bucket_of
from tests.support.happenings import merge, still_true
from tests.support.world import LINKS, World, channels, kyiv, scenario

DAILY = "{schedule: {every: day at 10:00}}"
CASCADE = "[{id: hello, message: hello, send: [push, email, sms]}]"
BIRTHDAY = "{birthday: {}}"
PEOPLE: dict[str, Any] = {"birthday": date(1990, 3, 1)}


def campaign(**parts: str) -> str:
    return scenario(DAILY, schedule="", **parts)


def world_of(
    database: Database, text: str = "", program: dict[str, Any] | None = None, **options: Any
) -> World:
    return World(database, {"one": text or campaign()}, program=program, **options)


# --- who enters


def test_who_is_not_in_the_audience_is_asked_again_by_a_state(database: Database) -> None:
    world = world_of(database, scenario("{bonus_expiring: {ahead: 14 days}}", audience="{tier: gold}"))
    world.customer("anna")
    world.bonuses("anna", 500, "2026-03-10")
    assert world.look("2026-03-01 10:00") == {"anna": "not_in_audience"}
    assert world.enrolments() == []
    world.tier("anna", "gold")
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}


def test_who_does_not_say_where_they_live_is_not_in_the_audience_of_a_city(database: Database) -> None:
    world = world_of(database, campaign(audience="{city: Kyiv}"))
    for name, city in (("here", "Kyiv"), ("elsewhere", "Lviv"), ("somewhere", None)):
        world.customer(name, city=city)
    others = dict.fromkeys(("elsewhere", "somewhere"), "not_in_audience")
    assert world.look("2026-03-01 10:00") == {"here": "planned", **others}


def test_an_audience_is_asked_by_segment_amount_time_and_reach_at_the_moment_of_the_look(
    database: Database,
) -> None:
    audience = "{segment: best, balance: {at_least: 5}, registered: {before: 10 days}, reachable: sms}"
    files = {"segments/best.yaml": "tier: gold"}
    world = world_of(database, campaign(audience=audience, purpose="service"), files=files)
    for name in ("fits", "bronze", "poor", "mute"):
        world.customer(name, phone="" if name == "mute" else "+380501112233")
        world.bonuses(name, 4 if name == "poor" else 5)
        if name != "bronze":
            world.tier(name, "gold")
    world.move("2026-03-11 08:00")
    world.customer("new")
    others = dict.fromkeys(("bronze", "poor", "mute", "new"), "not_in_audience")
    assert world.look("2026-03-11 10:00") == {"fits": "planned", **others}


def test_who_entered_once_does_not_enter_again_for_the_same_reason(database: Database) -> None:
    world = world_of(database, scenario("{bonus_expiring: {ahead: 14 days}}"))
    world.customer("anna")
    world.bonuses("anna", 500, "2026-03-10")
    assert world.looked("2026-03-01 10:00") == {"planned": 1}
    assert world.looked("2026-03-02 10:00") == {"already_entered": 1}
    # The look back must not hide what became of the message.
    assert world.decisions() == [("anna", "one", "2026-03-10 / 14 days", "hello", "planned")]


def test_who_entered_keeps_nobody_else_out_and_themselves_of_no_other_scenario(database: Database) -> None:
    world = World(database, {"one": scenario(BIRTHDAY), "two": scenario(BIRTHDAY)})
    for name, day in (("anna", 1), ("ihor", 2)):
        world.customer(name, birthday=date(1990, 3, day))
    # The occasion of all of them is the year.
    assert world.looked("2026-03-01 10:00") == {"planned": 2}
    assert world.looked("2026-03-02 10:00") == {"planned": 2}
    assert {it.external_id for it in world.messages()} == {"anna", "ihor"}


def test_gates_speak_in_their_order(database: Database) -> None:
    world = world_of(database, campaign(audience="{tier: gold}"))
    world.customer("nothing", consent=(), phone="")
    assert world.look("2026-03-01 10:00") == {"nothing": "not_in_audience"}
    world.tier("nothing", "gold")
    assert world.look("2026-03-02 10:00") == {"nothing": "no_consent"}
    world.agree("nothing", "sms")
    assert world.look("2026-03-03 10:00") == {"nothing": "unreachable"}
    world.change("nothing", phone="+380509999999")
    world.suppress("nothing", "sms")
    assert world.look("2026-03-04 10:00") == {"nothing": "suppressed"}


# --- on which channels


def test_without_consent_no_marketing(database: Database) -> None:
    world = world_of(database)
    world.customer("yes")
    world.customer("no", consent=())
    world.customer("withdrew")
    world.agree("withdrew", "sms", granted=False)
    assert world.look("2026-03-01 10:00") == {"yes": "planned", "no": "no_consent", "withdrew": "no_consent"}


def test_where_the_customers_own_row_does_not_say_it_the_consents_do(database: Database) -> None:
    world = world_of(database, campaign(steps=CASCADE))
    for name, consent in {"no": (), "other": ("email",), "withdrew": ("sms",), "yes": ("sms",)}.items():
        world.customer(name, consent=consent)
    world.agree("withdrew", "sms", granted=False)
    told = {"no": "no_consent", "other": "unreachable", "withdrew": "no_consent", "yes": "planned"}
    assert world.look("2026-03-01 10:00") == told
    details = {name: world.detail(name) for name in told}
    assert details["no"] == "push: no_consent, email: no_consent, sms: no_consent"
    with database.write() as connection:
        connection.execute(text("UPDATE customer SET opted_in = NULL"))
    assert world.look("2026-03-02 10:00") == told
    assert {name: world.detail(name) for name in told} == details


def test_who_agrees_to_nothing_any_more_gets_no_later_step_either(database: Database) -> None:
    first, second = "id: first, message: hello, send: [sms]", "id: second, wait: 1 day, message: hello"
    world = world_of(database, scenario(BIRTHDAY, steps=f"[{{{first}}}, {{{second}, send: [email, sms]}}]"))
    world.customer("anna", **PEOPLE)
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    world.settle()
    world.agree("anna", "sms", granted=False)
    assert world.look("2026-03-02 10:00") == {"anna": "no_consent"}
    assert world.detail("anna") == "email: no_consent, sms: no_consent"


@pytest.mark.parametrize("purpose", ["service", "transactional"])
def test_what_is_about_ones_own_account_needs_no_consent_but_heeds_suppression(
    database: Database, purpose: str
) -> None:
    world = world_of(database, campaign(purpose=purpose))
    world.customer("no", consent=())
    world.customer("blocked", consent=())
    world.suppress("blocked", "sms")
    assert world.look("2026-03-01 10:00") == {"no": "planned", "blocked": "suppressed"}


def test_a_new_address_is_not_suppressed(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.suppress("anna", "sms")
    assert world.look("2026-03-01 10:00") == {"anna": "suppressed"}
    world.change("anna", phone="+380509999999")
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}


def test_a_cascade_takes_the_first_channel_that_can_reach_the_customer(database: Database) -> None:
    world = world_of(database, campaign(steps=CASCADE))
    world.customer("phone-only", consent=("push", "email", "sms"))
    world.customer("all", consent=("push", "email", "sms"), push=True, email="all@example.com")
    world.customer("no-push", consent=("email", "sms"), push=True, email="np@example.com")
    world.look("2026-03-01 10:00")
    assert {it.external_id: it.channel for it in world.messages()} == {
        "phone-only": "sms", "all": "push", "no-push": "email",
    }  # fmt: skip


def test_an_address_that_is_closed_to_one_channel_stays_open_to_another_of_its_kind(
    database: Database,
) -> None:
    # Whoever was told something before has each channel of the cascade looked at.
    text = campaign(steps="[{id: hello, message: hello, send: [call_list, sms]}]")
    program = {"channels": {"call_list": {}, "sms": {"sender": "Kavarnia"}},
               "allowances": {"marketing": {"sms": "1 per 7 days"}}}  # fmt: skip
    files = {"messages/hello/call_list.txt": "Say hello."}
    world = World(database, {"one": text}, program=program, files=files)
    world.customer("no-sms", consent=("call_list", "sms"))
    world.suppress("no-sms", "sms")
    world.customer("no-calls", consent=("sms",))
    assert world.look("2026-03-01 10:00") == {"no-sms": "planned", "no-calls": "planned"}
    assert world.look("2026-03-02 10:00") == {"no-sms": "planned", "no-calls": "capped"}


def test_of_a_closed_cascade_the_furthest_gate_is_named_with_each_channels_own(database: Database) -> None:
    world = world_of(database, campaign(steps=CASCADE))
    world.customer("anna", consent=("push", "sms"))
    world.suppress("anna", "sms")
    assert world.look("2026-03-01 10:00") == {"anna": "unreachable"}
    assert world.detail("anna") == "push: unreachable, email: no_consent, sms: suppressed"


def test_whom_no_channel_reaches_a_state_asks_again(database: Database) -> None:
    world = world_of(database, scenario("{bonus_expiring: {ahead: 14 days}}"))
    world.customer("anna", consent=())
    world.bonuses("anna", 500, "2026-03-10")
    assert world.look("2026-03-01 10:00") == {"anna": "no_consent"}
    world.agree("anna", "sms")
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}


def test_whom_no_channel_reaches_an_event_has_passed_by(database: Database) -> None:
    world = world_of(database, scenario("{bonus_accrued: {}}", schedule=""))
    world.customer("anna", consent=())
    world.buy("anna", 100)
    assert world.look("2026-03-01 10:00") == {"anna": "no_consent"}
    world.agree("anna", "sms")
    assert world.look("2026-03-01 10:01") == {}
    assert world.messages() == []


# --- exits


TWO = "[{id: hello, message: hello, send: [sms]}, {id: again, wait: 5 days, message: hello, send: [sms]%s}]"


@pytest.mark.parametrize(
    ("steps", "more", "detail"),
    [
        (TWO % ", unless: [purchase]", "", "unless purchase"),
        (TWO % "", "{purchase: {within: 21 days}}", "goal met"),
    ],
)
def test_a_purchase_ends_what_was_to_bring_it_about(
    database: Database, steps: str, more: str, detail: str
) -> None:
    world = world_of(database, scenario(BIRTHDAY, steps=steps, goal=more))
    for name in ("buyer", "other"):
        world.customer(name, **PEOPLE)
    world.buy("buyer", 50)
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-03 10:00")
    world.buy("buyer", 100)
    assert world.look("2026-03-06 10:00") == {"buyer": "exited", "other": "planned"}
    assert world.detail("buyer") == detail
    assert {it.external_id: it.status for it in world.enrolments()} == {
        "buyer": "exited",
        "other": "finished",
    }


@pytest.mark.parametrize(
    ("steps", "goal"), [(TWO % ", unless: [purchase]", ""), (TWO % "", "{purchase: {within: 21 days}}")]
)
def test_a_purchase_that_was_returned_brought_nothing_about(
    database: Database, steps: str, goal: str
) -> None:
    world = world_of(database, scenario(BIRTHDAY, steps=steps, goal=goal))
    world.customer("anna", **PEOPLE)
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-03 10:00")
    world.give_back(world.buy("anna", 100))
    assert world.look("2026-03-06 10:00") == {"anna": "planned"}


def test_a_look_at_an_earlier_time_knows_no_later_purchase(database: Database) -> None:
    world = world_of(database, scenario(BIRTHDAY, steps=TWO % ", unless: [purchase]"))
    world.customer("anna", **PEOPLE)
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-07 10:00")
    world.buy("anna", 100)
    assert dict(world.dry("2026-03-06 10:00")["one"].gates).get("exited", 0) == 0
    assert dict(world.dry("2026-03-08 10:00")["one"].gates)["exited"] == 1


def test_a_purchase_after_the_goals_time_met_no_goal(database: Database) -> None:
    world = world_of(database, scenario(BIRTHDAY, steps=TWO % "", goal="{purchase: {within: 2 days}}"))
    for name in ("in-time", "late"):
        world.customer(name, **PEOPLE)
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-03 10:00")
    world.buy("in-time", 100)
    world.move("2026-03-03 10:01")
    world.buy("late", 100)
    assert world.look("2026-03-06 10:00") == {"in-time": "exited", "late": "planned"}


# --- texts


def test_a_message_without_a_text_for_any_open_channel_is_set_aside(database: Database) -> None:
    """Applied files always have a text; one that was removed meanwhile concerns who began with it."""
    world = world_of(
        database,
        scenario(
            BIRTHDAY,
            steps=TWO.replace("again, wait: 5 days, message: hello", "again, wait: 5 days, message: gift")
            % "",
        ),
    )
    world.customer("anna", **PEOPLE)
    world.look("2026-03-01 10:00")
    world.settle()
    world.apply({"one": scenario(BIRTHDAY)})
    assert world.look("2026-03-06 10:00") == {"anna": "missing_text"}
    assert world.detail("anna") == "sms: missing_text"


def test_a_text_missing_on_the_only_open_channel_is_named_beside_the_closed_one(database: Database) -> None:
    """Of a cascade that somebody began with, the text of one channel was removed meanwhile."""
    steps = TWO.replace(
        "again, wait: 5 days, message: hello, send: [sms]",
        "again, wait: 5 days, message: gift, send: [sms, email]",
    )
    world = world_of(database, scenario(BIRTHDAY, steps=steps % ""))
    world.customer("no-email", consent=("sms", "email"), **PEOPLE)
    world.customer("both", consent=("sms", "email"), email="both@example.com", **PEOPLE)
    world.look("2026-03-01 10:00")
    world.settle()
    text = {"messages/gift/email.txt": "---\nsubject: Hello\n---\nHello! {{ links.unsubscribe }}"}
    world.apply({"one": scenario(BIRTHDAY)}, files=text)
    assert world.look("2026-03-06 10:00") == {"no-email": "missing_text", "both": "planned"}
    assert world.detail("no-email") == "sms: missing_text, email: unreachable"
    assert [it.channel for it in world.messages() if it.step == "again"] == ["email"]


def test_a_text_missing_on_the_open_channel_and_on_the_closed_one_sets_the_message_aside(
    database: Database,
) -> None:
    gift = TWO.replace(
        "wait: 5 days, message: hello, send: [sms]", "wait: 5 days, message: gift, send: [sms, email]"
    )
    world = world_of(database, scenario(BIRTHDAY, steps=gift % ""))
    world.customer("no-email", consent=("sms", "email"), **PEOPLE)
    world.look("2026-03-01 10:00")
    world.settle()
    world.apply({"one": scenario(BIRTHDAY)})
    assert world.look("2026-03-06 10:00") == {"no-email": "missing_text"}
    assert world.detail("no-email") == "sms: missing_text, email: unreachable"


def test_a_locale_without_a_text_falls_back_and_is_counted(database: Database) -> None:
    world = world_of(database, files={"messages/hello/uk/sms.txt": "Вітаємо! {{ links.preferences }}"})
    world.customer("uk", locale="uk")
    world.customer("fr", locale="fr-FR")
    forecast = world.dry("2026-03-01 10:00")["one"]
    assert dict(forecast.fallbacks) == {"fr-FR → en": 1}
    texts = {it.customer: it.rendered.parts["text"] for it in forecast.samples if it.rendered}
    assert texts["uk"].startswith("Вітаємо")
    assert texts["fr"].startswith("Hello")


# --- when


@pytest.mark.parametrize(
    ("at", "due"),
    [("20:59", "2026-03-02 20:59"), ("21:00", "2026-03-03 09:00"), ("23:59", "2026-03-03 09:00"),
     ("00:00", "2026-03-02 09:00"), ("08:59", "2026-03-02 09:00"), ("09:00", "2026-03-02 09:00")],
)  # fmt: skip
def test_quiet_hours_belong_to_their_start_and_not_to_their_end(
    database: Database, at: str, due: str
) -> None:
    text = scenario(f"{{schedule: {{at: '2026-03-02 {at}'}}}}", schedule="")
    world = world_of(database, text, {"quiet_hours": "21:00-09:00"})
    world.customer("anna")
    verdict = world.look(f"2026-03-02 {at}")["anna"]
    [message] = world.messages()
    assert message.due_at == kyiv(due)
    assert verdict == ("planned" if due.endswith(at) else "deferred")
    assert (message.state, message.reason) == (
        (verdict, "quiet_hours") if verdict == "deferred" else ("planned", None)
    )


def test_quiet_hours_are_the_customers_own(database: Database) -> None:
    text = scenario("{bonus_accrued: {}}", schedule="")
    world = world_of(database, text, {"quiet_hours": "21:00-09:00"})
    for name, zone in (
        ("kyiv", None),
        ("kiritimati", "Pacific/Kiritimati"),
        ("honolulu", "Pacific/Honolulu"),
    ):
        world.customer(name, time_zone=zone)
    world.move("2026-03-02 12:00")  # midnight in Honolulu and in Kiritimati, a day apart
    for name in ("kyiv", "kiritimati", "honolulu"):
        world.buy(name, 100)
    assert world.look("2026-03-02 12:00") == {
        "kyiv": "planned", "kiritimati": "deferred", "honolulu": "deferred",
    }  # fmt: skip
    assert {it.due_at for it in world.messages(state="deferred")} == {kyiv("2026-03-02 21:00")}


def test_a_scenarios_own_quiet_hours_stand_above_the_programs(database: Database) -> None:
    text = scenario(
        "{schedule: {at: '2026-03-02 22:00'}}", schedule="", limits="{quiet_hours: '23:00-07:00'}"
    )
    world = world_of(database, text, {"quiet_hours": "21:00-09:00"})
    world.customer("anna")
    assert world.look("2026-03-02 22:00") == {"anna": "planned"}


@pytest.mark.parametrize(
    ("purpose", "at", "verdict"),
    [
        ("service", "22:00", "deferred"),
        ("transactional", "22:00", "planned"),
        ("marketing", "22:00", "deferred"),
        ("service", "10:00", "planned"),
        ("transactional", "10:00", "planned"),
        ("marketing", "10:00", "deferred"),
    ],
)
def test_the_purpose_tells_what_night_and_blackout_mean(
    database: Database, purpose: str, at: str, verdict: str
) -> None:
    text = scenario(f"{{schedule: {{at: '2026-08-24 {at}'}}}}", schedule="", purpose=purpose)
    world = world_of(database, text, {"quiet_hours": "21:00-09:00", "blackout": ["2026-08-24"]})
    world.customer("anna")
    assert world.look(f"2026-08-24 {at}") == {"anna": verdict}
    if purpose == "marketing":
        assert world.messages()[0].due_at == kyiv("2026-08-25 09:00")


def test_what_would_be_too_late_after_the_quiet_hours_is_dropped_at_once(database: Database) -> None:
    text = scenario("{bonus_accrued: {}}", schedule="", purpose="service", limits="{valid_for: 12 hours}")
    world = world_of(database, text, {"quiet_hours": "21:00-09:00"})
    world.customer("anna", **PEOPLE)
    world.customer("just", **PEOPLE)
    world.move("2026-03-02 21:30")
    world.buy("anna", 100, at=kyiv("2026-03-02 21:00"))
    world.buy("just", 100, at=kyiv("2026-03-02 21:01"))
    assert world.look("2026-03-02 21:30") == {"anna": "expired", "just": "deferred"}
    assert world.detail("anna") == "valid_for"
    assert [it.external_id for it in world.messages()] == ["just"]


def test_days_that_a_message_is_valid_for_are_days_of_the_programs_calendar(database: Database) -> None:
    text = scenario("{bonus_accrued: {}}", schedule="", purpose="service", limits="{valid_for: 1 day}")
    world = world_of(database, text)
    for name in ("late", "just"):
        world.customer(name)
    # The clocks go forward in the night of 29 March: that day has 23 hours.
    world.move("2026-03-29 12:00")
    world.buy("late", 100, at=kyiv("2026-03-28 12:00"))
    world.buy("just", 100, at=kyiv("2026-03-28 12:01"))
    assert world.look("2026-03-29 12:00") == {"late": "expired", "just": "planned"}


def test_a_later_step_is_valid_from_when_its_wait_was_over(database: Database) -> None:
    world = world_of(database, scenario(BIRTHDAY, steps=TWO % "", limits="{valid_for: 12 hours}"))
    world.customer("anna", **PEOPLE)
    world.look("2026-03-01 10:00")
    world.settle()
    assert world.look("2026-03-08 10:00") == {"anna": "expired"}


# --- draws


def test_holdout_is_stable_and_the_same_in_sql_and_in_python(database: Database) -> None:
    world = world_of(database, campaign(holdout="40%"))
    names = [f"customer-{number}" for number in range(60)]
    for name in names:
        world.customer(name)
    first = world.look("2026-03-01 10:00")
    drawn = {name for name in names if is_drawn("Kavarnia", "holdout:one", name, Decimal("0.4"))}
    assert {name for name, verdict in first.items() if verdict == "holdout"} == drawn
    assert 12 < len(drawn) < 36
    assert world.look("2026-03-02 10:00") == first
    arms = {it.external_id: it.arm for it in world.enrolments()}
    assert {name for name, arm in arms.items() if arm == "holdout"} == drawn


def test_holdout_comes_after_consent_so_that_both_arms_are_alike(database: Database) -> None:
    world = world_of(database, campaign(holdout="100%"))
    world.customer("agreed")
    world.customer("silent", consent=())
    assert world.look("2026-03-01 10:00") == {"agreed": "holdout", "silent": "no_consent"}
    assert [(it.external_id, it.arm, it.status) for it in world.enrolments()] == [
        ("agreed", "holdout", "holdout")
    ]


def test_a_dry_run_tells_of_whom_a_holdout_keeps_back_no_channel_text_or_time(database: Database) -> None:
    world = world_of(database, campaign(holdout="100%"))
    world.customer("anna")
    staged: list[Any] = []

    def watch(step: Step) -> None:
        sent = (CANDIDATE.c.channel, CANDIDATE.c.message, CANDIDATE.c.due_at)
        staged.extend(step.connection.execute(select(CANDIDATE.c.gate, *sent)))

    at = kyiv("2026-03-01 10:00")
    with database.read() as connection:
        run = DryRun(
            connection, world.running, channels(world.running), LINKS, at, customer="anna", watch=watch
        )
        [sample] = run.run(world.running.scenarios["one"]).samples
    assert staged == [("holdout", None, None, None)]
    assert (sample.channel, sample.message, sample.due_at) == (None, None, None)


def test_the_programs_holdout_gets_no_marketing_at_all_but_service(database: Database) -> None:
    world = World(
        database, {"ads": campaign(), "service": campaign(purpose="service")}, program={"holdout": "100%"}
    )
    world.customer("anna")
    world.looks("2026-03-01 10:00")
    assert [(it.scenario, it.purpose) for it in world.messages()] == [("service", "service")]
    assert world.reasons() == {"ads": "of all marketing", "service": None}


def test_the_two_holdouts_are_drawn_apart_and_each_says_which_it_is(database: Database) -> None:
    world = world_of(database, campaign(holdout="50%"), {"holdout": "50%"})
    names = [f"customer-{number}" for number in range(40)]
    for name in names:
        world.customer(name)
    verdicts = world.look("2026-03-01 10:00")
    of_all = {it for it in names if is_drawn("Kavarnia", "holdout", it, Decimal("0.5"))}
    of_this = {it for it in names if is_drawn("Kavarnia", "holdout:one", it, Decimal("0.5"))}
    assert of_all - of_this
    assert of_this - of_all
    assert {name for name, verdict in verdicts.items() if verdict == "holdout"} == of_all | of_this
    said = {name: world.detail(name) for name in names}
    assert {name for name, why in said.items() if why == "of all marketing"} == of_all
    assert {name for name, why in said.items() if why == "of this scenario"} == of_this - of_all


def test_variants_follow_their_weights_and_not_the_holdout(database: Database) -> None:
    steps = "[{id: hello, send: [sms], variants: [{message: red, weight: 25}, {message: blue, weight: 75}]}]"
    world = World(database, {"one": campaign(steps=steps)})
    names = [f"customer-{number}" for number in range(200)]
    for name in names:
        world.customer(name)
    world.looks("2026-03-01 10:00")
    drawn = {it.external_id: it.message for it in world.messages()}
    red = {name for name, message in drawn.items() if message == "red"}
    salted = salt("Kavarnia", "one:variant:hello")
    assert red == {name for name in names if bucket_of(salted + name) % 100 < 25}
    assert 30 < len(red) < 70
    # Who is held out is as often red as anybody else, and whoever is not keeps their colour.
    world.apply({"one": campaign(steps=steps, holdout="50%")})
    world.looks("2026-03-02 10:00")
    again = {it.external_id: it.message for it in world.messages() if "03-02" in it.occasion}
    assert again == {name: message for name, message in drawn.items() if name in again}
    held = set(names) - set(again)
    assert 0.1 < len(held & red) / len(held) < 0.4


def test_a_renamed_scenario_draws_as_before(database: Database) -> None:
    steps = "[{id: hello, send: [sms], variants: [{message: red}, {message: blue}]}]"
    world = World(database, {"old": campaign(steps=steps, holdout="50%")})
    for number in range(30):
        world.customer(f"customer-{number}")
    world.looks("2026-03-01 10:00")
    before = {(it.external_id, it.message) for it in world.messages()}
    world.apply({"new": campaign(steps=steps, holdout="50%", formerly="old")})
    world.looks("2026-03-02 10:00")
    assert {(it.external_id, it.message) for it in world.messages() if "03-02" in it.occasion} == before


# --- duplicates


def test_a_person_is_told_once_though_two_profiles_of_theirs_were_merged(database: Database) -> None:
    scenarios = {
        "expiring": scenario("{bonus_expiring: {ahead: 14 days}}", purpose="service"),
        "silent": scenario("{inactive: {for: 30 days}}"),
    }
    world = World(database, scenarios)
    for name in ("double", "anna"):
        world.customer(name)
    world.buy("double", 100, at=kyiv("2026-01-20 10:00"), live=False)
    world.bonuses("double", 100, "2026-03-13")
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-01 12:00")
    merge(world, "double", "anna")
    assert world.looked("2026-03-02 10:00") == {"already_entered": 2}
    assert world.foreseen() == {
        ("anna", "expiring", "2026-03-13 / 14 days", "hello"): "already_entered",
        ("anna", "silent", "2026-01-20 08:00:00.000000", "hello"): "already_entered",
    }


def test_what_a_duplicate_was_not_told_yet_is_told_to_the_survivor(database: Database) -> None:
    world = World(database, {"expiring": scenario("{bonus_expiring: {ahead: 14 days}}", purpose="service")})
    for name in ("double", "anna"):
        world.customer(name)
    world.bonuses("double", 100, "2026-03-13")
    world.look("2026-03-01 10:00")
    merge(world, "double", "anna")
    assert still_true(world) == {}
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}


def test_what_others_and_other_scenarios_told_and_of_other_days_keeps_no_survivor_out(
    database: Database,
) -> None:
    text = scenario("{bonus_expiring: {ahead: 14 days}}", purpose="service")
    world = World(database, {"expiring": text, "other": text})
    for name, last in (("double", "2026-03-12"), ("ihor", "2026-03-13")):
        world.customer(name)
        world.bonuses(name, 100, last)
    world.look("2026-03-01 10:00")
    world.settle()
    world.customer("anna")
    merge(world, "double", "anna")
    world.apply({"fresh": text, "expiring": text})
    world.bonuses("anna", 100, "2026-03-13")
    world.looks("2026-03-02 10:00")
    planned = {(it.external_id, it.scenario, it.subject) for it in world.messages(state="planned")}
    assert {it for it in planned if it[0] == "anna"} == {
        ("anna", "expiring", "2026-03-13"), ("anna", "fresh", "2026-03-12"), ("anna", "fresh", "2026-03-13"),
    }  # fmt: skip
