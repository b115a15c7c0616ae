"""What a scenario test may do and expect: every act of the ledger, every part of what follows."""

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from campaigns.bundle import Bundle
from core.errors import Problems
from tests.support.databases import load_tables
from tests.support.world import bundle_of, scenario
from tidings.junit import write_junit
from tidings.scenariotests import Result
from tidings.workspace_tests import run_all

KAVARNIA = Path(__file__).parents[2] / "examples" / "kavarnia"
ACCRUED = scenario("{bonus_accrued: {at_least: 5}}", schedule="")
ANNA = '{phone: "+380501110001", email: anna@example.com, push: phone, consent: [sms, email, push]}'
NOON = "2026-03-02 12:00"


@pytest.fixture(autouse=True)
def tables() -> None:
    load_tables()


def play(
    timeline: str, scenarios: Mapping[str, str] | None = None, given: str = f"anna: {ANNA}", head: str = "",
    fixtures: Mapping[str, str] | None = None, **program: object,
) -> Result:  # fmt: skip
    scenarios = scenarios or {"accrued": ACCRUED}
    names = ", ".join(scenarios)
    text = f"scenarios: [{names}]\nstart: {NOON}\n{head}given: {{{given}}}\ntimeline:\n{timeline}"
    files = {"tests/one.yaml": text, **(fixtures or {})}
    [result] = run_all(bundle_of(scenarios, program), files)
    return result


def passes(*args: object, **more: object) -> None:
    result = play(*args, **more)  # type: ignore[arg-type]
    assert [str(it) for it in result.mismatches] == []


@pytest.mark.parametrize(
    ("do", "expect"),
    [
        ("{purchase: 100}", "{sms: Hello, balance: 10}"),
        ("{purchase: {lines: [{total: 60, category: tea}, {total: 40}], store: kyiv-1}}", "{sms: Hello}"),
        ("[{purchase: 100}, {return: last}]", "{balance: 0}"),
        ("[{purchase: {total: 100, receipt: lunch}}, {return: lunch}]", "{balance: 0}"),
        ("{grant: 30}", "{sms: Hello, balance: 30}"),
        ("{accrue: {amount: 40, expires: 2026-03-05}}", "{sms: Hello, balance: 40}"),
        ("[{grant: 30}, {redeem: 10}]", "{sms: Hello, balance: 20}"),
        ("[{change: {phone: ''}}, {purchase: 100}]", "unreachable"),
        ("[{suppress: sms}, {purchase: 100}]", "suppressed"),
        ("[{suppress: sms}, {lift: sms}, {purchase: 100}]", "{sms: Hello}"),
        ("[{withdraw: sms}, {purchase: 100}]", "{gate: no_consent, balance: 10}"),
        ("{tier: gold}", "{tier: gold}"),
        ("{invite: silver}", "{tier: silver}"),
        ("[{invite: silver}, {invite: nobody}]", "{tier: bronze}"),
        ("{erase: true}", "nothing"),
    ],
)
def test_what_happens_to_a_customer(do: str, expect: str) -> None:
    passes(f"  - {{at: 2026-03-02 12:30, do: {{anna: {do}}}, expect: {{anna: {expect}}}}}\n")


def test_bonuses_go_to_another_customer() -> None:
    given = f'anna: {ANNA}, ihor: {{phone: "+380501110002"}}'
    do = "{anna: [{grant: 30}, {transfer: {to: ihor, amount: 20}}]}"
    expect = "{anna: {sms: Hello, balance: 10}, ihor: {balance: 20}}"
    passes(
        f"  - {{at: 2026-03-02 12:30, do: {do}, expect: {expect}}}\n", given=given,
        transfers={"allowed": True},
    )  # fmt: skip


def test_somebody_joins_and_is_welcomed() -> None:
    welcome = {"welcome": scenario("{registered: {}}", schedule="")}
    do = '{new: {register: {phone: "+380501110009", consent: [sms]}}}'
    passes(f"  - {{at: 2026-03-02 12:30, do: {do}, expect: {{new: {{sms: Hello}}}}}}\n", welcome)


def test_an_event_of_the_shops_own_is_answered() -> None:
    opened = {"opened": scenario("{event: {name: app_opened, where: {version: 2}}}", schedule="")}
    do = "{anna: {event: {name: app_opened, attributes: {version: 2}}}}"
    at, known = "  - {at: 2026-03-02 12:30, do: ", {"events": ["app_opened"]}
    passes(f"{at}{do}, expect: {{anna: {{sms: Hello}}}}}}\n", opened, **known)
    passes(f"{at}{do.replace('2', '3')}, expect: {{anna: nothing}}}}\n", opened, **known)


