"""Every verdict of a dry run stands on evidence: which lots, which consent, which message, which purchase."""

import csv
import io
from datetime import date
from typing import Any

from campaigns.dryrun import DryRun, Sample
from campaigns.dryrun.verdicts import COLUMNS, VerdictLines
from campaigns.past import as_of
from core.db import Database
from tests.support.happenings import add_card, google, merge
from tests.support.world import LINKS, World, channels, kyiv, scenario

DAILY = "{schedule: {every: day at 10:00}}"
PEOPLE: dict[str, Any] = {"birthday": date(1990, 3, 1)}


def campaign(**parts: str) -> str:
    return scenario(DAILY, schedule="", **parts)


def story(world: World, customer: str, name: str = "one", at: str = "2026-03-01 10:00") -> list[Sample]:
    """What a dry run tells of one customer."""
    with world.database.read() as connection:
        as_of(connection, world.program, kyiv(at))
        run = DryRun(
            connection, world.running, channels(world.running), LINKS, kyiv(at), sample=9, customer=customer
        )
        return run.run(world.running.scenarios[name]).samples


def said(sample: Sample, about: str) -> list[str]:
    return [it.said for it in sample.evidence if it.about == about]


def test_the_occasion_is_told_as_what_it_means_with_its_lots(database: Database) -> None:
    world = World(database, {"one": scenario("{bonus_expiring: {at_least: 100, ahead: 14 days}}")})
    world.customer("anna")
    world.bonuses("anna", 300, "2026-03-10")
    world.bonuses("anna", 200, "2026-03-10")
    world.bonuses("anna", 900, "2026-09-10")
    [sample] = story(world, "anna")
    assert sample.meaning == "500 bonuses expire on 10 March 2026, 9 days from now"
    lots = [it.values for it in sample.evidence if it.about == "lots"]
    assert [it["remaining"] for it in lots] == ["300", "200"]
    assert {it["expires_on"] for it in lots} == {"2026-03-10"}


def test_a_channel_that_needs_no_address_is_told_as_such(database: Database) -> None:
    world = World(
        database, {"one": campaign(steps="[{id: a, message: hello, send: [webhook]}]")},
        program={"channels": {"email": {"from": "hello@kavarnia.example"}, "webhook": {}}},
        files={"messages/hello/webhook.txt": "{{ customer.external_id }}, hello!"},
    )  # fmt: skip
    world.customer("anna", consent=("webhook",), phone="")
    [sample] = story(world, "anna")
    assert said(sample, "consent") == ["webhook: said yes on 1 March 2026, 09:00 (test); needs no address"]
    assert sample.outgoing is not None
    assert (sample.outgoing.to, sample.outgoing.parts["text"].strip()) == ("anna", "anna, hello!")


def test_the_card_is_told_with_the_wallets_that_have_it(database: Database) -> None:
    steps = "[{id: a, message: hello, send: [wallet, sms]}]"
    world = World(
        database, {"one": campaign(steps=steps, purpose="service")},
        program={"channels": {"email": {"from": "hello@kavarnia.example"}, "sms": {}, "wallet": {}}},
        files={"messages/hello/wallet.txt": "---\ntitle: News\n---\n{{ customer.external_id }}, hello!"},
    )  # fmt: skip
    for name in ("anna", "ihor"):
        world.customer(name)
    add_card(world, "anna")
    google(world, "anna", "save")
    [sample] = story(world, "anna")
    assert said(sample, "consent")[0] == "wallet: needs no consent; the card is in Apple and Google Wallet"
    assert sample.outgoing is not None
    assert (sample.channel, sample.outgoing.to, sample.text) == ("wallet", "card", "anna, hello!")
    assert sample.cost == 0
    [sample] = story(world, "ihor")
    assert (sample.channel, said(sample, "unreachable")) == ("sms", ["wallet: no card in a wallet"])


def test_consent_is_told_with_when_and_where_from(database: Database) -> None:
    world = World(database, {"one": campaign(steps="[{id: a, message: hello, send: [push, sms, email]}]")})
    world.customer("anna", consent=("sms", "push"), email="anna@example.com")
    world.move("2026-03-01 09:30")
    world.agree("anna", "email", granted=False)
    [sample] = story(world, "anna")
    assert sample.verdict == "planned"
    assert said(sample, "unreachable") == ["push: no app on a phone known"]
    assert said(sample, "consent") == [
        "sms: said yes on 1 March 2026, 09:00 (test); phone number known since 1 March 2026"
    ]
    assert said(sample, "no_consent") == ["email: withdrew on 1 March 2026, 09:30 (test)"]


def test_the_past_too_knows_where_a_consent_came_from(database: Database) -> None:
    world = World(database, {"one": campaign()})
    world.customer("anna")
    world.move("2026-03-05 09:30")
    world.agree("anna", "sms", granted=False)
    [sample] = story(world, "anna")
    assert said(sample, "consent")[0].startswith("sms: said yes on 1 March 2026, 09:00 (test)")


