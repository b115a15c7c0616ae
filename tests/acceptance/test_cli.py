"""The main job through the command line, as a newcomer does it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

from core.clock import SystemClock
from core.db import Database
from scheduler.presence import Presence
from tests.support.shop import Shop, day, shop

__all__ = ["shop"]

CUSTOMERS = """customer,name,email,phone,locale,registered_at
K-1,Олена Шевченко,olena@example.com,+380501234567,uk,2025-01-10
K-2,Emma Wilson,emma@example.com,,en,2025-01-10
K-3,Тарас Мельник,,,uk,2025-01-10
"""
CONSENTS = """customer,channel,granted,at
K-1,email,yes,2025-01-10T12:00:00+02:00
K-2,email,yes,2025-01-10T12:00:00+02:00
"""
RECEIPTS = """receipt,customer,at,sku,quantity,total
R-1,K-1,{first}T10:00:00+02:00,beans,4,6000.00
R-2,K-2,{first}T10:00:00+02:00,beans,4,6000.00
R-3,K-3,{first}T10:00:00+02:00,beans,4,6000.00
R-4,K-1,{second}T10:00:00+02:00,beans,2,4000.00
R-5,K-2,{second}T10:00:00+02:00,beans,2,4000.00
R-6,K-3,{second}T10:00:00+02:00,beans,2,4000.00
"""
# What was bought on 2 January ends 180 days later; three days before that the series' second step is open.
DAY = "2026-06-28 10:00"


def bring_in(shop: Shop, first: str = "2026-01-02", second: str = "2026-01-03") -> None:
    """Three customers, and what each bought on two days."""
    receipts = RECEIPTS.format(first=first, second=second)
    for kind, text in (("customers", CUSTOMERS), ("consents", CONSENTS), ("receipts", receipts)):
        assert shop.run("import", kind, str(shop.write(f"{kind}.csv", text))).code == 0
    shop.change("program.yaml", "holdout: 5%", "holdout: 0%")
    shop.change("scenarios/bonus-expiring.yaml", "holdout: 10%", "holdout: 0%")


def dry_run(shop: Shop, *words: str) -> dict[str, object]:
    said = shop.run("dry-run", "bonus-expiring", "--at", DAY, "--format", "json", *words)
    assert said.code == 0, said.err
    document: dict[str, object] = json.loads(said.out)[0]
    return document


def test_a_dry_run_says_who_would_hear_and_who_not_and_why(shop: Shop) -> None:
    bring_in(shop)
    found = dry_run(shop)
    assert found["scenario"] == "bonus-expiring"
    # Two days of expiry each: 2 January (bronze, 3%: 180) and 3 January (silver, 5%: 200).
    assert found["candidates"] == 6
    assert found["gates"] == {"no_consent": 2}
    assert found["send"] == {"email": 4}


def test_a_dry_run_for_one_customer_names_each_channels_reason(shop: Shop) -> None:
    bring_in(shop)
    samples = dry_run(shop, "--customer", "K-3")["samples"]
    assert isinstance(samples, list)
    assert {sample["reason"] for sample in samples} == {"no_consent"}
    assert samples[0]["detail"] == "push: no_consent, email: no_consent, sms: no_consent"


def test_samples_are_written_as_files_to_look_at(shop: Shop, tmp_path: Path) -> None:
    bring_in(shop)
    dry_run(shop, "--out", str(tmp_path / "samples"))
    files = sorted(path.suffix for path in (tmp_path / "samples" / "email").iterdir())
    assert set(files) == {".eml", ".html"}


def test_the_tick_sends_what_the_dry_run_said_and_never_twice(shop: Shop) -> None:
    bring_in(shop)
    expected = dry_run(shop)
    assert shop.run("apply", "--yes", "--as", "anna").code == 0
    # A scenario looks from its apply on, and that happens now.
    first = json.loads(shop.run("tick", "--at", f"{day(42)} 10:00", "--format", "json").out)
    assert expected["send"] == {"email": 4}
    assert all(it["candidates"] == 0 for it in first if it["scenario"] == "bonus-expiring")


def test_a_tick_of_a_time_to_come_is_refused_where_a_process_works_by_the_real_one(shop: Shop) -> None:
    bring_in(shop)
    assert shop.run("apply", "--yes", "--as", "anna").code == 0
    database = Database(f"sqlite:///{shop.path / 'tidings.db'}")
    process = Presence(database, SystemClock(), "serve", "0.1.0", list)
    process.say()
    later = day(400)
    refused = shop.run("tick", "--at", later)
    assert (refused.code, "works on this database by the real time" in refused.err) == (2, True)
    assert shop.run("tick").code == 0
    process.leave()
    database.close()
    assert shop.run("tick", "--at", later).code == 0


def buy_lately(shop: Shop) -> str:
    """A receipt of 500.00 ten days ago is brought in; returns what is available then."""
    # At noon: a rule of the example doubles mornings.
    lately = datetime.now(UTC).replace(hour=10, minute=0) - timedelta(days=10)
    row = f"R-7,K-1,{lately.isoformat()},beans,1,500.00\n"
    file = shop.write("lately.csv", RECEIPTS.splitlines()[0] + "\n" + row)
    assert shop.run("import", "receipts", str(file)).code == 0
    page = json.loads(shop.run("customer", "K-1", "--format", "json").out)
    return str(page["balance"]["available"])


def test_a_customers_page_tells_balance_lots_and_reasons(shop: Shop) -> None:
    bring_in(shop, day(-200), day(-199))
    assert buy_lately(shop) == "25"
    page = json.loads(shop.run("customer", "olena@example.com", "--format", "json").out)
    assert page["customer"] == "K-1"
    # 10,000 spent within a year is silver: 5% of 500. What the older receipts brought has expired.
    assert [(lot["reason"], lot["remaining"]) for lot in page["lots"]] == [("purchase", "25")]
    assert page["balance"]["total"] == "25"
    assert sum(Decimal(entry["amount"]) for entry in page["entries"]) == 25


def test_receipts_are_booked_by_the_rules_that_are_live_not_by_files_that_nobody_applied(shop: Shop) -> None:
    bring_in(shop, day(-200), day(-199))
    assert shop.run("apply", "--yes", "--as", "anna").code == 0
    shop.change("program.yaml", "earn: 5%}", "earn: 50%}")
    assert buy_lately(shop) == "25"


def test_scenario_tests_pass_and_are_reported_as_junit(shop: Shop, tmp_path: Path) -> None:
    said = shop.run("test", "--junit", str(tmp_path / "junit.xml"))
    assert said.code == 0, said.out
    suites = ET.parse(tmp_path / "junit.xml").getroot()
    files = {f"tests/{file.name}" for file in (shop.path / "tests").glob("*.yaml")}
    assert {suite.get("file") for suite in suites} == files
    assert (suites.get("tests"), suites.get("failures")) == (str(len(suites.findall("*/testcase"))), "0")


def test_a_scenario_test_that_fails_says_expected_and_got_with_its_line(shop: Shop) -> None:
    shop.change("tests/bonus-expiring.yaml", "500 бонусів", "501 бонус")
    said = shop.run("test", "--run", "bonus-expiring")
    assert said.code == 1
    assert "tests/bonus-expiring.yaml:9:7  at 2026-03-01 10:00, anna" in said.out
    assert "expected  sms: “501 бонус”" in said.out
    assert "got       sms: “500 бонусів" in said.out


def test_what_is_live_and_what_differs_is_told(shop: Shop) -> None:
    assert shop.run("apply", "--yes", "--as", "anna").code == 0
    assert shop.run("diff").out == "nothing differs from what is live\n"
    shop.change("scenarios/birthday.yaml", "priority: 90", "priority: 80")
    said = shop.run("diff")
    assert said.code == 1
    assert "-priority: 90" in said.out
    assert "+priority: 80" in said.out
    assert "version 2 is live" in shop.run("apply", "--yes", "--as", "anna").out
    assert "version 2 is live already" in shop.run("apply", "--yes", "--as", "anna").out


def test_the_editors_schemas_are_written(shop: Shop, tmp_path: Path) -> None:
    assert shop.run("schema", str(tmp_path)).code == 0
    scenario = json.loads((tmp_path / "scenario.schema.json").read_text("utf-8"))
    assert "bonus_expiring" in json.dumps(scenario)


def test_a_card_is_drawn_and_issued(shop: Shop) -> None:
    bring_in(shop)
    assert shop.run("apply", "--yes", "--as", "anna").code == 0
    drawn = shop.run("card", "preview", "K-1")
    assert drawn.code == 0, drawn.err
    pictures = [Path(line.removeprefix("wrote ")) for line in drawn.out.splitlines()]
    assert [picture.read_bytes()[:4] for picture in pictures] == [b"\x89PNG", b"\x89PNG"]
    issued = shop.run("card", "issue", "K-1")
    assert issued.code == 0, issued.err
    assert (shop.path / "outbox" / "cards" / "K-1.pkpass").read_bytes()[:2] == b"PK"
    assert "https://pay.google.com/gp/v/save/" in issued.out