def test_a_cascade_goes_on_where_a_channel_fails() -> None:
    cascade = {
        "cascade": scenario(
            "{bonus_accrued: {at_least: 5}}", schedule="",
            steps="[{id: hello, message: hello, send: [push, sms]}]",
        )
    }  # fmt: skip
    buy = "  - {at: 2026-03-02 12:30, do: {anna: {purchase: 100}}, expect: {anna: %s}}\n"
    passes(buy % "{push: {title: Hello, body: Good to see you}}", cascade)
    failing = ANNA.replace("}", ", fails: [push]}")
    passes(buy % "{sms: Hello}", cascade, given=f"anna: {failing}")
    closed = ANNA.replace("consent: [sms, email, push]", "consent: [email], suppressed: [push]")
    passes(
        buy % "{gate: no_consent, gates: {push: no_consent, sms: no_consent}}",
        cascade,
        given=f"anna: {closed}",
    )


def test_what_nobody_confirms_falls_back() -> None:
    steps = "[{id: hello, message: hello, send: [sms, email], fallback_after: 2 hours}]"
    cascade = {"cascade": scenario("{bonus_accrued: {at_least: 5}}", schedule="", steps=steps)}
    buy = "  - {at: 2026-03-02 12:30, do: {anna: {purchase: 100}}, expect: {anna: {sms: Hello}}}\n"
    passes(buy + "  - {at: 2026-03-02 15:00, expect: {anna: nothing}}\n", cascade)
    silent = ANNA.replace("}", ", unconfirmed: [sms]}")
    later = "  - {at: 2026-03-02 15:00, expect: {anna: {email: {subject: {is: Hello}, body: Hello}}}}\n"
    passes(buy + later, cascade, given=f"anna: {silent}")


def test_an_aggregator_without_reports_confirms_nothing_so_nothing_waits_for_it() -> None:
    steps = "[{id: hello, message: hello, send: [sms, email], fallback_after: 2 hours}]"
    cascade = {"cascade": scenario("{bonus_accrued: {at_least: 5}}", schedule="", steps=steps)}
    body = {"to": "{number}", "text": "{text}"}
    http: dict[str, object] = {"url": "https://sms.example", "json": body, "answer": {"id": "id"}}
    channels = {"email": {"from": "Shop <hi@example.com>"}, "sms": {"sender": "Shop", "http": http}}
    silent = ANNA.replace("}", ", unconfirmed: [sms]}")
    timeline = """
  - {at: 2026-03-02 12:30, do: {anna: {purchase: 100}}, expect: {anna: {sms: Hello}}}
  - {at: 2026-03-02 15:00, expect: {anna: %s}}
"""
    passes(timeline % "nothing", cascade, given=f"anna: {silent}", channels=channels)
    http["reports"] = {"id": "id", "status": "status", "means": {"ok": "delivered"}}
    passes(timeline % "{email: {subject: Hello}}", cascade, given=f"anna: {silent}", channels=channels)


@pytest.mark.parametrize(
    ("who", "moves"),
    [
        ("ihor", "register: {phone: '+380501110009', consent: [sms], birthday: 1990-03-03, time_zone: %s}"),
        ("anna", "change: {birthday: 1990-03-03, time_zone: %s}"),
    ],
)
def test_the_clock_stops_where_somebody_lives_who_joined_or_moved(who: str, moves: str) -> None:
    timely = {"timely": scenario("{birthday: {}}", limits="{valid_for: 2 hours}")}
    passes(
        f"  - {{at: 2026-03-02 12:30, do: {{{who}: {{{moves % 'Europe/Lisbon'}}}}}}}\n"
        f"  - {{at: 2026-03-03 18:00, expect: {{{who}: {{sms: Hello}}}}}}\n",
        timely,
    )


@pytest.mark.parametrize(
    ("when", "given"),
    [
        ("{bonus_expired: {at_least: 5}}", "bonuses: [{amount: 50, expires: 2026-03-04}]"),
        ("{tier_changed: {direction: down}}", "tier: gold, tier_since: 2025-02-02 10:00"),
    ],
)
def test_what_midnight_brings_is_answered_at_midnight(when: str, given: str) -> None:
    steps = "[{id: a, message: plain, send: [sms]}, {id: b, wait: 10 hours, message: gift, send: [email]}]"
    night = {"night": scenario(when, schedule="", steps=steps, limits="{valid_for: 6 hours}")}
    passes(
        "  - {at: 2026-03-05 00:00, expect: {anna: {sms: {message: plain}}}}\n"
        "  - {at: 2026-03-05 12:00, expect: {anna: {email: {message: gift}}}}\n",
        night, given=f"anna: {ANNA.replace('}', f', {given}}}')}",
    )  # fmt: skip
    passes(
        "  - {at: 2026-03-05 12:00, expect: {anna: {sms: {message: plain}, email: {message: gift}}}}\n",
        night, given=f"anna: {ANNA.replace('}', f', {given}}}')}",
    )  # fmt: skip