def test_a_suppression_is_told_with_its_reason(database: Database) -> None:
    world = World(database, {"one": campaign(purpose="service")})
    world.customer("anna")
    world.suppress("anna", "sms")
    [sample] = story(world, "anna")
    assert (sample.verdict, sample.reason) == ("held_back", "suppressed")
    assert said(sample, "suppressed") == [
        "sms: the phone number is suppressed since 1 March 2026, 09:00 (test)"
    ]


def test_who_is_not_in_the_audience_is_told_which_part_is_not_so(database: Database) -> None:
    world = World(database, {"one": campaign(audience="{tier: [silver, gold], city: Kyiv}")})
    world.customer("anna", city="Kyiv")
    [sample] = story(world, "anna")
    assert sample.reason == "not_in_audience"
    [why] = said(sample, "not_in_audience")
    assert "silver, gold" in why
    assert why.endswith("theirs is bronze")


def test_who_entered_before_is_told_when_and_with_which_version(database: Database) -> None:
    world = World(database, {"one": scenario("{bonus_expiring: {ahead: 14 days}}")})
    world.customer("anna")
    world.bonuses("anna", 300, "2026-03-10")
    world.looks("2026-03-01 10:00")
    [sample] = story(world, "anna", at="2026-03-02 10:00")
    assert said(sample, "already_entered") == ["entered on 1 March 2026, 10:00, with version 1; now finished"]


def test_a_used_allowance_is_told_with_whose_message_used_it_and_when(database: Database) -> None:
    program = {"allowances": {"marketing": {"all": "2 per 7 days"}}}
    texts = {"high": campaign(priority="90"), "low": campaign(priority="10")}
    world = World(database, texts, program=program)
    world.customer("anna")
    world.looks("2026-03-01 10:00")
    world.settle()
    [sample] = story(world, "anna", "low", at="2026-03-02 10:00")
    assert sample.reason == "capped"
    [used] = [it.values for it in sample.evidence if it.about == "capped"]
    assert (used["allowance"], used["of"]) == ("2 per 7 days", "all marketing")
    assert [(it["scenario"], it["channel"]) for it in used["used_by"]] == [
        ("high", "sms"), ("low", "sms"),
    ]  # fmt: skip
    assert {it["at"] for it in used["used_by"]} == {kyiv("2026-03-01 10:00").isoformat()}


def test_what_this_very_look_uses_up_is_told_as_such(database: Database) -> None:
    program = {"allowances": {"marketing": {"sms": "1 per 7 days"}}}
    texts = {"high": campaign(priority="90"), "low": campaign(priority="10")}
    world = World(database, texts, program=program)
    world.customer("anna")
    [sample] = story(world, "anna", "low")
    [used] = [it for it in sample.evidence if it.about == "capped" and "allowance" in it.values]
    assert used.values["used_by"] == [{"scenario": "high", "channel": "sms", "at": None}]
    assert used.said == (
        "1 per 7 days for marketing by sms is used: high by sms at this same look, which comes first by its "
        "priority"
    )


def test_whose_message_gives_way_is_told_and_counted(database: Database) -> None:
    texts = {
        "late": scenario("{schedule: {at: '2026-03-01 22:00'}}", schedule="", priority="90"),
        "waiting": scenario("{schedule: {at: '2026-03-01 21:30'}}", schedule="", priority="10"),
    }
    program = {"quiet_hours": "21:00-09:00", "allowances": {"marketing": {"all": "1 per 7 days"}}}
    world = World(database, texts, program=program)
    world.customer("anna")
    world.looks("2026-03-01 21:30")
    forecast = world.dry("2026-03-01 22:00")["late"]
    assert (forecast.displaces, dict(forecast.displaced)) == (1, {"waiting": 1})
    [sample] = story(world, "anna", "late", at="2026-03-01 22:00")
    [place] = [it.values for it in sample.evidence if it.about == "place"]
    assert place["scenario"] == "waiting"
    assert said(sample, "quiet_hours")[0].endswith("it leaves on 2 March 2026, 09:00")


def test_what_a_merged_duplicate_heard_is_told_as_heard(database: Database) -> None:
    world = World(database, {"one": scenario("{birthday: {}}")})
    for name in ("double", "anna"):
        world.customer(name)
    world.change("double", birthday=date(1990, 3, 1))
    world.look("2026-03-01 10:00")
    world.settle()
    merge(world, "double", "anna")
    [sample] = story(world, "anna", at="2026-03-01 10:01")
    told = "was told of it before two profiles of theirs were merged"
    assert said(sample, "already_entered") == [told]


def test_what_a_merged_duplicate_heard_is_told_among_what_used_the_allowance(database: Database) -> None:
    program = {"allowances": {"marketing": {"all": "1 per 7 days"}}}
    world = World(database, {"one": campaign()}, program=program)
    world.customer("double")
    world.looks("2026-03-01 10:00")
    world.settle()
    world.customer("anna")
    merge(world, "double", "anna")
    [sample] = story(world, "anna", at="2026-03-02 10:00")
    told = "1 per 7 days for all marketing is used: one by sms on 1 March 2026, 10:00"
    assert said(sample, "capped") == [told]