def test_scenarios_that_are_live_together_share_the_allowance() -> None:
    scenarios = {
        "first": scenario("{bonus_accrued: {at_least: 5}}", schedule="", priority="90"),
        "second": scenario("{bonus_accrued: {at_least: 5}}", schedule="", priority="10"),
    }
    expect = "{anna: {sms: {scenario: first, has: Hello}, gate: {second: capped}}}"
    limits = {"marketing": {"all": "1 per day"}}
    passes(
        f"  - {{at: 2026-03-02 12:30, do: {{anna: {{purchase: 100}}}}, expect: {expect}}}\n", scenarios,
        allowances=limits,
    )  # fmt: skip


def test_what_was_received_before_counts() -> None:
    got = ANNA.replace("}", ", received: [{scenario: accrued, at: 2026-03-02 09:00, channel: sms}]}")
    passes(
        "  - {at: 2026-03-02 12:30, do: {anna: {purchase: 100}}, expect: {anna: capped}}\n",
        given=f"anna: {got}", allowances={"marketing": {"all": "1 per day"}},
    )  # fmt: skip


def test_a_customer_is_drawn_as_the_test_wants() -> None:
    steps = "[{id: hello, variants: [{message: plain}, {message: gift}], send: [sms]}]"
    drawn = {"drawn": scenario("{bonus_accrued: {at_least: 5}}", schedule="", steps=steps, holdout="50%")}
    for message in ("plain", "gift"):
        given = ANNA.replace("}", f", arm: treatment, variants: {{hello: {message}}}}}")
        passes(
            "  - {at: 2026-03-02 12:30, do: {anna: {purchase: 100}},"
            f" expect: {{anna: {{sms: {{message: {message}}}}}}}}}\n",
            drawn, given=f"anna: {given}", head="holdout: on\n",
        )  # fmt: skip
    held = ANNA.replace("}", ", arm: holdout}")
    passes(
        "  - {at: 2026-03-02 12:30, do: {anna: {purchase: 100}}, expect: {anna: holdout}}\n", drawn,
        given=f"anna: {held}", head="holdout: on\n",
    )  # fmt: skip


def test_a_drawn_variant_is_of_the_scenario_that_has_it_though_others_name_their_steps_alike() -> None:
    steps = "[{id: hello, variants: [{message: plain}, {message: gift}], send: [sms]}]"
    several = {
        "drawn": scenario("{bonus_accrued: {at_least: 5}}", schedule="", steps=steps),
        "late": scenario("{birthday: {}}"),
    }
    for message in ("plain", "gift"):
        passes(
            "  - {at: 2026-03-02 12:30, do: {anna: {purchase: 100}},"
            f" expect: {{anna: {{sms: {{message: {message}}}}}}}}}\n",
            several, given=f"anna: {ANNA.replace('}', f', variants: {{hello: {message}}}}}')}",
        )  # fmt: skip


def test_the_card_shows_what_it_shows_afterwards() -> None:
    text = (
        "scenario: bonus-accrued\nstart: 2026-03-02 12:00\ngiven:\n"
        "  olena: {email: olena@example.com, locale: en, wallet: apple}\n"
        "timeline:\n  - at: 2026-03-02 12:30\n    do: {olena: {purchase: 1000}}\n"
        "    expect: {olena: {email: {subject: '30'}, card: {balance: {is: '30'}, tier: %s}}}\n"
    )
    [result] = run_all(Bundle.read(KAVARNIA), {"tests/card.yaml": text % "Bronze"})
    assert result.passed, [str(it) for it in result.mismatches]
    [result] = run_all(Bundle.read(KAVARNIA), {"tests/card.yaml": text % "Gold"})
    [complaint] = [str(it) for it in result.mismatches]
    assert complaint.startswith("tests/card.yaml:8:")
    assert "expected  card.tier: “Gold”\n    got       card.tier: “Bronze”" in complaint


def test_customers_of_a_fixture_are_shared_and_added_to() -> None:
    fixtures = {"tests/fixtures/people.yaml": f"anna: {ANNA}\nihor: {{}}\n"}
    passes(
        "  - {at: 2026-03-02 12:30, do: {anna: {purchase: 100}},"
        " expect: {anna: {sms: Hello, balance: 60}}}\n",
        given="anna: {bonuses: [{amount: 50}]}", head="use: [people]\n", fixtures=fixtures,
    )  # fmt: skip


def test_a_receipt_of_a_fixture_can_be_returned_by_its_name() -> None:
    lunch = "{at: 2026-02-20 12:00, total: 100, receipt: lunch}"
    fixtures = {"tests/fixtures/people.yaml": f"_anna: {{receipts: [{lunch}]}}\n"}
    passes(
        "  - {at: 2026-03-02 12:30, do: {_anna: {return: lunch}}, expect: {_anna: {balance: 0}}}\n",
        given="", head="use: [people]\n", fixtures=fixtures,
    )  # fmt: skip


def test_everything_wrong_is_told_with_its_line_and_the_nearest_name() -> None:
    fixtures = {"tests/fixtures/people.yaml": "anna: {tier: platinum}\n"}
    with pytest.raises(Problems) as caught:
        play(
            "  - {at: 2026-03-02 12:30, do: {ana: {purchase: {}}}, expect: {anna: {gates: {fax: capped}}}}\n"
            "  - {at: 2026-03-02 12:31, do: {anna: {return: lunch}}, expect: {anna: {tier: iron}}}\n",
            head="use: [peple]\n", fixtures=fixtures,
        )  # fmt: skip
    said = [str(it) for it in caught.value.problems]
    assert "tests/fixtures/people.yaml:1:8: anna.tier: no such tier: 'platinum'" in said[0]
    assert "use[0]: no such fixture: 'peple'; did you mean 'people'?" in "\n".join(said)
    assert "no such customer: 'ana'; did you mean 'anna'?" in "\n".join(said)
    assert "says not what was bought; write 'total' or 'lines'" in "\n".join(said)
    assert "expect.anna.gates.fax: no such channel: 'fax'" in "\n".join(said)
    assert "do.anna.return: no such receipt: 'lunch'; write last" in "\n".join(said)
    assert "expect.anna.tier: no such tier: 'iron'; did you mean 'bronze'?" in "\n".join(said)


def test_what_has_no_address_cannot_be_suppressed() -> None:
    with pytest.raises(Problems) as caught:
        play(
            "  - {at: 2026-03-02 12:30, do: {anna: {suppress: wallet}}}\n",
            given="anna: {consent: [webhook], suppressed: [webhook]}",
        )
    none = (
        "writes to no address of a customer's: there is none to suppress; leave it out, and see to 'consent'"
    )
    assert [str(it).split(": ", 1) for it in caught.value.problems] == [
        ["tests/one.yaml:3:49", f"given.anna.suppressed[0]: 'webhook' {none}"],
        ["tests/one.yaml:5:40", f"timeline[0].do.anna.suppress: 'wallet' {none}"],
    ]
    for given, do in (("{suppressed: [sms]}", "{grant: 5}"), ("{}", "{lift: sms}")):
        with pytest.raises(
            Problems, match="anna has no address for 'sms': there is none to suppress; write 'phone'"
        ):
            play(f"  - {{at: 2026-03-02 12:30, do: {{anna: {do}}}}}\n", given=f"anna: {given}")


def test_what_the_ledger_refuses_is_told_with_its_place() -> None:
    with pytest.raises(Problems, match=r"tests/one.yaml:\d+:\d+: timeline\[0\].do.anna\[?0?\]?.*transfer"):
        play("  - {at: 2026-03-02 12:30, do: {anna: {transfer: {to: anna, amount: 5}}}}\n")
    with pytest.raises(Problems, match="there is no receipt yet; write a 'purchase' before"):
        play("  - {at: 2026-03-02 12:30, do: {anna: {return: last}}}\n")


def test_junit_has_a_suite_a_file_and_a_case_a_moment(tmp_path: Path) -> None:
    result = play(
        "  - {at: 2026-03-02 12:30, do: {anna: {purchase: 100}}, expect: {anna: {sms: Hello}}}\n"
        '  - {at: 2026-03-02 12:40, expect: {anna: {sms: "Never \\x01 said"}}}\n'
    )  # fmt: skip
    write_junit(tmp_path / "junit.xml", [result])
    root = ET.parse(tmp_path / "junit.xml").getroot()
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "2", "1")
    [suite] = root
    assert (suite.tag, suite.get("name"), suite.get("file")) == ("testsuite", "one", "tests/one.yaml")
    first, second = suite
    assert (first.get("classname"), first.get("name")) == ("one", "2026-03-02 12:30")
    assert (first.get("file"), first.get("line")) == ("tests/one.yaml", "5")
    assert float(first.get("time", "")) >= 0
    assert list(first) == []
    [failure] = second
    assert failure.get("message") == "not as expected: anna"
    assert "expected  sms: “Never" in (failure.text or "")