def test_a_day_without_marketing_is_not_told_as_quiet_hours(database: Database) -> None:
    program = {"quiet_hours": "21:00-09:00", "blackout": ["2026-03-01"]}
    world = World(database, {"one": campaign()}, program=program)
    world.customer("anna")
    [sample] = story(world, "anna")
    [told] = said(sample, "quiet_hours")
    assert "it is 10:00 for them (Europe/Kyiv) and there is no marketing today" in told
    assert told.endswith("it leaves on 2 March 2026, 09:00")


def test_the_purchase_that_ended_it_is_named(database: Database) -> None:
    steps = (
        "[{id: a, message: hello, send: [sms]},"
        " {id: b, wait: 5 days, message: hello, send: [sms], unless: [purchase]}]"
    )
    world = World(database, {"one": scenario("{birthday: {}}", steps=steps)})
    world.customer("anna", **PEOPLE)
    world.looks("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-03 12:00")
    receipt = world.buy("anna", 120)
    [sample] = [it for it in story(world, "anna", at="2026-03-06 10:00") if it.step == "b"]
    [ended] = [it for it in sample.evidence if it.about == "exited"]
    assert ended.values["receipt"] == receipt
    assert "bought for 120 UAH on 3 March 2026, 12:00" in ended.said


def test_a_holdout_is_told_with_its_draw(database: Database) -> None:
    world = World(database, {"one": campaign(holdout="100%")})
    world.customer("anna")
    [sample] = story(world, "anna")
    [draw] = [it.values for it in sample.evidence if it.about == "holdout"]
    assert draw["of"] == "of this scenario"
    assert 0 <= float(draw["draw"]) < float(draw["part"]) == 1


def test_what_comes_too_late_is_told_by_its_times(database: Database) -> None:
    text = scenario("{bonus_accrued: {}}", schedule="", purpose="service", limits="{valid_for: 1 hour}")
    world = World(database, {"one": text}, program={"quiet_hours": "21:00-09:00"})
    world.customer("anna")
    world.move("2026-03-01 21:30")
    world.buy("anna", 100)
    [sample] = story(world, "anna", at="2026-03-01 21:30")
    assert sample.reason == "expired"
    [why] = said(sample, "expired")
    assert why.startswith("planned for 1 March 2026, 21:30 and good for 1 hour")
    assert why.endswith("it could leave on 2 March 2026, 09:00 at the earliest")


def test_who_is_not_due_is_told_what_the_scenario_waits_for(database: Database) -> None:
    world = World(database, {"one": scenario("{birthday: {}}")})
    world.customer("anna", birthday=date(1990, 7, 1))
    with database.read() as connection:
        run = DryRun(
            connection, world.running, channels(world.running), LINKS, kyiv("2026-03-01 12:00"),
            customer="anna",
        )  # fmt: skip
        forecast = run.run(world.running.scenarios["one"])
    assert forecast.samples == []
    assert [it.about for it in forecast.absent][:2] == ["not_due", "schedule"]
    assert "2 March 2026, 10:00" in forecast.absent[1].said


def test_reasons_are_counted_for_the_whole_base(database: Database) -> None:
    world = World(database, {"one": campaign(steps="[{id: a, message: hello, send: [push, sms]}]")})
    for name in ("anna", "ihor"):
        world.customer(name, consent=())
    found = world.dry("2026-03-01 10:00")["one"].as_json()
    assert found["reasons"] == {"no_consent": {"push: no_consent, sms: no_consent": 2}}
    assert found["steps"] == [{"step": "a", "candidates": 2, "gates": {"no_consent": 2}, "send": {}}]


def test_every_verdict_is_a_line_of_csv_with_its_evidence(database: Database) -> None:
    world = World(database, {"one": campaign(), "two": campaign(holdout="100%")})
    world.customer("anna")
    world.customer("=1+1", consent=())
    file = io.StringIO()
    with database.read() as connection:
        lines = VerdictLines(file)
        run = DryRun(
            connection, world.running, channels(world.running), LINKS, kyiv("2026-03-01 10:00"), watch=lines
        )
        for each in world.running.by_priority:
            run.run(each)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert lines.count == 4
    assert tuple(rows[0]) == COLUMNS
    told = {(it["customer"], it["scenario"]): (it["verdict"], it["gate"]) for it in rows}
    assert told == {
        ("anna", "one"): ("planned", ""), ("'=1+1", "one"): ("held_back", "no_consent"),
        ("anna", "two"): ("held_back", "holdout"), ("'=1+1", "two"): ("held_back", "no_consent"),
    }  # fmt: skip
    assert all(it["evidence"] for it in rows)


def test_costs_are_told_by_country_and_segment(database: Database) -> None:
    world = World(database, {"one": campaign()})
    world.customer("anna")
    world.customer("emma", phone="+442071838750")
    found = world.dry("2026-03-01 10:00")["one"].as_json()
    assert {it["country"]: (it["messages"], it["price"], it["amount"]) for it in found["tariffs"]} == {
        "UA": (1, "0.85", "0.85"), "GB": (1, "2.10", "2.10"),
    }  # fmt: skip
    assert found["cost"]["amount"] == "2.95"
    assert found["segments"] == {"sms": 2}
